"""The window's definition, its hints and its refusals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vaultkit.errors import WindowError
from vaultkit.window import WindowSpec, encode_hints, find_hints, latest_closed_epoch

POOL = "0x" + "11" * 20


def spec(**changes):
    fields = {"pool": POOL, "bar_seconds": 300, "count": 4, "clip": 128, "sign": 1, "input_scale": 7}
    return WindowSpec(**{**fields, **changes})


def test_points_are_newest_first_and_two_more_than_inputs():
    times = spec().point_times(10_000)
    assert times == (10_000, 9_700, 9_400, 9_100, 8_800, 8_500)
    assert spec().lookback_seconds == 10_000 - 8_500


def test_means_round_toward_negative_infinity_before_the_sign():
    cumulatives = (-1, 0, 0, 0, 0, 0)
    assert spec().means(cumulatives) == (-1, 0, 0, 0, 0)
    assert spec().inputs(cumulatives) == (-1, 0, 0, 0)
    assert spec(sign=-1).inputs(cumulatives) == (1, 0, 0, 0)


def test_inputs_are_clipped_and_oriented():
    cumulatives = tuple(300 * value for value in (1000, 0, 0, 0, 0, 0))
    assert spec().inputs(cumulatives) == (128, 0, 0, 0)
    assert spec(sign=-1).inputs(cumulatives) == (-128, 0, 0, 0)


@pytest.mark.parametrize("count", [5, 7])
def test_a_window_is_never_shortened_or_lengthened(count):
    with pytest.raises(WindowError, match="wrong number of points"):
        spec().inputs((0,) * count)


@pytest.mark.parametrize(
    "changes", [{"count": 3}, {"count": 33}, {"clip": 0}, {"sign": 0}, {"bar_seconds": 0}, {"x": 1}]
)
def test_bad_specifications_are_refused(changes):
    with pytest.raises(ValidationError):
        spec(**changes)


@given(st.lists(st.integers(min_value=-887272, max_value=887272), min_size=6, max_size=6))
def test_inputs_stay_within_the_clip_bound(ticks):
    running, cumulatives = 0, []
    for tick in ticks:
        running += tick * 300
        cumulatives.append(running)
    assert all(abs(x) <= 128 for x in spec().inputs(tuple(reversed(cumulatives))))


@pytest.mark.parametrize("field", ["pool", "bar_seconds", "count", "clip", "sign", "input_scale"])
def test_every_field_enters_the_hash(field):
    other = {"pool": "0x" + "22" * 20, "bar_seconds": 60, "count": 5, "clip": 64, "sign": -1, "input_scale": 8}
    assert spec().spec_hash() != spec(**{field: other[field]}).spec_hash()


def test_an_epoch_is_closed_at_its_end():
    assert latest_closed_epoch(14_400 * 3, 14_400) == 3
    assert latest_closed_epoch(14_400 * 3 - 1, 14_400) == 2


def test_hints_point_at_the_last_observation_at_or_before():
    # ring of four, written 100 200 300 400, the newest in slot 1
    stamps = [300, 400, 100, 200]
    assert find_hints((450, 400, 399, 250, 100), stamps, 1, 460) == (1, 1, 0, 3, 2)


def test_hints_survive_the_wrap_of_32_bits():
    base = 2**32
    stamps = [(base - 50) % 2**32, (base + 50) % 2**32]
    assert find_hints((base + 60, base + 10), stamps, 1, base + 100) == (1, 0)


def test_hints_refuse_a_point_older_than_the_ring():
    with pytest.raises(WindowError, match="reach back"):
        find_hints((50,), [100, 200, None], 1, 300)


def test_encoded_hints_are_two_bytes_a_point():
    assert encode_hints((1, 258)) == b"\x00\x01\x01\x02"
    with pytest.raises(WindowError, match="16 bits"):
        encode_hints((65_536,))
