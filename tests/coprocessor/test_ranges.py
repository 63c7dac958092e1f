from __future__ import annotations

import pytest

from vaultkit.chain.devnet import Devnet
from vaultkit.chain.header import fetch_headers
from vaultkit.coprocessor.ranges import BlockRange, block_at, parse_range, resolve_range
from vaultkit.errors import RangeMissing, UsageError


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("19M:+50k", 19_000_000, 19_049_999),
        ("-1000:latest", 19_999_001, 20_000_000),
        ("17034870", 17_034_870, 17_034_870),
        (":2M", 0, 2_000_000),
        ("19M:", 19_000_000, 20_000_000),
        ("1.5k:2k", 1_500, 2_000),
        ("1_000:+1", 1_000, 1_000),
        ("latest", 20_000_000, 20_000_000),
    ],
)
def test_a_range_is_what_people_write(text: str, first: int, last: int) -> None:
    assert parse_range(text, latest=20_000_000) == BlockRange(first, last)


@pytest.mark.parametrize(
    "text", ["5:4", "", "a:b", "1:2:3", "-5:-9", "5:+0", "1.5", "2024-01-01", "10:x", "--5:latest"]
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_range(text, latest=1_000, block_at=lambda moment: 7)


def test_dates_are_searched_among_headers(chain: Devnet) -> None:
    latest = chain.block_number()
    header = fetch_headers(chain.rpc, [100])[0]
    assert block_at(chain.rpc, header.timestamp, latest) == 100
    assert block_at(chain.rpc, header.timestamp + 1, latest) == 101
    assert block_at(chain.rpc, 2**40, latest) == latest + 1
    assert resolve_range(chain.rpc, "1970-01-02:latest") == BlockRange(0, latest)


def test_a_range_after_the_newest_block_is_not_there_yet(chain: Devnet) -> None:
    with pytest.raises(RangeMissing):
        resolve_range(chain.rpc, "0:+9M")
