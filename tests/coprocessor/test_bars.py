from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.market import Market
from vaultkit.chain.pool_reader import block_timestamp, read_cumulatives, read_hints, read_window
from vaultkit.coprocessor.bars import TickSeries
from vaultkit.coprocessor.index import index_pool
from vaultkit.coprocessor.store import scan
from vaultkit.coprocessor.tables.event import signed_float
from vaultkit.errors import DataError, RangeMissing, WindowError
from vaultkit.window import WindowSpec

BAR = 300


@pytest.fixture(scope="module", params=["market", "reversed_market"])
def either(request: pytest.FixtureRequest) -> Market:
    """A market in either token order, with some live blocks whose states can be asked."""
    market: Market = request.getfixturevalue(request.param)
    for _ in range(60):
        market.step()
    return market


@pytest.fixture(scope="module")
def store(either: Market, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "local"
    index_pool(either.devnet.rpc, either.book, folder)
    return folder


@pytest.fixture(scope="module")
def series(store: Path) -> TickSeries:
    return TickSeries.from_store(store)


@pytest.fixture
def spec(either: Market) -> WindowSpec:
    return WindowSpec(
        pool=either.book.pool,
        bar_seconds=BAR,
        count=16,
        clip=128,
        sign=1 if either.book.risk_is_token0 else -1,
        input_scale=7,
    )


def reach(market: Market, block: int) -> int:
    """Return the timestamp of the pool's oldest observation at a block."""
    contract = Contract(market.devnet.rpc, market.book.pool, load_abi("UniswapV3Pool"))
    slot0 = contract.call("slot0", block=block)
    oldest = contract.call("observations", (slot0[2] + 1) % slot0[3], block=block)
    return int(oldest[0] if oldest[3] else contract.call("observations", 0, block=block)[0])


@pytest.mark.parametrize("blocks_ago", [0, 1, 20, 45])
def test_cumulatives_equal_pool_observe_bit_for_bit_at_random_times(
    either: Market, series: TickSeries, blocks_ago: int
) -> None:
    block = either.devnet.block_number() - blocks_ago
    now = block_timestamp(either.devnet.rpc, block)
    random_times = random.Random(blocks_ago).sample(range(reach(either, block), now + 1), 500)
    times = (now, *random_times)
    assert read_cumulatives(either.devnet.rpc, either.book.pool, times, block) == tuple(
        series.cumulatives(times).tolist()
    )


def test_cumulatives_equal_pool_observe_at_every_point_of_the_grid(either: Market, series: TickSeries) -> None:
    block = either.devnet.block_number()
    now = block_timestamp(either.devnet.rpc, block)
    first = -(-reach(either, block) // BAR) * BAR
    times = tuple(range(first, now + 1, BAR))
    assert len(times) > 100
    assert read_cumulatives(either.devnet.rpc, either.book.pool, times, block) == tuple(
        series.cumulatives(times).tolist()
    )


def test_cumulatives_equal_pool_observe_at_and_around_every_swap(either: Market, series: TickSeries) -> None:
    block = either.devnet.block_number()
    now, oldest = block_timestamp(either.devnet.rpc, block), reach(either, block)
    swaps = [int(time) for time in series.times[-100:]]
    times = tuple(time for swap in swaps for time in (swap - 1, swap, swap + 1) if oldest <= time <= now)
    assert read_cumulatives(either.devnet.rpc, either.book.pool, times, block) == tuple(
        series.cumulatives(times).tolist()
    )


def test_the_series_is_the_pools_own_since_its_initialization(series: TickSeries) -> None:
    assert series.absolute
    assert series.cumulatives(series.start_time) == 0


def test_windows_equal_what_the_pool_answers(either: Market, series: TickSeries, spec: WindowSpec) -> None:
    block = either.devnet.block_number()
    now = block_timestamp(either.devnet.rpc, block)
    ends = list(range(now - 6_000, now + 1, 311))
    asked = [list(spec.inputs(read_window(either.devnet.rpc, spec, end, block))) for end in ends]
    assert series.windows(spec, ends).tolist() == asked
    assert any(any(row) for row in asked)


def test_windows_clip_and_turn_like_the_specification(series: TickSeries, spec: WindowSpec) -> None:
    narrow = spec.model_copy(update={"clip": 3, "sign": -spec.sign, "count": 5})
    ends = np.arange(series.start_time + 6 * BAR, series.end_time, 777)
    expected = [list(narrow.inputs(series.cumulatives(narrow.point_times(int(end))).tolist())) for end in ends]
    found = series.windows(narrow, ends)
    assert found.tolist() == expected
    assert found.dtype == np.int64
    assert (np.abs(found) == 3).any()


def test_a_relative_series_gives_the_same_windows(store: Path, series: TickSeries, spec: WindowSpec) -> None:
    later = TickSeries.from_swaps(scan(store, "uniswap_v3_swaps").slice(50), end_time=series.end_time)
    assert not later.absolute
    ends = np.arange(later.start_time + spec.lookback_seconds, later.end_time, 501)
    assert np.array_equal(later.windows(spec, ends), series.windows(spec, ends))
    times = np.arange(later.start_time, later.end_time, 97)
    assert len(set((series.cumulatives(times) - later.cumulatives(times)).tolist())) == 1


def test_the_tick_is_that_of_slot0_at_each_block(either: Market, series: TickSeries) -> None:
    head = either.devnet.block_number()
    contract = Contract(either.devnet.rpc, either.book.pool, load_abi("UniswapV3Pool"))
    blocks = range(head - 40, head + 1)
    times = [block_timestamp(either.devnet.rpc, block) for block in blocks]
    assert series.tick_at(times).tolist() == [contract.call("slot0", block=block)[1] for block in blocks]


def test_a_window_outside_the_data_is_refused_not_shortened(series: TickSeries, spec: WindowSpec) -> None:
    series.windows(spec, [series.start_time + spec.lookback_seconds, series.end_time])
    for end in (series.start_time + spec.lookback_seconds - 1, series.end_time + 1):
        with pytest.raises(RangeMissing):
            series.windows(spec, [end])
    with pytest.raises(RangeMissing):
        series.tick_at(series.start_time - 1)


def test_hints_point_at_the_observation_at_or_before_each_point(either: Market, spec: WindowSpec) -> None:
    rpc, block = either.devnet.rpc, either.devnet.block_number()
    end = block_timestamp(rpc, block) - 600
    hints = read_hints(rpc, spec, end, block)
    contract = Contract(rpc, either.book.pool, load_abi("UniswapV3Pool"))
    slot0 = contract.call("slot0", block=block)
    for point, index in zip(spec.point_times(end), hints, strict=True):
        assert contract.call("observations", index, block=block)[0] <= point
        if index != slot0[2]:
            assert contract.call("observations", (index + 1) % slot0[3], block=block)[0] > point


def test_hints_and_windows_beyond_the_pools_memory_are_refused(either: Market, spec: WindowSpec) -> None:
    rpc, block = either.devnet.rpc, either.devnet.block_number()
    early = reach(either, block) + spec.lookback_seconds - 1
    for read in (read_window, read_hints):
        read(rpc, spec, early + 1, block)
        with pytest.raises(WindowError):
            read(rpc, spec, early, block)


def test_a_window_in_the_future_of_its_block_is_refused(either: Market, spec: WindowSpec) -> None:
    rpc, block = either.devnet.rpc, either.devnet.block_number()
    with pytest.raises(WindowError, match="future"):
        read_window(rpc, spec, block_timestamp(rpc, block) + 1, block)


def frame(rows: list[tuple[int, int]], **columns: list[object]) -> pl.DataFrame:
    base = {
        "timestamp": [time for time, _ in rows],
        "tick": [tick for _, tick in rows],
        "liquidity": [bytes(31) + b"\x01"] * len(rows),
        "amount0_float": [1.0] * len(rows),
        "amount1_float": [-1.0] * len(rows),
    }
    return pl.DataFrame({**base, **columns})


def test_the_last_swap_of_a_block_counts_and_negative_means_are_floored() -> None:
    series = TickSeries.from_swaps(frame([(100, 7), (100, -5), (110, -6), (130, 2)]), end_time=200)
    assert series.tick_at([100, 109, 110, 129, 130, 200]).tolist() == [-5, -5, -6, -6, 2, 2]
    assert series.cumulatives([100, 105, 110, 130, 200]).tolist() == [0, -25, -50, -170, -30]
    spec = WindowSpec(pool="0x" + "11" * 20, bar_seconds=3, count=4, clip=100, sign=1, input_scale=0)
    assert series.windows(spec, [121]).tolist() == [[0, 0, 0, -17 // 3 - (-15 // 3)]] == [[0, 0, 0, -1]]


@pytest.mark.parametrize(
    "bad",
    [
        frame([]),
        frame([(100, 1), (99, 2)]),
        frame([(100, 1)], tick=[None]),
        frame([(100, 1)], timestamp=[None]),
        frame([(100, 1), (101, 2)], address=[bytes(20), bytes(19) + b"\x01"]),
    ],
)
def test_rows_that_make_no_series_are_refused(bad: pl.DataFrame) -> None:
    with pytest.raises(DataError):
        TickSeries.from_swaps(bad)


def test_a_series_cannot_end_before_its_last_swap() -> None:
    with pytest.raises(DataError):
        TickSeries.from_swaps(frame([(100, 1)]), end_time=99)


def test_signed_words_become_the_nearest_floats() -> None:
    generator = random.Random(5)
    values = [0, 1, -1, 2**255 - 1, -(2**255), 2**64, -(2**64), 2**128 - 1, -(2**128) + 1]
    values += [generator.randrange(-(2**bits), 2**bits) for bits in range(1, 255) for _ in range(4)]
    words = pl.DataFrame({"word": [value.to_bytes(32, "big", signed=True) for value in values]})
    floats = words.select(signed_float(pl.col("word"))).to_series().to_list()
    assert floats == pytest.approx([float(value) for value in values], rel=4e-16)
