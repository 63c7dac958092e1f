"""Every table of events out of blocks of a local chain and of mainnet, verified and then compared with eth_abi.

Uniswap V2 pairs, Aave V3, the ERC-4626 vault and ERC-20 tokens are the real contracts. Every event of every table, Aave
V2's and Compound's among them, is there with any values too, from a contract of a few bytes that logs what it is told.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import rlp
from eth_abi import encode
from eth_bloom import BloomFilter

from tests.coprocessor.test_tables import check, made_log
from tests.fixtures.portal import PORTAL, receipts_as_json
from tests.fixtures.vault import VaultSetup
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.hashing import keccak
from vaultkit.chain.header import Header
from vaultkit.chain.lending_cache import LendingManifest
from vaultkit.chain.logs import LogColumns, LogFilter
from vaultkit.chain.opened import OpenedBlocks
from vaultkit.coprocessor.index import Index
from vaultkit.coprocessor.moment import as_of
from vaultkit.coprocessor.tables import EVENT_TABLES
from vaultkit.coprocessor.tables.blocks import blocks_frame
from vaultkit.coprocessor.tables.logs import raw_logs
from vaultkit.coprocessor.tables.receipts import ReceiptRows
from vaultkit.settings import contracts_dir

PLACES = {"number": 8, "gas_used": 10, "timestamp": 11}
"""Where numbers stand in a header."""


def emitter(topics: int) -> str:
    """Return creation code of a contract that logs the call's data, its first words as topics."""
    skip = f"60{32 * topics:02x}"
    data = f"{skip}3603{skip}5f37"  # calldatacopy(0, skip, calldatasize - skip)
    words = "".join(f"60{32 * place:02x}35" for place in reversed(range(topics)))
    body = f"{data}{words}{skip}36035fa{topics}"
    return f"0x60{len(body) // 2:02x}8060095f395ff3{body}"


def raw_of(chain: Devnet, first: int, last: int) -> list[dict[str, Any]]:
    return list(chain.rpc.call("eth_getLogs", [{"fromBlock": hex(first), "toBlock": hex(last)}]))


def test_every_event_of_every_table_is_found_in_blocks_of_the_chain(chain: Devnet, snapshot: None) -> None:
    generator, sender = random.Random(3), chain.accounts()[3]
    first = chain.block_number() + 1
    creations = [
        chain.rpc.call("eth_sendTransaction", [{"from": sender, "data": emitter(topics), "gas": hex(10**6)}])
        for topics in range(1, 5)
    ]
    chain.mine()
    places = {
        topics: chain.rpc.call("eth_getTransactionReceipt", [digest])["contractAddress"]
        for topics, digest in enumerate(creations, start=1)
    }
    events = [event for table in EVENT_TABLES.values() for event in table.events for _ in range(3)]
    generator.shuffle(events)
    for number, event in enumerate(events):
        log = made_log(event, generator, 1)
        data = "".join(topic[2:] for topic in log["topics"]) + log["data"][2:]
        call = {"from": sender, "to": places[len(log["topics"])], "data": f"0x{data}", "gas": hex(10**6)}
        chain.rpc.call("eth_sendTransaction", [call])
        if number % 4 == 3:
            chain.mine()
    chain.mine()
    span = f"{first}:{chain.block_number()}"
    raw = raw_of(chain, first, chain.block_number())
    assert len(raw) == len(events)
    index = Index(chain.rpc, EVENT_TABLES, places.values(), compare_logs=True)
    for name, table in EVENT_TABLES.items():
        expected = sum(event.topic0 in table.topic0s for event in events)
        assert check(table, raw) == index.collect(span, name).height == expected, name


def test_swaps_of_a_real_pair_are_the_amounts_that_moved(vault: VaultSetup) -> None:
    build = contracts_dir() / "node_modules" / "@uniswap" / "v2-core" / "build"
    factory_code, pair_code = (
        json.loads((build / f"{name}.json").read_text()) for name in ("UniswapV2Factory", "UniswapV2Pair")
    )
    trader, first = vault.actors.trader, int(vault.rpc.call("eth_blockNumber"), 16) + 1
    code = factory_code["bytecode"].removeprefix("0x") + encode(["address"], [trader]).hex()
    place = vault.send(trader, None, f"0x{code}")["contractAddress"]
    factory = Contract(vault.rpc, place, factory_code["abi"])
    vault.transact(trader, factory, "createPair", vault.asset.address, vault.risk.address)
    pair = Contract(vault.rpc, factory.call("getPair", vault.asset.address, vault.risk.address), pair_code["abi"])
    tokens = sorted((vault.asset, vault.risk), key=lambda token: int(token.address, 16))
    for token, amount in ((vault.asset, 300_000 * 10**6), (vault.risk, 100 * 10**18)):
        vault.transact(trader, token, "transfer", pair.address, amount)
    vault.transact(trader, pair, "mint", trader)
    moved, sales = [], 0
    for sold in (0, 1, 0, 0, 1):
        reserves = pair.call("getReserves")[:2]
        amount = reserves[sold] // 1_000
        out = amount * 997 * reserves[1 - sold] // (reserves[sold] * 1_000 + amount * 997)
        sales += tokens[sold] is vault.risk
        vault.transact(trader, tokens[sold], "transfer", pair.address, amount)
        vault.transact(trader, pair, "swap", *((0, out) if sold == 0 else (out, 0)), trader, b"")
        moved.append((amount, 0, 0, out) if sold == 0 else (0, amount, out, 0))
    last = int(vault.rpc.call("eth_blockNumber"), 16)
    rows = Index(vault.rpc, ["uniswap_v2_swaps"], [pair.address]).collect(f"{first}:{last}").rows(named=True)
    names = ("amount0_in", "amount1_in", "amount0_out", "amount1_out")
    assert [tuple(int.from_bytes(row[name], "big") for name in names) for row in rows] == moved
    assert {f"0x{row['sender'].hex()}" for row in rows} == {trader.lower()}
    transfers = Index(vault.rpc, ["erc20_transfers"], [vault.risk.address]).collect(f"{first}:{last}")
    assert transfers.filter(pl.col("recipient") == bytes.fromhex(pair.address[2:])).height == 1 + sales


