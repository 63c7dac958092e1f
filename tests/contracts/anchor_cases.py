"""Proofs of the three kinds, what can go wrong with them, and what Python and a harness say of each.

In classes whose name begins with "forged" every hash above the change is made again and the root with it: hashes then
hold, and what is left to refuse it is the reading of what they lead to. A chain's root has no such proofs; both sides
are to read them alike all the same.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import rlp

from vaultkit.chain.abi import Contract, decode_revert
from vaultkit.chain.hashing import keccak
from vaultkit.chain.receipt_proof import verify_log
from vaultkit.chain.state import verify_account, verify_slot
from vaultkit.chain.trie import EMPTY_ROOT
from vaultkit.errors import ReceiptsMismatch, StateMismatch

BATCH = 100


@dataclass(frozen=True)
class Case:
    """A proof as one of the harness's functions takes it.

    Parameters
    ----------
    kind
        ``account``, ``slot`` or ``log``.
    key
        Address, slot, or transaction index.
    """

    kind: str
    root: bytes
    key: Any
    nodes: tuple[bytes, ...]
    log_index: int = 0

    @property
    def arguments(self) -> tuple[Any, ...]:
        head = (self.root, self.key, self.nodes)
        return (*head, self.log_index) if self.kind == "log" else head


def python_says(case: Case) -> tuple[Any, str]:
    """Return what the proof shows, in the form in which a call is decoded, or None and why it is refused."""
    try:
        match case.kind:
            case "account":
                found = verify_account(case.root, case.key, case.nodes)
                if not found.exists:
                    return None, "no such account"
                return (found.nonce, found.balance_wei, found.storage_root, found.code_hash), ""
            case "slot":
                return verify_slot(case.root, case.key, case.nodes), ""
            case _:
                log = verify_log(case.root, case.key, case.nodes, case.log_index)
                return (f"0x{log.emitter.hex()}", log.topics, log.data), ""
    except (StateMismatch, ReceiptsMismatch) as error:
        return None, str(error)


def contract_says(harness: Contract, gas: int, cases: Sequence[Case]) -> list[tuple[Any, str]]:
    """Return for each case what the contract finds, or None and the name of its refusal."""
    calls = [harness.encode(case.kind, *case.arguments) for case in cases]
    found: list[tuple[Any, str]] = []
    for case, (fine, answer) in zip(cases, call_many(harness, gas, harness.address, calls), strict=True):
        found.append((harness.decode_output(case.kind, answer), "") if fine else (None, refusal(answer, harness)))
    return found


def call_many(harness: Contract, gas: int, target: str, calls: Sequence[str]) -> list[tuple[bool, str]]:
    """Return whether each call of a contract returned, and what it returned or reverted with; one `eth_call`."""
    data = harness.encode("many", target, [bytes.fromhex(call[2:]) for call in calls])
    fields = {"to": harness.address, "data": data, "gas": hex(gas)}
    accepted, answers = harness.decode_output("many", harness.rpc.call("eth_call", [fields, "latest"]))
    return [(fine, f"0x{answer.hex()}") for fine, answer in zip(accepted, answers, strict=True)]


_NAMES: dict[str, str] = {}


def refusal(answer: str, contract: Contract) -> str:
    """Return the name of the error that a call reverted with."""
    if answer[:10] not in _NAMES:
        _NAMES[answer[:10]] = str(decode_revert(answer, contract.abi).name)
    return _NAMES[answer[:10]]


@dataclass(frozen=True)
class Outcome:
    """What both sides say of one case."""

    name: str
    case: Case
    python: Any
    why: str
    contract: Any
    error: str

    @property
    def agrees(self) -> bool:
        return bool(self.python == self.contract)


def compared(harness: Contract, gas: int, named: Sequence[tuple[str, Case]]) -> Iterator[Outcome]:
    """Yield what both sides say of each case."""
    for start in range(0, len(named), BATCH):
        part = named[start : start + BATCH]
        answers = contract_says(harness, gas, [case for _, case in part])
        for (name, case), (value, error) in zip(part, answers, strict=True):
            yield Outcome(name, case, *python_says(case), value, error)


def flipped(generator: random.Random, text: bytes) -> bytes:
    """Return bytes with one bit turned."""
    changed = bytearray(text)
    changed[generator.randrange(len(changed))] ^= 1 << generator.randrange(8)
    return bytes(changed)


def rehashed(case: Case, place: int, node: bytes) -> Case:
    """Return a proof with one node replaced, and every hash above it and the root made again."""
    nodes = list(case.nodes)
    old, nodes[place] = keccak(nodes[place]), node
    for above in range(place - 1, -1, -1):
        new = keccak(nodes[above + 1])
        before = nodes[above]
        nodes[above] = before.replace(old, new)
        old = keccak(before)
    return replace(case, nodes=tuple(nodes), root=keccak(nodes[0]))


def _replaced(case: Case, place: int, *nodes: bytes) -> Case:
    return replace(case, nodes=(*case.nodes[:place], *nodes, *case.nodes[place + 1 :]))


def _swapped(g: random.Random, case: Case, corpus: Sequence[Case]) -> Case:
    nodes = list(case.nodes)
    one, other = g.randrange(len(nodes)), g.randrange(len(nodes))
    nodes[one], nodes[other] = nodes[other], nodes[one]
    return replace(case, nodes=tuple(nodes))


def _other(g: random.Random, case: Case, corpus: Sequence[Case]) -> Case:
    return g.choice([one for one in corpus if one.kind == case.kind])


def _other_key(g: random.Random, case: Case, corpus: Sequence[Case]) -> Case:
    if g.random() < 0.5:
        return replace(case, key=_other(g, case, corpus).key)
    match case.kind:
        case "account":
            return replace(case, key=f"0x{g.randbytes(20).hex()}")
        case "slot":
            return replace(case, key=g.getrandbits(256))
        case _:
            return replace(case, key=max(0, case.key + g.choice([-128, -1, 1, 2, 128])))


def _log_index(g: random.Random, case: Case, corpus: Sequence[Case]) -> Case:
    return replace(case, log_index=g.choice([case.log_index + 1, g.randrange(12), 2**256 - 1]))


def _forged_value(g: random.Random, case: Case, corpus: Sequence[Case]) -> Case:
    """Turn a bit of the value itself, so that the leaf's own encoding stays whole."""
    node = rlp.decode(case.nodes[-1])
    if len(node) != 2 or not node[1] or isinstance(node[1], list):
        return case
    return rehashed(case, len(case.nodes) - 1, rlp.encode([node[0], flipped(g, bytes(node[1]))]))


