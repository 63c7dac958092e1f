"""Research bars against a loop over swaps, and their marking: what a contract cannot recompute says so in its name."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import pytest

from vaultkit.book import PoolBook
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.pool_reader import read_cumulatives
from vaultkit.coprocessor.bars import TickSeries
from vaultkit.coprocessor.index import index_pool
from vaultkit.coprocessor.moment import as_of
from vaultkit.coprocessor.research import BARS, NOT_PROVABLE, research_bars
from vaultkit.coprocessor.store import scan
from vaultkit.errors import DataError, RangeMissing

BAR = 300


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, chain: Devnet, pool: PoolBook) -> Path:
    folder = tmp_path_factory.mktemp("research") / "local"
    index_pool(chain.rpc, pool, folder)
    return folder


def test_bars_are_what_a_loop_over_swaps_counts(store: Path) -> None:
    swaps, series = scan(store, "uniswap_v3_swaps").collect(), TickSeries.from_store(store)
    bars = research_bars(swaps, series, BAR, volatility_bars=3)
    assert {name: str(kind) for name, kind in bars.schema.items()} == BARS
    assert bars.height > 100
    moves: list[int | None] = []
    tick = swaps["tick"][0]
    rows = iter(swaps.rows(named=True))
    row = next(rows)
    liquidity, since = 0, int(row["timestamp"])
    while row["timestamp"] <= bars["bar_end"][0] - BAR:
        tick, liquidity = row["tick"], int.from_bytes(row["liquidity"], "big")
        row = next(rows)
    for place, bar in enumerate(bars.rows(named=True)):
        squares, volume, count, area, since = 0, [0, 0], 0, 0, bar["bar_end"] - BAR
        while row is not None and row["timestamp"] <= bar["bar_end"]:
            squares += (row["tick"] - tick) ** 2
            amounts = [abs(int.from_bytes(row[name], "big", signed=True)) for name in ("amount0", "amount1")]
            volume = [sum(pair) for pair in zip(volume, amounts, strict=True)]
            count += any(amounts)
            area += liquidity * (row["timestamp"] - since)
            tick, liquidity, since = row["tick"], int.from_bytes(row["liquidity"], "big"), row["timestamp"]
            row = next(rows, None)
        area += liquidity * (bar["bar_end"] - since)
        assert bar["realized_volatility_not_provable"] == pytest.approx(math.sqrt(squares) * math.log(1.0001))
        assert [bar["volume0_not_provable"], bar["volume1_not_provable"]] == pytest.approx(volume, rel=1e-12)
        assert bar["swaps_not_provable"] == count
        assert bar["liquidity_not_provable"] == pytest.approx(area / BAR, rel=1e-12)
        moves.append(bar["move"])
        last = moves[-3:]
        if place < 3:
            assert bar["realized_volatility"] is None
        else:
            expected = math.sqrt(sum(move**2 for move in last if move is not None)) * math.log(1.0001)
            assert bar["realized_volatility"] == pytest.approx(expected)


def test_columns_without_the_mark_are_functions_of_what_the_pool_answers(
    store: Path, chain: Devnet, pool: PoolBook
) -> None:
    bars = research_bars(scan(store, "uniswap_v3_swaps"), TickSeries.from_store(store), BAR).tail(20)
    ends = bars["bar_end"].to_list()
    sums = read_cumulatives(chain.rpc, pool.pool, (ends[0] - BAR, *ends), chain.block_number())
    means = [(later - earlier) // BAR for earlier, later in pairwise(sums)]
    assert bars["tick_mean"].to_list() == means
    assert bars["move"].to_list()[1:] == [after - before for before, after in pairwise(means)]
    marked = {name for name in BARS if name.endswith(NOT_PROVABLE)}
    assert set(BARS) - marked == {"bar_end", "tick_mean", "move", "realized_volatility"}


def test_bars_of_a_moment_are_the_first_of_later_ones(store: Path, chain: Devnet) -> None:
    whole = as_of(store, chain.block_number()).bars(BAR)
    early = as_of(store, chain.block_number() - 200).bars(BAR)
    assert 0 < early.height < whole.height
    assert early.equals(whole.head(early.height))


def test_bars_that_cannot_be_made_are_refused(store: Path) -> None:
    swaps, series = scan(store, "uniswap_v3_swaps"), TickSeries.from_store(store)
    for wrong in ({"bar_seconds": 0}, {"bar_seconds": 60, "volatility_bars": 0}):
        with pytest.raises(DataError):
            research_bars(swaps, series, **wrong)
    with pytest.raises(RangeMissing, match="fill one bar"):
        research_bars(swaps, series, 10**7)
