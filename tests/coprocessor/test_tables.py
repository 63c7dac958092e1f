"""Decoded tables against eth_abi, log by log: on recorded mainnet receipts where they are beside the checkout, on
made-up logs of every event, and on blocks of the local chain."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from eth_abi import decode, encode

from vaultkit.book import PoolBook
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.log_rows import encoded_logs
from vaultkit.chain.logs import LogColumns, LogPart
from vaultkit.chain.receipts import Log
from vaultkit.coprocessor.index import Index
from vaultkit.coprocessor.ranges import BlockRange
from vaultkit.coprocessor.tables import EVENT_TABLES, SCHEMAS
from vaultkit.coprocessor.tables.event import Event, EventTable
from vaultkit.coprocessor.tables.logs import raw_logs
from vaultkit.errors import UsageError

RECEIPTS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "receipts" / "mainnet_receipts.jsonl.gz"


def columns_of(logs: list[dict[str, Any]]) -> LogColumns:
    numbers = np.array([int(log.get("blockNumber", hex(place)), 16) for place, log in enumerate(logs)])
    indices = np.array([int(log.get("logIndex", "0x0"), 16) for log in logs])
    names = b"".join(bytes.fromhex(log.get("transactionHash", "0x" + "11" * 32)[2:]) for log in logs)
    hashes, one = np.frombuffer(names, dtype=np.uint8).reshape(len(logs), 32), np.ones(len(logs), dtype=np.int64)
    found = LogColumns()
    for shape, places, rows in encoded_logs([msgspec.convert(log, Log) for log in logs]):
        columns = (column[places] for column in (numbers, one, 0 * one, indices, hashes))
        found.parts[shape] = [LogPart(*columns, rows)]
    return found


def decoded(event: Event, log: dict[str, Any]) -> dict[str, Any] | None:
    """Return an event's values by column as eth_abi decodes them; None where the log is not of its shape."""
    topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
    data = bytes.fromhex(log["data"][2:])
    if not topics or topics[0] != event.topic0 or len(topics) != event.topic_count or len(data) != event.data_bytes:
        return None
    plain = iter(decode([item.kind for item in event.parameters if not item.indexed], data))
    words = iter(topics[1:])
    return {
        item.column: decode([item.kind], next(words))[0] if item.indexed else next(plain) for item in event.parameters
    }


def same(kind: str, found: Any, expected: Any) -> bool:
    if kind == "address":
        return f"0x{found.hex()}" == str(expected)
    if isinstance(found, bytes):
        return int.from_bytes(found, "big", signed=kind.startswith("int")) == expected
    return bool(found == expected)


def check(table: EventTable, logs: list[dict[str, Any]]) -> int:
    """Compare a table with eth_abi over logs in chain order and return the number of rows."""
    rows = table.transform(raw_logs(columns_of(logs))).rows(named=True)
    expected = [(event, values, log) for log in logs for event in table.events if (values := decoded(event, log))]
    assert len(rows) == len(expected)
    for row, (event, values, log) in zip(rows, expected, strict=True):
        assert f"0x{row['address'].hex()}" == log["address"].lower()
        assert row.get("event", event.label) == event.label
        for item in event.parameters:
            if event.label == "initialize" and item.column not in row:
                continue
            assert same(item.kind, row[item.column], values[item.column]), (table.name, item)
            if f"{item.column}_float" in row:
                assert row[f"{item.column}_float"] == pytest.approx(values[item.column], rel=1e-15)
    return len(rows)


@pytest.mark.skipif(not RECEIPTS.is_file(), reason="the recorded mainnet receipts are not beside the checkout")
def test_recorded_mainnet_logs_decode_as_eth_abi_decodes_them() -> None:
    with gzip.open(RECEIPTS) as file:
        logs = [log for line in file for log in json.loads(line)["receipt"]["logs"] if log["topics"]]
    logs = list({(log["blockNumber"], log["logIndex"]): log for log in logs}.values())
    logs.sort(key=lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16)))
    counts = {name: check(table, logs) for name, table in EVENT_TABLES.items()}
    assert counts["erc20_transfers"] > 500
    assert min(counts[name] for name in ("uniswap_v2_swaps", "uniswap_v3_swaps", "uniswap_v3_liquidity")) > 2
    assert min(counts[name] for name in ("aave_v2_events", "aave_v3_events", "compound_v2_events")) > 2
    assert counts["erc4626_events"] > 2


def made_log(event: Event, generator: random.Random, number: int) -> dict[str, Any]:
    def value(kind: str) -> Any:
        if kind == "address":
            return generator.randbytes(20)
        if kind == "bool":
            return generator.random() < 0.5
        bits = int(kind.lstrip("uint"))
        size = generator.randrange(bits + 1)
        if kind.startswith("u"):
            return generator.randrange(2**size)
        return generator.randrange(-(2 ** max(size - 1, 0)), 2 ** max(size - 1, 0))

    items = [(item, encode([item.kind], [value(item.kind)])) for item in event.parameters]
    return {
        "address": f"0x{generator.randbytes(20).hex()}",
        "topics": [f"0x{event.topic0.hex()}", *(f"0x{word.hex()}" for item, word in items if item.indexed)],
        "data": "0x" + b"".join(word for item, word in items if not item.indexed).hex(),
        "blockNumber": hex(number),
    }


