"""A panel's rows are borrowers, its labels what happened after and within the horizon, and its split leaks no label."""

from __future__ import annotations

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.fixtures.lending import BLOCK_SECONDS, RESERVES, START, made_events, made_prices
from vaultkit.errors import DataError
from vaultkit.models.credit.panel import liquidated_within, out_of_time, panel

DAYS, HORIZON = 120, 20
MOMENTS = [(day * 86_400 // BLOCK_SECONDS, START + day * 86_400) for day in (30, 50, 70, 90)]
END = START + DAYS * 86_400


@pytest.fixture(scope="module")
def events() -> pl.DataFrame:
    return made_events(60, 2_000, DAYS, seed=3)


@pytest.fixture(scope="module")
def rows(events: pl.DataFrame) -> pl.DataFrame:
    prices = made_prices(DAYS).lazy()
    return panel(events.lazy(), prices, RESERVES, MOMENTS, horizon_days=HORIZON, known_until=END)


def test_labels_are_liquidations_after_the_moment_and_within_the_horizon(
    events: pl.DataFrame, rows: pl.DataFrame
) -> None:
    times: dict[bytes, list[int]] = {}
    for row in events.filter(pl.col("event") == "liquidation").iter_rows(named=True):
        times.setdefault(row["user"], []).append(row["timestamp"])
    for wallet, time, label in rows.select("wallet", "time", "label").iter_rows():
        assert label == any(time < moment <= time + HORIZON * 86_400 for moment in times.get(wallet, []))
    assert 0 < rows["label"].mean() < 1  # type: ignore[operator]
    assert rows["debt_usd"].min() > 1  # type: ignore[operator]


def test_a_liquidation_in_the_second_of_the_moment_or_after_the_horizon_is_no_label(events: pl.DataFrame) -> None:
    one = events.filter(pl.col("event") == "liquidation").head(1)
    moment = int(one["timestamp"].item())
    for timestamp, found in ((moment, 0), (moment - 1, 1), (moment - 86_400, 1), (moment - 86_401, 0)):
        assert liquidated_within(one.lazy(), timestamp=timestamp, horizon_days=1).height == found


def test_no_label_of_training_rows_is_decided_after_the_split(rows: pl.DataFrame) -> None:
    split = MOMENTS[2][1]
    train, test = out_of_time(rows, split=split, horizon_days=HORIZON)
    assert train["time"].unique().to_list() == [MOMENTS[0][1], MOMENTS[1][1]]
    assert test["time"].min() == split
    later, _ = out_of_time(rows, split=split - 1, horizon_days=HORIZON)
    assert later["time"].unique().to_list() == [MOMENTS[0][1]], "a label that ends a second late is left out"


def test_features_of_a_panel_know_nothing_of_its_labels(events: pl.DataFrame, rows: pl.DataFrame) -> None:
    kept = events.filter((pl.col("event") != "liquidation") | (pl.col("timestamp") <= MOMENTS[0][1]))
    prices = made_prices(DAYS).lazy()
    blind = panel(kept.lazy(), prices, RESERVES, MOMENTS[:1], horizon_days=HORIZON, known_until=END)
    assert blind["label"].sum() == 0
    assert_frame_equal(blind.drop("label"), rows.filter(pl.col("time") == MOMENTS[0][1]).drop("label"))


def test_a_horizon_beyond_what_is_known_is_refused(events: pl.DataFrame) -> None:
    prices = made_prices(DAYS).lazy()
    with pytest.raises(DataError, match="not known yet"):
        panel(events.lazy(), prices, RESERVES, MOMENTS, horizon_days=31, known_until=END)
    with pytest.raises(DataError, match="no moments"):
        panel(events.lazy(), prices, RESERVES, [], horizon_days=31, known_until=END)