def _forged_field(g: random.Random, case: Case, corpus: Sequence[Case]) -> Case:
    """Change, drop, add or empty an item somewhere in the value."""
    node = rlp.decode(case.nodes[-1])
    if len(node) != 2 or not node[1]:
        return case
    value = bytes(node[1])
    head = value[:1] if value[0] < 0xC0 and case.kind == "log" else b""
    try:
        inner = _lists(rlp.decode(value[len(head) :]))
    except rlp.exceptions.DecodingError:
        return case
    if case.kind == "log" and g.random() < 0.2:
        head = bytes([g.randrange(256)])
    else:
        inner = _changed(g, inner)
    return rehashed(case, len(case.nodes) - 1, rlp.encode([node[0], head + rlp.encode(inner)]))


def _forged_bit(g: random.Random, case: Case, corpus: Sequence[Case]) -> Case:
    place = g.randrange(len(case.nodes))
    return rehashed(case, place, flipped(g, case.nodes[place]))


def _forged_node(g: random.Random, case: Case, corpus: Sequence[Case]) -> Case:
    place = g.randrange(len(case.nodes))
    items = _lists(rlp.decode(case.nodes[place]))
    if len(items) == 2 and g.random() < 0.3:
        items[0] = bytes([items[0][0] ^ g.choice([0x10, 0x20, 0x30, 0x40, 0x01])]) + items[0][1:]
    else:
        items = _changed(g, items, deep=False)
    return rehashed(case, place, rlp.encode(items))