def test_deposits_of_the_real_vault_are_rows_with_assets_and_shares(vault: VaultSetup) -> None:
    first = int(vault.rpc.call("eth_blockNumber"), 16) + 1
    for actor, assets in ((vault.actors.alice, 5_000 * 10**6), (vault.actors.bob, 700 * 10**6)):
        vault.deposit(actor, assets)
    vault.transact(vault.actors.bob, vault.vault, "withdraw", 100 * 10**6, vault.actors.bob, vault.actors.bob)
    last = int(vault.rpc.call("eth_blockNumber"), 16)
    frame = Index(vault.rpc, ["erc4626_events"], [vault.vault.address]).collect(f"{first}:{last}")
    assert frame["event"].to_list() == ["deposit", "deposit", "withdraw"]
    assert [int.from_bytes(value, "big") for value in frame["assets"]] == [5_000 * 10**6, 700 * 10**6, 100 * 10**6]
    shares = [int.from_bytes(value, "big") for value in frame["shares"]]
    assert shares[1] - shares[2] == vault.vault.call("balanceOf", vault.actors.bob)


NAMES = {
    "Supply": "supply",
    "Withdraw": "withdraw",
    "Borrow": "borrow",
    "Repay": "repay",
    "LiquidationCall": "liquidation",
}


def test_events_of_the_real_aave_are_rows_with_their_amounts(
    lending: tuple[Devnet, LendingManifest], lending_store: Path
) -> None:
    devnet, manifest = lending
    frame = as_of(lending_store, manifest.block_number).scan("aave_v3_events").collect()
    pool = Contract(devnet.rpc, manifest.aave.pool, load_abi("Pool"))
    logs = devnet.rpc.call("eth_getLogs", [{"address": pool.address, "fromBlock": "0x0", "toBlock": "latest"}])
    events = [event for log in logs if (event := pool.decode_log(log)) is not None and event.name in NAMES]
    assert frame["event"].to_list() == [NAMES[event.name] for event in events]
    assert set(frame["event"]) == set(NAMES.values())
    amounts = [event.args.get("amount", event.args.get("debtToCover")) for event in events]
    found = [
        int.from_bytes(row["amount"] if row["amount"] is not None else row["debt_to_cover"], "big")
        for row in frame.rows(named=True)
    ]
    assert found == amounts
    assert check(EVENT_TABLES["aave_v3_events"], logs) == frame.height


def portal_blocks() -> Sequence[Path]:
    return sorted(PORTAL.glob("*.yaml"))


@pytest.mark.skipif(not portal_blocks(), reason="the real blocks are not beside this checkout")
def test_whole_blocks_of_mainnet_give_every_row_that_eth_abi_reads() -> None:
    counts = dict.fromkeys(EVENT_TABLES, 0)
    for path in portal_blocks():
        parts = dict(line.split(": 0x") for line in path.read_text().splitlines() if ": 0x" in line)
        encoded = bytes.fromhex(parts["header"])
        items = rlp.decode(encoded)
        numbers = {name: int.from_bytes(items[place], "big") for name, place in PLACES.items()}
        header = Header(
            hash=keccak(encoded),
            parent_hash=items[0],
            state_root=items[3],
            transactions_root=items[4],
            receipts_root=items[5],
            logs_bloom=int.from_bytes(items[6], "big"),
            base_fee_wei=int.from_bytes(items[15], "big") if len(items) > 15 else 0,
            **numbers,
        )
        answer = receipts_as_json(rlp.decode(bytes.fromhex(parts["receipts"])))
        named = [{**item, "transactionHash": f"0x{place:064x}"} for place, item in enumerate(answer)]
        opened = OpenedBlocks.read([header], [named])
        columns, rows = LogColumns(), ReceiptRows()
        columns.add(opened, LogFilter())
        rows.add(opened)
        raw = [
            {**log, "blockNumber": hex(header.number), "logIndex": hex(place)}
            for place, log in enumerate(log for item in answer for log in item["logs"])
        ]
        frame = raw_logs(columns)
        assert frame.height == len(raw)
        assert frame["log_index"].to_list() == list(range(len(raw)))
        bloom = BloomFilter.from_iterable(
            bytes.fromhex(item[2:]) for log in raw for item in (log["address"], *log["topics"])
        )
        assert int(bloom) == header.logs_bloom
        receipt_rows = rows.frame()
        assert receipt_rows["cumulative_gas_used"].max() == header.gas_used == receipt_rows["gas_used"].sum()
        assert receipt_rows["log_count"].sum() == len(raw)
        block = blocks_frame([header], [True]).row(0, named=True)
        assert (block["block_number"], block["block_hash"]) == (header.number, header.hash)
        for name, table in EVENT_TABLES.items():
            assert table.transform(frame).height == check(table, [log for log in raw if log["topics"]])
            counts[name] += table.transform(frame).height
    assert counts["erc20_transfers"] > 500
    assert min(counts["uniswap_v2_swaps"], counts["uniswap_v3_swaps"]) > 50