@pytest.mark.parametrize("name", EVENT_TABLES)
def test_every_event_with_any_values_decodes_as_eth_abi_decodes_it(name: str) -> None:
    table, generator = EVENT_TABLES[name], random.Random(name)
    logs = [
        made_log(event, generator, 1 + 100 * place + number)
        for number in range(100)
        for place, event in enumerate(table.events)
        if event.label != "initialize"
    ]
    logs.sort(key=lambda log: int(log["blockNumber"], 16))
    assert check(table, logs) == len(logs)
    schema = table.transform(raw_logs(columns_of(logs))).schema
    assert {column: str(kind) for column, kind in schema.items()} == SCHEMAS[name]


@pytest.mark.parametrize("name", EVENT_TABLES)
def test_a_log_of_another_shape_is_not_a_row(name: str) -> None:
    table, generator = EVENT_TABLES[name], random.Random(1)
    for event in table.events:
        log = made_log(event, generator, 1)
        wrong = [{**log, "data": log["data"] + "00" * 32}, {**log, "topics": [*log["topics"], "0x" + "00" * 32][:4]}]
        if event.topic_count == 4:
            wrong[1] = {**log, "topics": log["topics"][:3]}
        dirty = next((item for item in event.parameters if item.kind == "address" and not item.indexed), None)
        if dirty is not None:
            place = [item for item in event.parameters if not item.indexed].index(dirty)
            at = 2 + 64 * place
            wrong.append({**log, "data": log["data"][:at] + "01" + log["data"][at + 2 :]})
        assert table.transform(raw_logs(columns_of([log]))).height == 1
        assert table.transform(raw_logs(columns_of(wrong))).is_empty()


def test_mint_of_a_pair_is_not_mint_of_a_ctoken() -> None:
    ctoken = EVENT_TABLES["compound_v2_events"]
    pair = Event("Mint(address indexed sender, uint256 amount0, uint256 amount1)", "mint")
    assert pair.topic0 in ctoken.topic0s
    assert ctoken.transform(raw_logs(columns_of([made_log(pair, random.Random(2), 1)]))).is_empty()


def test_transfers_liquidity_logs_and_receipts_of_the_local_chain(chain: Devnet, pool: PoolBook) -> None:
    span = BlockRange(0, 200)
    index = Index(chain.rpc, ["erc20_transfers", "uniswap_v3_liquidity", "logs", "receipts"])
    raw = chain.rpc.call("eth_getLogs", [{"fromBlock": "0x0", "toBlock": hex(200)}])
    logs = index.collect(span, "logs")
    assert logs.height == len(raw) > 300
    for name in ("erc20_transfers", "uniswap_v3_liquidity"):
        assert check(EVENT_TABLES[name], raw) == index.collect(span, name).height > 0
    names = [f"0x{digest.hex()}" for digest in logs["transaction_hash"]]
    assert names == [log["transactionHash"] for log in raw]
    receipts = index.collect(span, "receipts")
    blocks = chain.rpc.batch([("eth_getBlockReceipts", [hex(number)]) for number in range(201)])
    flat = [receipt for block in blocks for receipt in block]
    assert receipts["gas_used"].to_list() == [int(receipt["gasUsed"], 16) for receipt in flat]
    assert receipts["log_count"].sum() == logs.height
    contract = Contract(chain.rpc, pool.pool, load_abi("UniswapV3Pool"))
    mints = index.collect(span, "uniswap_v3_liquidity").filter(pl.col("event") == "mint").rows(named=True)
    events = [event for log in raw if (event := contract.decode_log(log)) and event.name == "Mint"]
    assert [int.from_bytes(row["liquidity"], "big") for row in mints] == [event.args["amount"] for event in events]
    assert [row["tick_lower"] for row in mints] == [event.args["tickLower"] for event in events]


@pytest.mark.parametrize(
    ("tables", "offered"), [(["erc20_transfer"], "erc20_transfers"), (["uniswap_swaps"], "uniswap_v3_swaps")]
)
def test_an_unknown_table_offers_the_nearest(chain: Devnet, tables: list[str], offered: str) -> None:
    with pytest.raises(UsageError, match=offered):
        Index(chain.rpc, tables)


def test_an_unknown_column_or_address_is_refused(chain: Devnet) -> None:
    with pytest.raises(UsageError, match="sender"):
        Index(chain.rpc, ["erc20_transfers"]).collect("1:2", columns=["sendr"])
    with pytest.raises(UsageError, match="20 bytes"):
        Index(chain.rpc, ["logs"], ["0x1234"])


def test_a_plan_says_what_would_be_called_and_fetches_little(chain: Devnet, pool: PoolBook) -> None:
    plan = Index(chain.rpc, ["uniswap_v3_swaps"], [pool.pool]).plan("0:300")
    assert (plan.first, plan.last, plan.blocks) == (0, 300, 301)
    assert 0 < plan.opened < 301
    assert plan.sampled <= 61
    assert plan.calls["eth_getBlockByNumber"] == 301
