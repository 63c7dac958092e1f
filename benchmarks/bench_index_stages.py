"""Where the time of verified extraction goes, a block of ten logs: of the node by method, and of ours by stage.

The node recovers the signer of a transaction whichever method serves its bytes, which is what proving hashes costs it.

Processor time, not time on the clock, so that other work disturbs it little; ours is the least of several
runs over the same bytes. What the stages add up to, over all cores, is what no arrangement of them can beat.

Usage: ``python benchmarks/bench_index_stages.py [BLOCKS]``
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench_index import markdown, node_seconds
from rich.console import Console
from swap_chain import FIRST, Shape, swap_chain

from vaultkit.chain.devnet import Devnet
from vaultkit.chain.hashing import keccak
from vaultkit.chain.header import Header, HeaderFields, verify_header
from vaultkit.chain.logs import LogColumns, LogFilter
from vaultkit.chain.opened import OpenedBlocks
from vaultkit.chain.receipts import UnreadReceipt, encode_receipt
from vaultkit.chain.transaction import Transactions, transaction_hashes
from vaultkit.coprocessor.chunk import HEADERS_A_BATCH, RECEIPTS_A_BATCH
from vaultkit.coprocessor.store import write_tables
from vaultkit.coprocessor.tables import EVENT_TABLES
from vaultkit.coprocessor.tables.blocks import blocks_frame
from vaultkit.coprocessor.tables.event import topics_of
from vaultkit.coprocessor.tables.logs import raw_logs
from vaultkit.settings import project_root

RESULTS = project_root() / "benchmarks" / "results" / "index_stages.md"
ROUNDS = 9


def spans(size: int, blocks: int) -> list[range]:
    return [range(start, min(start + size, FIRST + blocks)) for start in range(FIRST, FIRST + blocks, size)]


def raw_transactions(devnet: Devnet, hashes: list[str]) -> None:
    for start in range(0, len(hashes), RECEIPTS_A_BATCH):
        part = hashes[start : start + RECEIPTS_A_BATCH]
        devnet.rpc.batch([("eth_getRawTransactionByHash", [name]) for name in part])


def batches(devnet: Devnet, method: str, blocks: int, *rest: bool, kind: Any = None) -> list[list[Any]]:
    """Return what the node answers for every block, a batch at a time, plain or read into a type."""
    parts = spans(HEADERS_A_BATCH if rest == (False,) else RECEIPTS_A_BATCH, blocks)
    asked = [[(method, [hex(number), *rest]) for number in part] for part in parts]
    return [devnet.rpc.batch(calls) if kind is None else devnet.rpc.batch_as(calls, kind) for calls in asked]


def node_costs(devnet: Devnet, address: str, blocks: int) -> dict[str, float]:
    """Return the node's processor seconds for every block of the chain, by what it is asked."""
    hashes = [
        name
        for part in batches(devnet, "eth_getBlockByNumber", blocks, False)
        for block in part
        for name in block["transactions"]
    ]
    query = {"address": address, "fromBlock": hex(FIRST), "toBlock": hex(FIRST + blocks - 1)}
    asked: dict[str, Callable[[], Any]] = {
        "headers": lambda: batches(devnet, "eth_getBlockByNumber", blocks, False),
        "receipts": lambda: batches(devnet, "eth_getBlockReceipts", blocks),
        "whole transactions": lambda: batches(devnet, "eth_getBlockByNumber", blocks, True),
        "raw transactions instead, by hash": lambda: raw_transactions(devnet, hashes),
        "raw transactions instead, by place": lambda: [
            devnet.rpc.batch([("eth_getRawTransactionByBlockNumberAndIndex", [hex(n), "0x0"]) for n in part])
            for part in spans(RECEIPTS_A_BATCH, blocks)
        ],
        "`eth_getLogs`, all that the others read": lambda: devnet.rpc.call("eth_getLogs", [query]),
    }
    found = {}
    for name, ask in asked.items():
        before = node_seconds(devnet)
        for _ in range(3):
            ask()
        found[name] = (node_seconds(devnet) - before) / 3
    return found


def least(function: Callable[[], Any]) -> float:
    """Return the least processor seconds of several runs."""
    found = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        function()
        found.append(time.process_time() - begun)
    return min(found)


def rebuilt(headers: list[Header], answers: list[Any]) -> tuple[float, list[OpenedBlocks]]:
    """Return our processor seconds for rebuilding every root a batch at a time, and what comes of it."""
    starts = range(0, len(headers), RECEIPTS_A_BATCH)
    parts = [(headers[at : at + RECEIPTS_A_BATCH], answers[at : at + RECEIPTS_A_BATCH]) for at in starts]
    return least(lambda: [OpenedBlocks.read(*part) for part in parts]), [OpenedBlocks.read(*part) for part in parts]


