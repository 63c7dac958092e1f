"""From the local Aave's blocks to features: verified history, no look-ahead, and what the pool itself says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.fixtures.aave import lending_index
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.lending import BANK, OPERATOR
from vaultkit.chain.lending_cache import LendingManifest
from vaultkit.coprocessor.check import verify_store
from vaultkit.coprocessor.moment import Moment, as_of
from vaultkit.models.credit import credit_features
from vaultkit.models.credit.flows import Reserve, oracle_prices

Lending = tuple[Devnet, LendingManifest]


def features(moment: Moment, reserves: list[Reserve]) -> pl.DataFrame:
    events, prices = moment.scan("aave_v3_events"), oracle_prices(moment.scan("aave_oracle_prices"))
    return credit_features(events, prices, reserves, block=moment.block, timestamp=moment.timestamp, lots=2)


def test_the_index_holds_the_whole_verified_history(lending: Lending, lending_store: Path) -> None:
    _, manifest = lending
    assert verify_store(lending_store).rows["blocks"] == manifest.block_number - manifest.aave.from_block + 1
    events = as_of(lending_store, manifest.block_number).scan("aave_v3_events").collect()
    assert set(events["event"]) == {"supply", "withdraw", "borrow", "repay", "liquidation"}
    assert (events["event"] == "liquidation").sum() == manifest.tally.liquidations
    owners = events.select(pl.coalesce("on_behalf_of", "user").unique())["on_behalf_of"]
    assert {f"0x{owner.hex()}" for owner in owners} >= {
        address for address, habit in manifest.habits.items() if habit == "neglectful"
    }


def test_features_agree_with_what_the_pool_says_of_every_wallet(
    lending: Lending, lending_store: Path, lending_reserves: list[Reserve]
) -> None:
    devnet, manifest = lending
    pool = Contract(devnet.rpc, manifest.aave.pool, load_abi("Pool"))
    rows = features(as_of(lending_store, manifest.block_number), lending_reserves)
    compared = 0
    for wallet, held, owed, used in rows.select("wallet", "collateral_usd", "debt_usd", "utilization").iter_rows():
        collateral, debt, _, _, _, health = pool.call(
            "getUserAccountData", f"0x{wallet.hex()}", block=manifest.block_number
        )
        # Events book principal alone: the pool's numbers are larger by the interest of some weeks.
        assert held == pytest.approx(collateral / 1e8, rel=0.005, abs=1)
        assert owed == pytest.approx(debt / 1e8, rel=0.01, abs=1)
        if debt > 10**10:
            assert used == pytest.approx(min(2.0, 1e18 / health), rel=0.01)
            compared += 1
    assert compared >= 8


def test_no_feature_of_a_block_changes_when_later_blocks_change(
    tmp_path: Path, lending: Lending, lending_reserves: list[Reserve]
) -> None:
    devnet, manifest = lending
    pool = Contract(devnet.rpc, manifest.aave.pool, load_abi("Pool"))
    feed = Contract(devnet.rpc, manifest.aave.feed, load_abi("PriceOracle"))
    stores = []
    for branch in range(2):
        fork = devnet.snapshot()
        data = feed.encode("setAssetPrice", manifest.aave.tokens[0], (1_000 + 900 * branch) * 10**8)
        send(devnet, devnet.accounts()[OPERATOR], manifest.aave.feed, data)
        if branch:
            bank = devnet.accounts()[BANK]
            send(devnet, bank, manifest.aave.pool, pool.encode("withdraw", manifest.aave.tokens[0], 10**18, bank))
        lending_index(devnet, manifest).index(tmp_path / str(branch) / "local", start=manifest.aave.from_block)
        stores.append(tmp_path / str(branch) / "local")
        devnet.revert(fork)
    before = [features(as_of(store, manifest.block_number), lending_reserves) for store in stores]
    assert_frame_equal(before[0], before[1])
    after = [features(as_of(store, manifest.block_number + 1), lending_reserves) for store in stores]
    assert not after[0].equals(after[1]), "the canary sees what changed"
    assert np.isfinite(after[0].drop("wallet").to_numpy()).all()


def send(devnet: Devnet, sender: str, to: str, data: str) -> None:
    fields = {"from": sender, "to": to, "data": data, "gas": hex(1_000_000)}
    devnet.rpc.call("eth_sendTransaction", [fields])
    devnet.mine()
