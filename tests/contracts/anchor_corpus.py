"""Honest proofs to begin from: of the local Aave, of made tries, and of mainnet's blocks where they are there."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Final

import rlp
from trie import HexaryTrie

from tests.contracts.anchor_cases import Case
from tests.fixtures.portal import portal_blocks
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.hashing import keccak
from vaultkit.chain.header import fetch_headers
from vaultkit.chain.lending_cache import LendingManifest
from vaultkit.chain.past import fetch_log_proof
from vaultkit.chain.receipts import encode_receipt
from vaultkit.chain.state import fetch_storage, verify_account
from vaultkit.chain.trie import ordered_proof, ordered_root

VECTORS: Final = Path(__file__).resolve().parents[1] / "vectors"


def aave_cases(devnet: Devnet, manifest: LendingManifest, logs: int) -> list[Case]:
    """Return proofs of the local Aave: its events anywhere, its accounts and slots at the newest block."""
    aave = manifest.aave
    wanted = {"fromBlock": hex(aave.from_block), "toBlock": "latest", "address": aave.pool}
    found = random.Random(5).sample(devnet.rpc.call("eth_getLogs", [wanted]), logs)
    cases = []
    for log in found:
        proof = fetch_log_proof(devnet.rpc, int(log["blockNumber"], 16), int(log["logIndex"], 16))
        root = bytes(rlp.decode(proof.header)[5])
        cases.append(Case("log", root, proof.transaction_index, proof.nodes, proof.log_index))
    header = fetch_headers(devnet.rpc, [devnet.block_number()])[0]
    people = [*aave.tokens, aave.pool, aave.oracle, *manifest.habits, "0x" + "5a" * 20, "0x" + "a5" * 20]
    for address in people:
        proven = fetch_storage(devnet.rpc, header, address, range(60, 66))
        cases.append(Case("account", header.state_root, address, proven.account_nodes))
        root = proven.account.storage_root
        cases += [Case("slot", root, slot, nodes) for slot, nodes in proven.slot_nodes.items()]
    return cases


def made_cases(seed: int, count: int) -> list[Case]:
    """Return proofs of a made state trie, of its accounts' storage, and of a made block's receipts of every type."""
    g = random.Random(seed)
    storage, state = HexaryTrie({}, prune=False), HexaryTrie({}, prune=False)
    slots = [g.getrandbits(g.choice([4, 256])) for _ in range(count)]
    for slot in slots:
        storage[keccak(slot.to_bytes(32, "big"))] = rlp.encode(g.getrandbits(g.choice([3, 8, 64, 256])) + 1)
    people = [f"0x{g.randbytes(20).hex()}" for _ in range(count)]
    for address in people:
        fields = [
            g.getrandbits(g.choice([1, 20])),
            g.getrandbits(g.choice([1, 90])),
            storage.root_hash,
            g.randbytes(32),
        ]
        state[keccak(bytes.fromhex(address[2:]))] = rlp.encode(fields)
    cases = []
    for slot in [*slots, *(g.getrandbits(256) for _ in range(count))]:
        cases.append(Case("slot", storage.root_hash, slot, _nodes(storage, keccak(slot.to_bytes(32, "big")))))
    for address in [*people, *(f"0x{g.randbytes(20).hex()}" for _ in range(count // 4))]:
        cases.append(Case("account", state.root_hash, address, _nodes(state, keccak(bytes.fromhex(address[2:])))))
    return cases + _receipt_cases([_made_receipt(g) for _ in range(count)], g, count)


def mainnet_cases(logs_a_block: int) -> list[Case]:
    """Return proofs of logs of mainnet's blocks, of 2022 to 2025."""
    g, cases = random.Random(11), []
    for _, _, receipts in portal_blocks():
        cases += _receipt_cases([encode_receipt(receipt) for receipt in receipts], g, logs_a_block)
    return cases


def weth_cases() -> list[Case]:
    """Return the proofs of mainnet's WETH and of its decimals at block 19,000,000, in a file of these tests."""
    known = json.loads((VECTORS / "mainnet_weth_19000000.json").read_text())
    root, address = bytes.fromhex(known["state_root"][2:]), known["address"]
    account, slot = ([bytes.fromhex(node[2:]) for node in known[f"{name}_proof"]] for name in ("account", "storage"))
    storage = verify_account(root, address, account).storage_root
    return [Case("account", root, address, tuple(account)), Case("slot", storage, known["slot"], tuple(slot))]


def _receipt_cases(values: list[bytes], g: random.Random, count: int) -> list[Case]:
    root, cases = ordered_root(values), []
    for index in g.sample(range(len(values)), min(count, len(values))):
        logs = rlp.decode(values[index][values[index][0] < 0xC0 :])[3]
        nodes = tuple(ordered_proof(values, index))
        cases.append(Case("log", root, index, nodes, g.randrange(len(logs)) if logs else 0))
    return cases


def _made_receipt(g: random.Random) -> bytes:
    kind = g.randrange(5)
    logs = [
        [g.randbytes(20), [g.randbytes(32) for _ in range(g.randrange(5))], g.randbytes(g.choice([0, 1, 32, 70]))]
        for _ in range(g.randrange(4))
    ]
    body = rlp.encode([int(g.random() < 0.9), g.getrandbits(24), bytes(256), logs])
    return (bytes([kind]) if kind else b"") + body


def _nodes(trie: HexaryTrie, key: bytes) -> tuple[bytes, ...]:
    nodes = [rlp.encode(node) for node in trie.get_proof(key)]
    return tuple(node for place, node in enumerate(nodes) if place == 0 or len(node) >= 32)