def own_costs(devnet: Devnet, address: str, blocks: int) -> dict[str, float]:
    """Return our processor seconds for every block of the chain, by stage."""
    table = EVENT_TABLES["uniswap_v3_swaps"]
    heads = batches(devnet, "eth_getBlockByNumber", blocks, False, kind=HeaderFields)
    whole = batches(devnet, "eth_getBlockByNumber", blocks, True, kind=Transactions)
    fields = [item for part in heads for item in part]
    headers = [verify_header(item) for item in fields]
    calls = [("eth_getBlockReceipts", [hex(header.number)]) for header in headers]
    encoded = [encode_receipt(receipt) for part in devnet.rpc.batch(calls) for receipt in part]
    wanted = LogFilter.of([address], topics_of([table]))
    transactions = [item for part in whole for item in part]
    rebuilding, opened = devnet.rpc.batch_read(calls, list[UnreadReceipt], lambda answers: rebuilt(headers, answers))

    def columns() -> LogColumns:
        found = LogColumns()
        for part in opened:
            found.add(part, wanted)
        return found

    logs = columns()
    raw = raw_logs(logs)
    rows = table.transform(raw)
    frames = {"blocks": blocks_frame(headers, [True] * blocks), table.name: rows}

    def write() -> None:
        with tempfile.TemporaryDirectory() as folder:
            write_tables(Path(folder), FIRST, FIRST + blocks - 1, frames)

    def prove() -> None:
        for header, item in zip(headers, transactions, strict=True):
            transaction_hashes(item, header.transactions_root, header.number)

    def ask(method: str, *rest: bool, kind: Any = None) -> Callable[[], Any]:
        return lambda: batches(devnet, method, blocks, *rest, kind=kind)

    return {
        "headers: ask, receive, parse": least(ask("eth_getBlockByNumber", False, kind=HeaderFields)),
        "headers: RLP, keccak, link": least(lambda: [verify_header(item) for item in fields]),
        "headers: bloom": least(lambda: [wanted.may_be_in(header) for header in headers]),
        "receipts: ask, receive, parse": least(ask("eth_getBlockReceipts", kind=list[UnreadReceipt])),
        "receipts: cut out, RLP and trie, without keccak of leaves": rebuilding
        - (leaves := least(lambda: [keccak(item) for item in encoded])),
        "receipts: keccak of leaves": leaves,
        "logs: pick out": least(columns),
        "logs: into columns of bytes": least(lambda: raw_logs(logs)),
        "logs: decode": least(lambda: table.transform(raw)),
        "Parquet, sha256, commitment": least(write),
        "transactions: ask, receive, parse": least(ask("eth_getBlockByNumber", True, kind=Transactions)),
        "transactions: RLP, trie, keccak": least(prove),
    }


def main() -> None:
    blocks = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    shape = Shape(blocks, 1, 10)
    with swap_chain(shape) as (devnet, address):
        node, own = node_costs(devnet, address, blocks), own_costs(devnet, address, blocks)
    scale = 1e6 / blocks
    proof = {name for name in own if name.startswith("transactions")}
    ours = sum(seconds for name, seconds in own.items() if name not in proof)
    served = node["headers"] + node["receipts"]
    rows = [[name, f"{seconds * scale:.1f}", f"{seconds / ours:.0%}"] for name, seconds in own.items()]
    totals = {
        "hashes as the node says": (ours, served),
        "hashes proven": (sum(own.values()), served + node["whole transactions"]),
    }
    parts = [
        "# Where the indexer's time goes",
        "",
        f"Written by `benchmarks/bench_index_stages.py` on {blocks:,} blocks of ten logs: microseconds of",
        "processor time a block. Shares are of ours without the proof of transaction hashes.",
        "",
        markdown(("what the node serves", "us a block"), [[n, f"{s * scale:.0f}"] for n, s in node.items()]),
        "",
        markdown(("stage", "us a block", "share"), rows),
        "",
        markdown(
            ("extraction", "ours", "the node's", "both over two cores: the bound"),
            [[n, f"{a * scale:.0f}", f"{b * scale:.0f}", f"{(a + b) * scale / 2:.0f}"] for n, (a, b) in totals.items()],
        ),
        "",
    ]
    text = "\n".join(parts)
    RESULTS.write_text(text)
    Console().print(text)


if __name__ == "__main__":
    main()
