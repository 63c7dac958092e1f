"""What a vault is now and was before, on the node's word: code, wiring, balances, the last epoch.

Headers commit to state, but a node answers for code and calls without a proof. So these checks do not stand on hashes
as the epochs do: they notice a vault, registry, gate, source or venue that is not this kit's, another registry or venue
than the book's, tokens that left without a transfer, and epochs that no log shows, unless the node lies about each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from vaultkit.book import AddressBook
from vaultkit.chain.abi import Block, Contract, as_reverted, load_abi
from vaultkit.errors import Reverted, RpcRefused, RpcUnavailable
from vaultkit.protocols import Rpc
from vaultkit.vault.audit_report import Check, same
from vaultkit.vault.runtime_code import kit_code

PRUNED: Final = (
    "This node does not keep past state: code was compared as it is now, not as it was at each epoch and at the "
    "range's first block. An archive node answers that too."
)
NO_STATE: Final = (
    "This node does not keep the state of block {}: balances and lastEpoch() there were not compared with what the "
    "logs show. An archive node answers that too."
)
_TRIES, _PAUSE_SECONDS = 3, 0.2


class StateReader:
    """Reads code and views at past blocks; ``notes`` says what a node could not answer."""

    def __init__(self, rpc: Rpc) -> None:
        self.rpc = rpc
        self.notes: set[str] = set()
        self._codes: dict[tuple[str, int], bytes] = {}

    def code(self, address: str, block_number: int) -> bytes:
        """Return a contract's code at a block, or as it is now where the node keeps no past state."""
        place = (address.lower(), block_number)
        if place not in self._codes:
            try:
                code = self.rpc.call("eth_getCode", [address, hex(block_number)])
            except RpcRefused:
                self.notes.add(PRUNED)
                code = self.rpc.call("eth_getCode", [address, "latest"])
            self._codes[place] = bytes.fromhex(code[2:])
        return self._codes[place]

    def view(self, contract: Contract, name: str, *args: Any, block: Block = "latest") -> Any:
        """Return what a view said at a block; None where the node does not keep its state.

        Raises
        ------
        Reverted
            When the contract refuses, or there is none that answers.
        """
        method, params = contract.request(name, *args, block=block)
        try:
            answer = self.rpc.call(method, params)
        except RpcRefused as refusal:
            reverted = as_reverted(refusal, contract.abi, where=f"{name} of {contract.address}")
            if reverted is not None:
                raise reverted from refusal
            self.notes.add(NO_STATE.format(block))
            return None
        try:
            return contract.decode_output(name, answer)
        except RpcUnavailable as error:
            raise Reverted("no answer", where=f"{name} of {contract.address}") from error


def code_checks(state: StateReader, places: Iterable[tuple[str, str, str, Sequence[int]]]) -> tuple[Check, ...]:
    """Compare the code of contracts with this kit's own.

    Parameters
    ----------
    places
        Name of the check, contract of `KIT_CONTRACTS`, address, and blocks to look at.
    """
    checks = []
    for name, kind, address, blocks in places:
        kit = kit_code(kind)
        codes = {number: state.code(address, number) for number in sorted(set(blocks))}
        bad = [number for number, code in codes.items() if not kit.is_of(code)]
        last = codes[max(codes)]
        got = "; ".join(f"{_said(kit.digest(codes[n]), codes[n])} at block {n}" for n in bad) or kit.digest(last)
        checks.append(Check(name, not bad, got, _said(kit.digest(kit.runtime), kit.runtime) if bad else got))
    return tuple(checks)


def _said(digest: str, code: bytes) -> str:
    return f"{digest} of {len(code):,} bytes" if code else "no code"


def wiring_checks(state: StateReader, book: AddressBook) -> tuple[Check, ...]:
    """Compare what vault, gate and venue are made for with the address book."""
    assert book.vault is not None
    rpc = state.rpc
    vault = Contract(rpc, book.vault.vault, load_abi("InferenceVault"))
    gate = Contract(rpc, book.vault.gate, load_abi("ZkGate"))
    venue = Contract(rpc, book.vault.venue, load_abi("UniswapV3Venue"))
    asked = (
        ("vault's registry", vault, "registry", book.vault.registry),
        ("vault's venue", vault, "venue", book.vault.venue),
        ("vault's asset", vault, "asset", book.pool.asset),
        ("vault's risk token", vault, "risk", book.pool.risk),
        ("gate's registry", gate, "registry", book.vault.registry),
        ("venue's pool", venue, "pool", book.pool.pool),
    )
    return tuple(_asked(state, name, contract, view, expected.lower()) for name, contract, view, expected in asked)


def _asked(state: StateReader, name: str, contract: Contract, view: str, expected: str) -> Check:
    try:
        return same(name, str(state.view(contract, view)).lower(), expected)
    except Reverted as error:
        return Check(name, False, str(error), expected)


def as_wired(state: StateReader, book: AddressBook) -> AddressBook:
    """Return the book with the registry and venue that the vault itself is made for, which its past follows from."""
    assert book.vault is not None
    vault = Contract(state.rpc, book.vault.vault, load_abi("InferenceVault"))
    found = {}
    for name in ("registry", "venue"):
        with suppress(Reverted):
            found[name] = str(state.view(vault, name))
    return book.model_copy(update={"vault": book.vault.model_copy(update=found)})


def compared(name: str, read: Callable[[], int | None], expected: int) -> Check | None:
    """Return the comparison of the node's state with what verified logs give; None where it does not keep it.

    Notes
    -----
    Asked for its newest block while it makes the next one, a development node may answer with that one's state: an
    answer that differs is asked for again.
    """
    got = None
    for attempt in range(_TRIES):
        try:
            got = read()
        except Reverted as error:
            return Check(name, False, str(error), str(expected))
        if got is None or got == expected:
            break
        if attempt + 1 < _TRIES:
            time.sleep(_PAUSE_SECONDS)
    return None if got is None else same(name, got, expected)
