"""Accounts and storage proven against a header's state root, absence included.

A proof is a path of trie nodes: the first hashes to the root, every next one is named by the one before. Where the path
ends without the key, that is the proof that the key is absent. Nodes have to be canonical RLP and each of them used.

References
----------
EIP-1186 (``eth_getProof``); Ethereum Yellow Paper, appendix D.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import rlp
from rlp.sedes import big_endian_int

from vaultkit.chain.hashing import keccak
from vaultkit.chain.header import Header
from vaultkit.chain.trie import EMPTY_ROOT, nibbles
from vaultkit.errors import RpcRefused, RpcUnavailable, StateMismatch
from vaultkit.protocols import Rpc

EMPTY_CODE_HASH: Final = bytes.fromhex("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")
_NODE_ITEMS: Final = (2, 17)
_EMPTY_NODE: Final = b"\x80"


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the state trie holds it; one that does not exist has zeros and the hashes of nothing."""

    exists: bool
    nonce: int
    balance_wei: int
    storage_root: bytes
    code_hash: bytes


@dataclass(frozen=True, slots=True)
class ProvenStorage:
    """An account and some of its slots at one block.

    Parameters
    ----------
    values
        By slot; a slot that is proven to be absent holds zero.
    account_nodes
        Of the state trie, from the root down.
    slot_nodes
        Of the account's trie, by slot.
    """

    account: Account
    values: dict[int, int]
    account_nodes: tuple[bytes, ...]
    slot_nodes: dict[int, tuple[bytes, ...]]


def verify_proof(root: bytes, key: bytes, proof: Sequence[bytes]) -> bytes | None:
    """Return the value of a key in the trie of a root, or None where the proof shows that it is absent.

    Parameters
    ----------
    key
        As the trie has it: hashed already where the trie hashes its keys.
    proof
        Encoded nodes from the root down.

    Raises
    ------
    StateMismatch
        When a node is not the one that its parent names, is not canonical, or is not needed.
    """
    if root == EMPTY_ROOT and list(proof) in ([], [_EMPTY_NODE]):
        return None
    path = nibbles(key)
    rest = list(proof)
    node: Any = _named(root, rest)
    while True:
        if len(node) == 17:
            if not path:
                return _ended(rest, _value(node[16]) or None)
            child, path = node[path[0]], path[1:]
        else:
            shared, leaf = _partial(node[0])
            if path[: len(shared)] != shared or (leaf and path != shared):
                return _ended(rest, None)
            if leaf:
                return _ended(rest, _value(node[1]))
            child, path = node[1], path[len(shared) :]
        if child == b"":
            return _ended(rest, None)
        node = _checked(child) if isinstance(child, list) else _named(child, rest)


def verify_account(state_root: bytes, address: str, proof: Sequence[bytes]) -> Account:
    """Return an account out of its proof.

    Raises
    ------
    StateMismatch
        When the proof does not hold, or what it leads to is no account.
    """
    leaf = verify_proof(state_root, keccak(bytes.fromhex(address[2:])), proof)
    if leaf is None:
        return Account(False, 0, 0, EMPTY_ROOT, EMPTY_CODE_HASH)
    fields = _decoded(leaf)
    if not isinstance(fields, list) or len(fields) != 4 or any(isinstance(field, list) for field in fields):
        raise StateMismatch("a proven leaf is no account", where=address)
    nonce, balance, storage_root, code_hash = fields
    if len(storage_root) != 32 or len(code_hash) != 32:
        raise StateMismatch("a proven account has a hash of another length", where=address)
    return Account(True, _integer(nonce), _integer(balance), storage_root, code_hash)


def verify_slot(storage_root: bytes, slot: int, proof: Sequence[bytes]) -> int:
    """Return a slot's value out of its proof; zero where it proves that the slot is empty.

    Raises
    ------
    StateMismatch
        When the proof does not hold, or what it leads to is no number of 256 bits.
    """
    leaf = verify_proof(storage_root, keccak(slot.to_bytes(32, "big")), proof)
    if leaf is None:
        return 0
    value = _decoded(leaf)
    if isinstance(value, list) or len(value) > 32:
        raise StateMismatch("a proven slot holds no number of 256 bits", where=f"slot {slot}")
    number = _integer(value)
    if number == 0:
        raise StateMismatch("a trie holds a zero, which would be absent", where=f"slot {slot}")
    return number


def fetch_storage(rpc: Rpc, header: Header, address: str, slots: Sequence[int]) -> ProvenStorage:
    """Return an account and some slots, proven against a verified header's state root.

    The node's own words (balance, nonce, values) have to be those that are proven.

    Raises
    ------
    RpcUnavailable
        When the node no longer has the state: the answer is then unknown, never zero.
    StateMismatch
        When a proof does not hold.
    """
    return fetch_storages(rpc, [(header, address)], slots)[0]


