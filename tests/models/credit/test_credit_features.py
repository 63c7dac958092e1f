"""Features equal a slow reading of their formulas, and know nothing later than their block."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.fixtures.lending import BLOCK_SECONDS, RESERVES, START, made_events, made_prices
from vaultkit.errors import DataError
from vaultkit.models.credit import credit_features
from vaultkit.models.credit.catalogue import CATALOGUE, NAMES, catalogue_table, features_of
from vaultkit.models.credit.flows import Reserve

DAYS = 120
BLOCK = 90 * 86_400 // BLOCK_SECONDS
TIME = START + BLOCK * BLOCK_SECONDS
EVERY = 14 * 86_400


@pytest.fixture(scope="module")
def events() -> pl.DataFrame:
    return made_events(40, 1_500, DAYS)


@pytest.fixture(scope="module")
def prices() -> pl.DataFrame:
    return made_prices(DAYS)


def features(events: pl.DataFrame, prices: pl.DataFrame, **options: object) -> pl.DataFrame:
    where = {"block": BLOCK, "timestamp": TIME, **options}
    return credit_features(events.lazy(), prices.lazy(), RESERVES, **where)  # type: ignore[arg-type]


def slow_features(events: pl.DataFrame, prices: pl.DataFrame) -> dict[bytes, dict[str, float]]:
    """Return every wallet's features by walking its events one after another."""
    quotes: dict[bytes, list[tuple[int, float]]] = defaultdict(list)
    for row in prices.filter(pl.col("block_number") <= BLOCK).iter_rows(named=True):
        quotes[row["asset"]].append((row["timestamp"], row["price_usd"]))
    reserves = {reserve.asset: reserve for reserve in RESERVES}

    def price(asset: bytes, time: int) -> float:
        return [value for moment, value in quotes[asset] if moment <= time][-1]

    of_wallet: dict[bytes, list[dict[str, object]]] = defaultdict(list)
    for row in events.filter(pl.col("block_number") <= BLOCK).iter_rows(named=True):
        of_wallet[row["on_behalf_of"] or row["user"]].append(row)
    return {wallet: _walk(rows, reserves, price) for wallet, rows in of_wallet.items()}


