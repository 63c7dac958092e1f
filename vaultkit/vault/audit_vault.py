"""The checks of the vault itself, besides its epochs: code, wiring, transfers, balances, the last epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vaultkit.book import AddressBook
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.vault.audit_flows import Ledger
from vaultkit.vault.audit_history import History
from vaultkit.vault.audit_report import LAST_EPOCH, Check, VaultChecks
from vaultkit.vault.audit_state import StateReader, code_checks, compared
from vaultkit.vault.audit_terms import Constants, events_of

Place = tuple[str, str, str, Sequence[int]]


def vault_checks(
    state: StateReader,
    book: AddressBook,
    vault: Constants,
    history: History,
    first: int,
    wiring: tuple[Check, ...],
    models: Mapping[int, Mapping[str, Any]],
) -> VaultChecks:
    """Return every check of the vault over a range of blocks that ends where the history does.

    Parameters
    ----------
    first
        First block that is reported.
    wiring
        Checks that were made before the history was read.
    models
        The registry's entries of the reported epochs, by the block that accepted them.
    """
    me = int(vault.contract.address, 16)
    since = min((log.block_number for log in history.logs if log.address == me), default=history.last_block)
    places = code_places(book, (max(first, since), history.last_block), models)
    ledger = Ledger(history, vault, book.pool)
    flows = ledger.flows(first)
    return VaultChecks(
        code=code_checks(state, places),
        wiring=wiring,
        transfers=flows.checks,
        state=(*_balances(state, book, vault, ledger, history), *_last_epochs(state, vault, history, first)),
        donations=flows.donations,
    )


def code_places(book: AddressBook, blocks: tuple[int, ...], models: Mapping[int, Mapping[str, Any]]) -> list[Place]:
    """Return which contracts have to hold which code at which blocks, gates and sources of models included."""
    assert book.vault is not None
    where = book.vault
    places: list[Place] = [
        ("vault code", "InferenceVault", where.vault, blocks),
        ("registry code", "ModelRegistry", where.registry, blocks),
        ("venue code", "UniswapV3Venue", where.venue, blocks),
    ]
    for kind, key, own in (("ZkGate", "gate", where.gate.lower()), ("TickWindow", "source", where.source.lower())):
        used: dict[str, list[int]] = {own: [max(blocks)]}
        for block, model in models.items():
            used.setdefault(model[key].lower(), [max(blocks)]).append(block)
        for address, seen in used.items():
            name = f"{key} code" if address == own else f"{key} code of {address}"
            places.append((name, kind, address, (min(seen), max(seen))))
    return places


def _balances(
    state: StateReader, book: AddressBook, vault: Constants, ledger: Ledger, history: History
) -> Iterator[Check]:
    """Compare what vault and holders have at the end with what verified transfers gave them."""
    me, last = vault.contract.address, history.last_block
    asked = [
        (f"balance of {symbol}", Contract(state.rpc, address, load_abi("ERC20")), ("balanceOf", me), token)
        for symbol, address, token in (
            (book.pool.asset_symbol, book.pool.asset, "asset"),
            (book.pool.risk_symbol, book.pool.risk, "risk"),
        )
    ]
    for name, contract, request, token in [*asked, ("supply of shares", vault.contract, ("totalSupply",), "shares")]:
        check = compared(
            name, lambda c=contract, r=request: state.view(c, *r, block=last), ledger.balance(token)  # type: ignore[misc]
        )  # fmt: skip
        if check is not None:
            yield check


def _last_epochs(state: StateReader, vault: Constants, history: History, first: int) -> Iterator[Check]:
    """Compare ``lastEpoch()`` at both ends of the range with the epochs that verified logs show."""
    shown = [
        (log.block_number, int(event.args["epoch"])) for log, event in events_of(history, vault.contract, "Rebalanced")
    ]
    ends = [(f"{LAST_EPOCH} before the range", first - 1), (LAST_EPOCH, history.last_block)]
    for name, block in ends:
        expected = max((epoch for number, epoch in shown if number <= block), default=0)
        if block < (history.deployed or 0) or (not expected and not state.code(vault.contract.address, block)):
            continue  # there was no vault yet
        check = compared(name, lambda block=block: state.view(vault.contract, "lastEpoch", block=block), expected)  # type: ignore[misc]
        if check is not None:
            yield check