def _changed(g: random.Random, item: Any, *, deep: bool = True) -> Any:
    if isinstance(item, bytes):
        return g.choice([b"", b"\x00" + item, item[:-1], item + b"\x00", g.randbytes(32), [item]])
    items = list(item)
    place = g.randrange(len(items)) if items else 0
    choice = g.random()
    if choice < 0.2 or not items:
        items.insert(place, g.choice([b"", b"\x01", g.randbytes(32), []]))
    elif choice < 0.4:
        del items[place]
    elif deep or isinstance(items[place], bytes):
        items[place] = _changed(g, items[place])
    return items


def _lists(item: Any) -> Any:
    return [_lists(part) for part in item] if isinstance(item, (list, tuple)) else bytes(item)


def _somewhere(change: Callable[[random.Random, bytes, bytes], tuple[bytes, ...]]) -> Any:
    def mutate(g: random.Random, case: Case, corpus: Sequence[Case]) -> Case:
        place = g.randrange(len(case.nodes))
        foreign = g.choice(_other(g, case, corpus).nodes)
        return _replaced(case, place, *change(g, case.nodes[place], foreign))

    return mutate


Mutator = Callable[[random.Random, Case, Sequence[Case]], Case]
MUTATORS: dict[str, Mutator] = {
    "a bit of a node": _somewhere(lambda g, node, other: (flipped(g, node),)),
    "a byte of a node": _somewhere(lambda g, node, other: (g.randbytes(1) + node[1:],)),
    "a node left out": _somewhere(lambda g, node, other: ()),
    "a node twice": _somewhere(lambda g, node, other: (node, node)),
    "a foreign node before": _somewhere(lambda g, node, other: (other, node)),
    "a foreign node instead": _somewhere(lambda g, node, other: (other,)),
    "a node cut": _somewhere(lambda g, node, other: (node[: g.randrange(len(node))],)),
    "a node with more behind": _somewhere(lambda g, node, other: (node + g.randbytes(1 + g.randrange(3)),)),
    "an empty node": _somewhere(lambda g, node, other: (g.choice([b"", b"\x80", b"\xc0"]), node)),
    "two nodes swapped": _swapped,
    "cut after a node": lambda g, case, _: replace(case, nodes=case.nodes[: g.randrange(len(case.nodes))]),
    "a foreign node at the end": lambda g, case, c: replace(
        case, nodes=(*case.nodes, g.choice(_other(g, case, c).nodes))
    ),
    "another key": _other_key,
    "another block's root": lambda g, case, c: replace(case, root=_other(g, case, c).root),
    "another block's proof": lambda g, case, c: replace(case, nodes=_other(g, case, c).nodes),
    "a bit of the root": lambda g, case, _: replace(case, root=flipped(g, case.root)),
    "another log index": _log_index,
    "forged: a bit of the value": _forged_value,
    "forged: a field of the value": _forged_field,
    "forged: a bit of a node": _forged_bit,
    "forged: an item of a node": _forged_node,
}


def mutated(generator: random.Random, corpus: Sequence[Case], count: int) -> list[tuple[str, Case]]:
    """Return cases that differ from the honest one they began as, the classes in turn.

    Proofs of empty tries are left out: there no node and the node of nothing show the same.
    """
    begun = [case for case in corpus if case.nodes and case.root != EMPTY_ROOT]
    found: list[tuple[str, Case]] = []
    names = list(MUTATORS)
    while len(found) < count:
        name = names[len(found) % len(names)]
        case = generator.choice(begun)
        if name == "another log index" and case.kind != "log":
            continue
        wrong = MUTATORS[name](generator, case, begun)
        if wrong != case:
            found.append((name, wrong))
    return found
