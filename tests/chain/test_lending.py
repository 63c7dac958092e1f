"""The local Aave is Aave's, its people live as they say, and what was built comes back or is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.fixtures.aave import SMALL
from vaultkit.chain.aave import RESERVES
from vaultkit.chain.abi import Contract, load_abi, load_code
from vaultkit.chain.borrowers import DAY, HABITS, habits_of, population
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.lending_cache import LendingManifest, LendingSettings, build_lending, open_lending, thresholds
from vaultkit.chain.uniswap import create_unlocked
from vaultkit.errors import CacheError, DeployFailed

Lending = tuple[Devnet, LendingManifest]
_IMPLEMENTATION = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"


def test_the_pool_behind_its_proxy_is_the_code_that_aave_published(lending: Lending) -> None:
    devnet, manifest = lending
    word = devnet.rpc.call("eth_getStorageAt", [manifest.aave.pool, _IMPLEMENTATION, "latest"])
    deployed = bytes.fromhex(devnet.rpc.call("eth_getCode", ["0x" + word[-40:], "latest"])[2:])
    published = load_code("Pool").bytecode[2:]
    # The runtime code stands in the creation code, but for immutables and the addresses of libraries.
    where = published.index(deployed[:16].hex(), 8)
    same = sum(a == b for a, b in zip(deployed.hex(), published[where:], strict=False))
    assert same > 0.96 * 2 * len(deployed)
    pool = Contract(devnet.rpc, manifest.aave.pool, load_abi("Pool"))
    assert [token.lower() for token in manifest.aave.tokens] == [t.lower() for t in pool.call("getReservesList")]
    assert thresholds(devnet.rpc, manifest.aave) == {
        token.lower(): terms.threshold_bps / 10_000 for token, terms in zip(manifest.aave.tokens, RESERVES, strict=True)
    }


def test_the_history_holds_every_habit_and_liquidations_and_no_refused_call(lending: Lending) -> None:
    _, manifest = lending
    assert set(manifest.habits.values()) == {habit.name for habit in HABITS}
    assert len(manifest.habits) == SMALL.borrowers
    assert manifest.tally.refused == 0
    assert manifest.tally.liquidations >= 5
    assert manifest.timestamp - manifest.start_timestamp >= SMALL.days * DAY
    assert "not market data" in manifest.prices_label


def test_people_are_the_same_for_the_same_seed_and_others_for_another() -> None:
    people, again, others = (population(500, seed, 400 * DAY) for seed in (1, 1, 2))
    assert [p.size_usd for p in people] == [p.size_usd for p in again]
    assert [p.size_usd for p in people] != [p.size_usd for p in others]
    assert all(abs(habits_of(people)[h.name] / 500 - h.share) < 0.06 for h in HABITS)
    assert all(person.alarm > person.target for person in people)


def test_what_was_built_is_used_again_and_what_was_damaged_is_refused(lending_folder: Path, tmp_path: Path) -> None:
    manifest, built = build_lending(lending_folder, SMALL)
    assert not built
    assert SMALL.key() == manifest.key != LendingSettings(days=48, borrowers=36, seed=4).key()
    copy = tmp_path / "aave"
    shutil.copytree(lending_folder, copy)
    with (copy / "state.json").open("a") as state:
        state.write(" ")
    with pytest.raises(CacheError, match="not the one that its manifest names"), open_lending(copy):
        pass
    shutil.copy(lending_folder / "state.json", copy / "state.json")
    fields = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**fields, "block_number": 1}))
    with pytest.raises(CacheError, match="changed after it was written"):
        LendingManifest.load(copy)
    (copy / "manifest.json").write_text(json.dumps({"digest": ""}))
    with pytest.raises(CacheError, match="another version"):
        LendingManifest.load(copy)
    (copy / "manifest.json").unlink()
    with pytest.raises(CacheError, match="half built"):
        LendingManifest.load(copy)


def test_a_build_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise DeployFailed("no")

    monkeypatch.setattr("vaultkit.chain.lending_cache.deploy_aave", refuse)
    with pytest.raises(DeployFailed):
        build_lending(tmp_path / "aave", SMALL)
    assert not list(tmp_path.iterdir())


def test_a_contract_without_its_libraries_is_not_deployed(lending: Lending) -> None:
    devnet, manifest = lending
    with pytest.raises(DeployFailed, match="libraries"):
        create_unlocked(devnet, devnet.accounts()[0], "Pool", manifest.aave.provider, mine=devnet.mine)