def fetch_storages(rpc: Rpc, places: Sequence[tuple[Header, str]], slots: Sequence[int]) -> list[ProvenStorage]:
    """Return what `fetch_storage` does for several blocks or accounts, fetched in one batch.

    Raises
    ------
    RpcRefused
        When the node refuses a batch of several, which may be too large for it.
    RpcUnavailable, StateMismatch
        As `fetch_storage`.
    """
    keys = [f"0x{slot:064x}" for slot in slots]
    try:
        answers = rpc.batch([("eth_getProof", [address, keys, hex(header.number)]) for header, address in places])
    except RpcRefused as error:
        if len(places) > 1:
            raise
        raise RpcUnavailable(
            "cannot verify: the node does not have the state of a block",
            got=str(error.got)[:120],
            where=f"block {places[0][0].number} of {rpc.label}",
            next_step="Use an archive node",
        ) from error
    return [
        _proven(rpc, header, address, slots, answer) for (header, address), answer in zip(places, answers, strict=True)
    ]


def _proven(rpc: Rpc, header: Header, address: str, slots: Sequence[int], answer: Any) -> ProvenStorage:
    if not isinstance(answer, dict):
        raise RpcUnavailable("cannot verify: the node gave no proof", where=f"block {header.number} of {rpc.label}")
    try:
        nodes = _nodes(answer["accountProof"])
        account = verify_account(header.state_root, address, nodes)
        claimed = (int(answer["balance"], 16), int(answer["nonce"], 16))
        proofs = [
            (int(item["key"], 16), int(item["value"], 16), _nodes(item["proof"])) for item in answer["storageProof"]
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StateMismatch("a proof cannot be read", got=repr(error)[:120], where=rpc.label) from error
    if claimed != (account.balance_wei, account.nonce):
        raise StateMismatch(
            "an account is not the one that its proof shows",
            got=claimed,
            expected=(account.balance_wei, account.nonce),
            where=address,
        )
    if [key for key, _, _ in proofs] != list(slots):
        raise StateMismatch("the node proves other slots than were asked for", where=address)
    values = {}
    for slot, value, proof in proofs:
        values[slot] = verify_slot(account.storage_root, slot, proof)
        if values[slot] != value:
            raise StateMismatch(
                "a slot is not what its proof shows", got=value, expected=values[slot], where=f"{address}, slot {slot}"
            )
    return ProvenStorage(account, values, nodes, {slot: proof for slot, _, proof in proofs})


def _nodes(texts: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(text[2:]) for text in texts)


def _ended(rest: Sequence[bytes], value: bytes | None) -> bytes | None:
    if rest:
        raise StateMismatch("a proof has nodes that nothing names", got=len(rest))
    return value


def _value(item: Any) -> bytes:
    if not isinstance(item, bytes):
        raise StateMismatch("a proof leads to a list where a value must be")
    return item


def _named(reference: bytes, rest: list[bytes]) -> list[Any]:
    if len(reference) != 32 or not rest:
        raise StateMismatch("a proof ends before its path does")
    encoded = rest.pop(0)
    if keccak(encoded) != reference:
        raise StateMismatch("a node of a proof is not the one that its parent names", expected=f"0x{reference.hex()}")
    return _checked(_decoded(encoded))


def _checked(node: Any) -> list[Any]:
    if not isinstance(node, list) or len(node) not in _NODE_ITEMS:
        raise StateMismatch("a node of a proof is no node")
    return node


def _decoded(encoded: bytes) -> Any:
    try:
        return _lists(rlp.decode(encoded, strict=True))
    except rlp.exceptions.RLPException as error:
        raise StateMismatch("a node of a proof is not canonical RLP", got=type(error).__name__) from error


def _lists(item: Any) -> Any:
    return bytes(item) if isinstance(item, (bytes, bytearray)) else [_lists(part) for part in item]


def _integer(value: bytes) -> int:
    try:
        return int(big_endian_int.deserialize(value))
    except rlp.exceptions.RLPException as error:
        raise StateMismatch("a number in a proof has leading zeros") from error


def _partial(encoded: Any) -> tuple[bytes, bool]:
    """Return the nibbles of a hex-prefix path and whether it is a leaf's."""
    if not isinstance(encoded, bytes) or not encoded:
        raise StateMismatch("a node of a proof has no path")
    found = nibbles(encoded)
    flag = found[0]
    if flag > 3 or (flag % 2 == 0 and found[1] != 0):
        raise StateMismatch("a node of a proof has a malformed path")
    return (found[1:] if flag % 2 else found[2:]), flag >= 2
