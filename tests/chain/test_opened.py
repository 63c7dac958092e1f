"""Receipts cut out of their text against receipts read as JSON: the same logs, whatever a node writes."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from vaultkit.chain.devnet import Devnet
from vaultkit.chain.header import Header, fetch_headers
from vaultkit.chain.log_rows import cut_logs, encoded_logs, joined_logs
from vaultkit.chain.opened import OpenedBlocks
from vaultkit.chain.receipts import Log, UnreadReceipt, encode_with_logs, log_text, logs_bloom, receipts_root
from vaultkit.chain.trie import ordered_root
from vaultkit.errors import ReceiptsMismatch

Write = Callable[[Any], bytes]


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def made_logs(seed: int, count: int) -> list[dict[str, Any]]:
    """Return logs of many shapes, single bytes that stand for themselves and long data among them."""
    draw = random.Random(seed)
    return [
        {
            "address": f"0x{draw.randbytes(20).hex()}",
            "topics": [f"0x{draw.randbytes(32).hex()}" for _ in range(draw.randrange(5))],
            "data": f"0x{draw.randbytes(draw.choice([0, 1, 1, 2, 32, 55, 56, 64, 160, 300, 9_000])).hex()}",
            "blockNumber": hex(draw.randrange(1_000)),
            "logIndex": hex(place),
        }
        for place in range(count)
    ]


def raw(logs: list[Any], write: Write = compact) -> list[msgspec.Raw]:
    return msgspec.json.decode(write(logs), type=list[msgspec.Raw])


def in_order(logs: list[dict[str, Any]], write: Write = compact) -> list[bytes]:
    groups = cut_logs(raw(logs, write))
    assert groups is not None
    return joined_logs(groups, [1] * len(logs))


def as_hashed(logs: list[dict[str, Any]]) -> list[bytes]:
    return [bytes.fromhex(log_text(msgspec.convert(log, Log))) for log in logs]


@pytest.mark.parametrize("seed", range(8))
def test_logs_that_were_cut_out_are_those_that_were_read(seed: int) -> None:
    logs = made_logs(seed, 60)
    assert in_order(logs) == as_hashed(logs)
    read = joined_logs(encoded_logs([msgspec.convert(log, Log) for log in logs]), [1] * len(logs))
    assert read == as_hashed(logs)


def test_logs_whose_keys_stand_in_another_order_are_cut_out_too() -> None:
    logs = made_logs(9, 20)
    turned = [dict(reversed(log.items())) for log in logs]
    mixed = [new if place % 3 else old for place, (old, new) in enumerate(zip(logs, turned, strict=True))]
    assert in_order(mixed) == as_hashed(logs)


def test_capital_letters_are_the_same_bytes() -> None:
    logs = made_logs(10, 20)
    loud = [{**log, "address": "0x" + log["address"][2:].upper()} for log in logs]
    assert in_order(loud) == as_hashed(logs)


def test_shapes_give_back_every_field() -> None:
    logs = made_logs(11, 60)
    groups = cut_logs(raw(logs))
    assert groups is not None
    assert sorted(place for group in groups for place in group.places.tolist()) == list(range(60))
    for shape, places, rows in groups:
        topics = [shape.topic(rows, place) for place in range(shape.topics)]
        for row, place in enumerate(places.tolist()):
            log = logs[place]
            assert f"0x{shape.address(rows)[row].tobytes().hex()}" == log["address"]
            assert [f"0x{topic[row].tobytes().hex()}" for topic in topics] == log["topics"]
            assert f"0x{shape.data(rows)[row].tobytes().hex()}" == log["data"]


@pytest.mark.parametrize(
    "change",
    [
        {"address": "0x12"},
        {"topics": ["0x12"]},
        {"topics": [f"0x{'11' * 32}"] * 5},
        {"data": "0x123"},
        {"data": "0x 1"},
        {"data": f"0x{'zz' * 32}"},
        {"data": f"0x{'1 ' * 32}"},
        {"address": f"0x{'g' * 40}"},
    ],
)
def test_a_log_that_is_none_is_not_cut_out(change: dict[str, Any]) -> None:
    logs = made_logs(12, 5)
    assert cut_logs(raw([*logs, {**logs[0], **change}])) is None
    assert cut_logs(raw([{**logs[0], **change}])) is None


def test_text_with_blanks_is_read_as_json_instead() -> None:
    logs = made_logs(13, 5)
    assert cut_logs(raw(logs, lambda value: json.dumps(value).encode())) is None


def blocks_of(chain: Devnet) -> tuple[list[Header], list[Any]]:
    headers = fetch_headers(chain.rpc, range(1, 61))
    answers = chain.rpc.batch([("eth_getBlockReceipts", [hex(header.number)]) for header in headers])
    assert sum(bool(receipt["logs"]) for receipts in answers for receipt in receipts) > 5
    return headers, answers


def unread(answers: list[Any], write: Write = compact) -> list[Any]:
    return msgspec.json.decode(write(answers), type=list[list[UnreadReceipt]])


def rows_of(opened: OpenedBlocks) -> list[tuple[int, bytes]]:
    pairs = (pair for _, places, rows in opened.logs for pair in zip(places.tolist(), rows, strict=True))
    return sorted((place, row.tobytes()) for place, row in pairs)


def test_blocks_open_alike_however_their_receipts_are_written(chain: Devnet) -> None:
    headers, answers = blocks_of(chain)
    ways: list[list[Any]] = [answers, unread(answers), unread(answers, lambda value: json.dumps(value).encode())]
    plain, *others = [OpenedBlocks.read(headers, way) for way in ways]
    for opened in others:
        assert rows_of(opened) == rows_of(plain)
        assert opened.log_counts == plain.log_counts
        assert [len(receipts) for receipts in opened.receipts] == [len(receipts) for receipts in plain.receipts]


@pytest.mark.parametrize("way", [unread, list])
@pytest.mark.parametrize("field", ["address", "topics", "data"])
def test_a_changed_log_is_found_however_it_is_read(chain: Devnet, way: Callable[[Any], Any], field: str) -> None:
    headers, answers = blocks_of(chain)
    every = ((place, log) for place, receipts in enumerate(answers) for receipt in receipts for log in receipt["logs"])
    block, log = next((place, log) for place, log in every if len(log["data"]) > 2)
    old = log[field][0] if field == "topics" else log[field]
    new = old[:-1] + ("0" if old[-1] != "0" else "1")
    log[field] = [new, *log[field][1:]] if field == "topics" else new
    with pytest.raises(ReceiptsMismatch, match=f"block {headers[block].number}"):
        OpenedBlocks.read(headers, way(answers))


@pytest.mark.parametrize("way", [unread, list])
def test_a_log_that_is_left_out_is_found_however_it_is_read(chain: Devnet, way: Callable[[Any], Any]) -> None:
    headers, answers = blocks_of(chain)
    next(receipts for receipts in answers if receipts and receipts[0]["logs"])[0]["logs"].pop()
    with pytest.raises(ReceiptsMismatch):
        OpenedBlocks.read(headers, way(answers))


def test_receipts_without_a_bloom_open_too(chain: Devnet) -> None:
    headers, answers = blocks_of(chain)
    bare = [[{**receipt, "logsBloom": None} for receipt in receipts] for receipts in answers]
    assert rows_of(OpenedBlocks.read(headers, unread(bare))) == rows_of(OpenedBlocks.read(headers, answers))


def test_a_receipt_around_cut_logs_is_the_receipt_that_was_read() -> None:
    logs = made_logs(14, 12)
    bloom = f"0x{logs_bloom(logs):0512x}"
    fields = {"type": "0x2", "status": "0x1", "cumulativeGasUsed": "0x5208", "logs": logs, "logsBloom": bloom}
    [[receipt]] = unread([[fields]])
    whole = encode_with_logs(receipt, b"".join(in_order(logs)))
    assert ordered_root([whole]) == receipts_root([fields])