def _walk(rows, reserves, price) -> dict[str, float]:  # type: ignore[no-untyped-def]
    out = dict.fromkeys(NAMES, 0.0)
    first = rows[0]["timestamp"]
    stops = {row["timestamp"] for row in rows}
    stops |= set(range(TIME, first - 1, -EVERY))
    held: dict[bytes, float] = defaultdict(float)
    owed: dict[bytes, float] = defaultdict(float)
    out["age_days"], out["idle_days"] = (TIME - first) / 86_400, (TIME - rows[-1]["timestamp"]) / 86_400
    out["active_days"] = len({row["timestamp"] // 86_400 for row in rows})
    repaid_at, spell, before, near_before = -math.inf, 0.0, None, False
    owing_seconds = utilized = dollar_seconds = 0.0
    for stop in sorted(stops):
        if before is not None:
            elapsed, debt, use = stop - before[0], before[1], before[2]
            dollar_seconds += debt * elapsed if debt > 1 else 0
            owing_seconds += elapsed if debt > 1 else 0
            utilized += use * elapsed
            out["near_liquidation_days"] += elapsed / 86_400 if use >= 1 / 1.1 else 0
        for row in rows:
            if row["timestamp"] != stop:
                continue
            kind = row["event"]
            if kind == "liquidation":
                paid = row["debt_to_cover_float"] / 10 ** reserves[row["debt_asset"]].decimals
                taken = row["liquidated_collateral_amount_float"] / 10 ** reserves[row["collateral_asset"]].decimals
                owed[row["debt_asset"]] = max(0.0, owed[row["debt_asset"]] - paid)
                held[row["collateral_asset"]] = max(0.0, held[row["collateral_asset"]] - taken)
                out["liquidated_usd"] += paid * price(row["debt_asset"], stop)
                out["liquidation_count"] += 1
                continue
            amount = row["amount_float"] / 10 ** reserves[row["reserve"]].decimals
            book = held if kind in ("supply", "withdraw") else owed
            sign = 1 if kind in ("supply", "borrow") else -1
            book[row["reserve"]] = max(0.0, book[row["reserve"]] + sign * amount)
            out[f"{kind}_count"] += 1
            name = {"supply": "supplied_usd", "borrow": "borrowed_usd", "repay": "repaid_usd"}.get(kind)
            if name:
                out[name] += amount * price(row["reserve"], stop)
            repaid_at = stop if kind == "repay" else repaid_at
        worth = {asset: amount * price(asset, stop) for asset, amount in held.items()}
        debts = {asset: amount * price(asset, stop) for asset, amount in owed.items()}
        limit = sum(value * reserves[asset].liquidation_threshold for asset, value in worth.items())
        debt = sum(debts.values())
        use = 0.0 if debt <= 1 else min(2.0, debt / limit if limit else 2.0)
        if debt > 1 and (before is None or before[1] <= 1):
            spell = stop
        out["near_liquidation_count"] += use >= 1 / 1.1 and not near_before
        out["peak_utilization"] = max(out["peak_utilization"], use)
        near_before, before = use >= 1 / 1.1, (stop, debt, use)
    total = sum(worth.values())
    out["collateral_usd"], out["debt_usd"], out["utilization"] = total, debt, use
    out["mean_utilization"] = utilized / owing_seconds if owing_seconds else out["peak_utilization"]
    if total:
        out["collateral_stable_share"] = sum(v for a, v in worth.items() if reserves[a].stable) / total
        out["collateral_concentration"] = sum(v**2 for v in worth.values()) / total**2
    if debt:
        out["debt_stable_share"] = sum(v for a, v in debts.items() if reserves[a].stable) / debt
    if out["borrowed_usd"]:
        out["repaid_share"] = min(2.0, out["repaid_usd"] / out["borrowed_usd"])
        out["mean_loan_days"] = dollar_seconds / out["borrowed_usd"] / 86_400
    if debt > 1:
        out["open_loan_days"] = (TIME - spell) / 86_400
        out["repay_delay_days"] = (TIME - max(spell, repaid_at)) / 86_400
    return out


def test_features_equal_a_slow_reading_of_their_formulas(events: pl.DataFrame, prices: pl.DataFrame) -> None:
    fast, slow = features(events, prices), slow_features(events, prices)
    assert fast["wallet"].to_list() == sorted(slow)
    for name in NAMES:
        wanted = np.array([slow[wallet][name] for wallet in fast["wallet"]])
        np.testing.assert_allclose(fast[name].to_numpy(), wanted, rtol=1e-8, atol=1e-7, err_msg=name)
        assert len(set(wanted)) > 1, f"{name} does not vary in this test"


def test_no_feature_of_a_block_changes_when_later_events_and_prices_change(
    events: pl.DataFrame, prices: pl.DataFrame
) -> None:
    later = pl.col("block_number") > BLOCK
    other = pl.concat([events.filter(~later), made_events(40, 700, DAYS, seed=9).filter(later)])
    moved = prices.with_columns(price_usd=pl.when(later).then(pl.col("price_usd") * 3).otherwise("price_usd"))
    assert_frame_equal(features(events, prices), features(other, moved))
    end = {"block": DAYS * 7_200, "timestamp": START + DAYS * 86_400}
    assert not features(events, prices, **end).equals(features(other, moved, **end)), "the canary sees what changed"


def test_features_depend_neither_on_the_lots_nor_on_the_ranges_that_they_are_made_in(
    events: pl.DataFrame, prices: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    whole = features(events, prices, lots=1)
    monkeypatch.setattr("vaultkit.models.credit.features.SLICE_ROWS", 97)
    many = features(events, prices, lots=64, progress=lambda done, total: seen.append((done, total)))
    assert_frame_equal(whole, many)
    assert seen[-1] == (64, 64)


def test_no_event_gives_no_row(events: pl.DataFrame, prices: pl.DataFrame) -> None:
    assert features(events.clear(), prices).shape == (0, 1 + len(NAMES))


def test_what_would_make_a_wrong_feature_is_refused(events: pl.DataFrame, prices: pl.DataFrame) -> None:
    with pytest.raises(DataError, match="not among the reserves"):
        credit_features(events.lazy(), prices.lazy(), RESERVES[:2], block=BLOCK, timestamp=TIME)
    with pytest.raises(DataError, match="before the first price"):
        features(events, prices.filter(pl.col("block_number") > 20 * 7_200))
    with pytest.raises(DataError, match="after the moment"):
        features(events, prices, timestamp=START + 86_400)
    with pytest.raises(DataError, match="positive number"):
        features(events, prices.with_columns(price_usd=0.0))
    with pytest.raises(DataError, match="names no wallet"):
        features(events.with_columns(user=pl.lit(b"short"), on_behalf_of=pl.lit(b"short")), prices)
    with pytest.raises(DataError, match="not distinct"):
        credit_features(events.lazy(), prices.lazy(), RESERVES * 2, block=BLOCK, timestamp=TIME)
    with pytest.raises(DataError, match="lots or spacing"):
        features(events, prices, lots=0)
    with pytest.raises(DataError, match="a reserve cannot"):
        Reserve(b"\x01", 18, 0.8)


def test_every_feature_says_how_far_it_can_be_proven_and_by_what() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert {feature.provable for feature in CATALOGUE} == {"state", "counter", "research"}
    assert all(feature.how and feature.formula for feature in CATALOGUE)
    assert sum(len(features_of(kind)) for kind in ("state", "counter", "research")) == len(CATALOGUE)
    assert all(feature.name in catalogue_table() for feature in CATALOGUE)
