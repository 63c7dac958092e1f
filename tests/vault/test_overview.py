"""`read_overview` and ``vaultkit status``: what a holder decides by, as the chain has it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from tests.contracts.test_client import book_of, verb
from tests.fixtures.vault import DELAY, PERIOD, VaultSetup
from vaultkit.manifest import ArtefactManifest
from vaultkit.units import Q128, WAD
from vaultkit.vault.break_even import ASSUMED_GAS, break_even
from vaultkit.vault.client import VaultClient
from vaultkit.vault.overview import Overview, read_overview
from vaultkit.vault.plan import window_spec
from vaultkit.vault.terms import Fees, Safeguards
from vaultkit.vault.trust import TIMELOCK_CODE_HASH, in_words

DOLLAR = 10**6


def overview(vault: VaultSetup, **options: int) -> Overview:
    book = book_of(vault)
    assert book.vault is not None
    deployed = book.vault.model_copy(update={"from_block": vault.from_block})
    return read_overview(VaultClient(vault.rpc, book.model_copy(update={"vault": deployed})), **options)


@pytest.fixture(autouse=True)
def start(vault: VaultSetup) -> None:
    vault.from_block = int(vault.rpc.call("eth_blockNumber"), 16)


def test_epochs_are_listed_with_their_outcome_missed_and_awaited_ones_too(vault: VaultSetup):
    vault.deposit(vault.actors.alice, 1_000_000 * DOLLAR)
    first = vault.keep(60)
    vault.close_epoch()
    vault.devnet.mine(vault.now() + vault.terms.max_age_seconds)
    weight = vault.vault.call("riskWeightWad")
    vault.keep(weight / 10**16)
    vault.close_epoch()
    lines = overview(vault, epochs=4).epochs
    assert [line.outcome for line in lines] == ["awaited", "deadband", "missed", "traded"]
    assert [line.epoch for line in lines] == sorted((line.epoch for line in lines), reverse=True)
    assert lines[3].weight_target_wad == vault.events(first)["Rebalanced"]["weightTargetWad"]
    assert lines[3].gas_used == int(first["gasUsed"], 16)
    assert lines[3].beneficiary == vault.actors.keeper.lower()


def test_a_pending_model_is_shown_with_its_dates_until_it_is_cancelled_or_expires(vault: VaultSetup):
    assert overview(vault).pending == ()
    other = vault.model(bundle_hash=b"\x02" * 32)
    vault.transact(vault.actors.owner, vault.registry, "propose", other.as_tuple())
    (pending,) = overview(vault).pending
    assert pending.model_id == f"0x{other.model_id().hex()}"
    assert pending.activatable_at == vault.now() + DELAY
    assert pending.expires_at == pending.activatable_at + 30 * 86_400
    vault.transact(vault.actors.guardian, vault.registry, "cancel", other.model_id())
    assert overview(vault).pending == ()
    vault.transact(vault.actors.owner, vault.registry, "propose", other.as_tuple())
    (pending,) = overview(vault).pending
    vault.devnet.mine(pending.expires_at)
    assert len(overview(vault).pending) == 1
    vault.devnet.mine(pending.expires_at + 1)
    assert overview(vault).pending == ()


def test_safeguards_say_how_they_stand(vault: VaultSetup):
    vault.redeploy(safeguards=Safeguards(outage_epochs=2))
    found = overview(vault).guarded
    assert (found.stopped, found.withdraw_only, found.missed_epochs) == (False, False, 0)
    vault.devnet.mine(vault.now() + 3 * PERIOD)
    assert overview(vault).guarded.withdraw_only
    vault.transact(vault.actors.guardian, vault.vault, "stopTrading")
    vault.transact(vault.actors.owner, vault.vault, "scheduleResume")
    found = overview(vault).guarded
    assert found.stopped and found.resumable_at == vault.now() + DELAY


def test_the_drawdown_s_distance_is_where_the_contract_stops(vault: VaultSetup):
    vault.redeploy(safeguards=Safeguards(drawdown_wad=WAD // 100))
    vault.deposit(vault.actors.alice, 200_000 * DOLLAR)
    vault.keep(100)
    vault.trade(buy_risk=True, amount=2_000_000 * DOLLAR)
    vault.devnet.mine(vault.now() + 4_000)
    receipt = vault.keep(100)
    at = overview(vault).guarded.drawdown
    # The market has risen since, so the last accepted epoch has set the peak, at the value before its trade.
    event, before = vault.events(receipt)["Rebalanced"], int(receipt["blockNumber"], 16) - 1
    idle, held = (token.call("balanceOf", vault.vault.address, block=before) for token in (vault.asset, vault.risk))
    shares = vault.vault.call("totalSupply", block=before) + 10**6
    assert at is not None
    assert at.peak_x64 == (idle + (held * event["twapX128"] >> 128) + 1) * 2**64 // shares > 2**64 // 10**6
    snapshot = vault.devnet.snapshot()
    for percent, stops in ((0.9, False), (1.2, True)):  # of the vault's value is taken away, around a limit of 1 %
        taken = vault.risk.call("balanceOf", vault.vault.address) * int(percent * 10) // 1_000
        place = keccak(int(vault.vault.address, 16).to_bytes(32, "big") + (3).to_bytes(32, "big"))
        held = vault.risk.call("balanceOf", vault.vault.address) - taken
        vault.rpc.call("anvil_setStorageAt", [vault.risk.address, f"0x{place.hex()}", f"0x{held:064x}"])
        epoch = vault.close_epoch()
        vault.allow(epoch, 128)
        told = overview(vault).guarded.drawdown
        assert told is not None and (told.left_wad == 0) == stops == (told.fallen_wad > WAD // 100)
        vault.rebalance(epoch, 128)
        assert vault.vault.call("stopped") == stops
        vault.devnet.revert(snapshot)
        snapshot = vault.devnet.snapshot()


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 seconds"), (90, "90 seconds"), (3_600, "1 hour"), (172_800, "2 days")]
)
def test_times_are_told_in_whole_units(seconds: int, said: str):
    assert in_words(seconds) == said


def test_a_vault_without_a_drawdown_stop_says_nothing_of_it(vault: VaultSetup):
    vault.redeploy(safeguards=Safeguards(drawdown_wad=0), deposit_cap=7 * DOLLAR)
    found = overview(vault)
    assert found.guarded.drawdown is None and found.deposit_cap == 7 * DOLLAR


def test_next_to_nothing_has_no_distance_to_a_stop_that_cannot_come(vault: VaultSetup):
    vault.redeploy(safeguards=Safeguards(drawdown_wad=WAD // 10))
    assert overview(vault).guarded.drawdown is None and overview(vault).guarded.least_judged == DOLLAR
    vault.deposit(vault.actors.alice, DOLLAR)
    at = overview(vault).guarded.drawdown
    assert at is not None and at.left_wad == pytest.approx(WAD // 10, rel=1e-5)


def test_the_next_reward_is_what_the_next_epoch_pays(vault: VaultSetup):
    vault.redeploy(fees=Fees(reward_per_epoch=50 * DOLLAR, reward_year_pips=20_000))
    vault.deposit(vault.actors.alice, 1_000_000 * DOLLAR)
    vault.keep(50)
    epoch = vault.close_epoch()
    weight = vault.vault.call("riskWeightWad")
    vault.allow(epoch, round(weight * 128 / WAD))
    told = overview(vault).next_reward
    paid = vault.events(vault.rebalance(epoch, round(weight * 128 / WAD)))["RewardPaid"]["amount"]
    assert 0 < told < 50 * DOLLAR
    assert paid == pytest.approx(told, rel=1e-4), "the mean price moves a little until the block"


@pytest.mark.parametrize("late", [0, 1])
def test_the_next_reward_counts_an_epoch_that_can_no_longer_be_accepted(vault: VaultSetup, late: int):
    vault.redeploy(fees=Fees(reward_per_epoch=50 * DOLLAR, reward_year_pips=20_000))
    vault.deposit(vault.actors.alice, 1_000_000 * DOLLAR)
    vault.keep(0)
    epoch = vault.close_epoch()
    vault.devnet.mine(epoch * PERIOD + vault.terms.max_age_seconds + late)
    told = overview(vault)
    assert told.epochs[0].outcome == ("missed" if late else "awaited")
    assert told.next_reward == told.status.total_assets * 20_000 * (1 + late) * PERIOD // (10**6 * 365 * 86_400)
    if late:
        assert vault.events(vault.keep(0))["RewardPaid"]["amount"] == told.next_reward


def test_roles_and_trust_name_who_could_do_harm(vault: VaultSetup):
    found = overview(vault)
    assert found.roles.owner == vault.actors.owner.lower() and not found.roles.owner_is_contract
    assert found.roles.guardian == vault.actors.guardian.lower()
    assert found.roles.model_delay_seconds == DELAY
    vault.transact(vault.actors.owner, vault.registry, "transferOwnership", vault.actors.bob)
    found = overview(vault)
    assert found.roles.pending_owner == vault.actors.bob.lower()
    text = " ".join(found.trusted)
    for said in (
        "one key",
        "has not accepted",
        "guardian",
        "reference string",
        "leave in kind",
        "weights are not at hand",
    ):
        assert said in text
    vault.transact(vault.actors.owner, vault.registry, "retire", vault.pins.model_id())
    assert "nothing can trade" in overview(vault).trusted[-1]


def owner_speech(vault: VaultSetup, owner: str) -> tuple[Overview, str]:
    place = vault.registry.address
    vault.rpc.call("anvil_setStorageAt", [place, "0x" + 64 * "0", f"0x{int(owner, 16):064x}"])
    vault.devnet.mine()
    found = overview(vault)
    assert found.roles.owner == owner.lower()
    return found, found.trusted[1]


def test_only_the_known_timelocks_code_makes_its_delay_believed(vault: VaultSetup):
    month = 30 * 86_400
    liar = vault.send(
        vault.actors.owner,
        None,
        # Runtime code of twelve bytes: whatever is called, return thirty days.
        f"0x600c600c600039600c6000f362{month:06x}60005260206000f3",
    )["contractAddress"]
    assert len(vault.rpc.call("eth_getCode", [liar, "latest"])) == 2 + 2 * 12
    found, said = owner_speech(vault, liar)
    assert found.roles.owner_delay_seconds == month and not found.roles.owner_is_known_timelock
    assert "says of itself that it waits 30 days" in said and "announced" not in said
    nobody = [vault.actors.owner]
    lock = vault.create("TimelockController", month, nobody, nobody, vault.actors.owner)
    code = vault.rpc.call("eth_getCode", [lock.address, "latest"])
    assert f"0x{keccak(hexstr=code).hex()}" == TIMELOCK_CODE_HASH
    found, said = owner_speech(vault, lock.address)
    assert found.roles.owner_is_known_timelock and "announced 30 days before" in said


def test_weights_are_said_to_be_at_hand_only_where_they_are_the_active_models(
    vault: VaultSetup, circuit: Any, rotated_circuit: Any
):
    manifest = circuit.manifest
    pins = vault.model(
        commitments=b"".join(bytes.fromhex(one[2:]) for one in manifest.commitments),
        bundle_hash=manifest.bundle_hash(),
        output_scale=manifest.output_scale,
        output_bound=manifest.output_bound,
        source_spec_hash=window_spec(vault.book, manifest).spec_hash(),
    )

    def said(folder: Path, verifier: str | None) -> str:
        copy = folder.parent / f"{folder.name}-told"
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        ArtefactManifest.load(folder).model_copy(update={"verifier_code_hash": verifier}).save(copy)
        book = book_of(vault)
        deployed = book.vault.model_copy(update={"from_block": vault.from_block, "artefact": str(copy)})
        client = VaultClient(vault.rpc, book.model_copy(update={"vault": deployed}))
        return next(one for one in read_overview(client).trusted if "eights" in one)

    scripted = f"0x{pins.verifier_code_hash.hex()}"
    assert "bundle hash, commitments" in said(circuit.folder, scripted), "another model is active"
    vault.activate(pins)
    assert "keep the vault yourself" in said(circuit.folder, scripted)
    assert "from which verifier differ" in said(circuit.folder, manifest.verifier_code_hash)
    assert "not those of the active model" in said(rotated_circuit.folder, scripted)
    vault.transact(vault.actors.owner, vault.registry, "retire", pins.model_id())
    assert "no model is active" in said(circuit.folder, scripted)


def test_an_overview_survives_a_pool_that_cannot_answer(vault: VaultSetup, monkeypatch: pytest.MonkeyPatch):
    import vaultkit.vault.overview as module
    from vaultkit.errors import Reverted

    class DeafVenue(module.Contract):
        def call(self, name, *args, **options):
            if name in ("twapX128", "spotX128"):
                raise Reverted("no reason")
            return super().call(name, *args, **options)

    monkeypatch.setattr(module, "Contract", DeafVenue)
    found = overview(vault)
    assert (found.mean_x128, found.spot_x128, found.break_even.unit) == (None, None, "ETH")


def test_break_even_grows_with_gas_and_falls_with_the_period():
    table = break_even(None, 3_000.0)
    assert not table.measured and table.gas_units == ASSUMED_GAS
    for row in table.values:
        assert list(row) == sorted(row)
    for column in zip(*table.values, strict=True):
        assert list(column) == sorted(column, reverse=True)
    assert break_even(ASSUMED_GAS, 6_000.0).values[1][2] == pytest.approx(2 * table.values[1][2])
    assert replace(table).edge_a_year == 0.05


def test_break_even_uses_the_vaults_own_gas_and_price(vault: VaultSetup):
    vault.deposit(vault.actors.alice, 1_000_000 * DOLLAR)
    receipt = vault.keep(60)
    found = overview(vault)
    table = found.break_even
    assert table.measured and table.gas_units == int(receipt["gasUsed"], 16) and table.unit == "USDC"
    vault.devnet.mine(vault.now() + 3 * PERIOD)
    later = overview(vault, epochs=2)
    assert {line.outcome for line in later.epochs} <= {"missed", "awaited"}
    assert later.break_even.measured and later.break_even.gas_units == table.gas_units
    assert found.mean_x128 is not None
    dollars = found.mean_x128 / Q128 * 10**12
    epochs_a_year = 365 * 86_400 / 14_400
    expected = table.gas_units * 2e-9 * epochs_a_year * dollars / 0.05
    assert table.values[1][2] == pytest.approx(expected, rel=1e-6)


def test_status_prints_plain_decimals_and_every_part(
    vault: VaultSetup, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    place = tmp_path / "book.json"
    book_of(vault).save(place)
    options = ["--rpc", vault.devnet.url, "--book", str(place)]
    assert verb("status", *options, "--json") == 0
    text = capsys.readouterr().out
    found = json.loads(text)
    assert "0E" not in text and found["risk_weight"] == "0.000000000000000000"
    assert found["limits"]["deposit_cap"] is None
    assert found["missed_epochs"] == vault.vault.call("missedEpochs") and found["last_epoch"] is None
    vault.deposit(vault.actors.alice, 1_000_000 * DOLLAR)
    vault.keep(60)
    assert verb("status", *options) == 0
    out = capsys.readouterr().out
    for part in (
        "Last epochs",
        "traded",
        "No model change is pending",
        "Roles",
        "Break-even value in USDC",
        "guardian",
    ):
        assert part in out
    for wrong in ("0", "nan", "inf"):
        assert verb("status", *options, "--edge", wrong) == 2
