"""`audit`: was every past trade of a vault the model's? Rebuilt from chain data alone.

For each accepted epoch: the event stands in a receipt under a linked header, the calldata in a transaction under the
same header. The window is recomputed from verified swaps, and the registry's entry hashes to the model id of the event.
The proof's head holds the pinned commitments, and the pinned verifier, its code hashed, accepts the proof for instances
that are built here. Prices, weight, trade plan and amounts follow from verified swaps and transfers; so do the value of
a share, and with it drawdown stops, shares of gains and rewards.

Besides the epochs: the code of vault, registry, gates, sources and venue is this kit's own, they are wired as the book
says, and everything that left the vault left by one of its events; see `audit_state` and `audit_flows`.

What is taken from the node: which header is the newest, the verifier's execution (unless the artefact is at hand, then
ezkl repeats it), code, the vault's constants (policy, period, ages), balances, ``lastEpoch()`` and, where gains or a
peak were settled at the last trade's mean price, that the pool could not tell the present one. What a passed audit does
not show: that the model is good.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vaultkit.book import AddressBook
from vaultkit.chain.abi import Contract, Event, load_abi
from vaultkit.chain.rpc import quantity
from vaultkit.errors import Reverted, RpcUnavailable, SettingsError
from vaultkit.protocols import Rpc
from vaultkit.vault.audit_checks import Auditor
from vaultkit.vault.audit_history import History, HistoryReader, Log, PoolTicks
from vaultkit.vault.audit_marks import VALUED
from vaultkit.vault.audit_proof import ArtefactVerifier
from vaultkit.vault.audit_report import AuditReport, Check, EpochAudit, failure_of
from vaultkit.vault.audit_state import StateReader, as_wired, code_checks, wiring_checks
from vaultkit.vault.audit_terms import Constants, events_of, model_of, read_constants, source_spec
from vaultkit.vault.audit_vault import code_places, vault_checks

Records = list[tuple[Log, Event]]

UNUSED = "An artefact that was given is of no model of these epochs: bundle 0x{}."

__all__ = ["AuditReport", "Check", "EpochAudit", "audit"]


def audit(
    rpc: Rpc,
    book: AddressBook,
    *,
    artefacts: Sequence[ArtefactVerifier] = (),
    from_block: int | None = None,
    to_block: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> AuditReport:
    """Return the audit of every epoch that the vault accepted in a range of blocks.

    Parameters
    ----------
    rpc
        Endpoint. What of its word is trusted stands at the top of this file.
    book
        Addresses of the deployment.
    artefacts
        What is at hand to verify proofs without the chain; each serves the epochs of its own model, all others stand on
        the node's call of the pinned verifier, which the verdict says.
    from_block, to_block
        Inclusive range whose epochs are reported; from the vault's deployment to the head where left out.
    progress
        Called with the number of headers verified in each batch.

    Raises
    ------
    VerificationError
        When headers, receipts or transactions do not hash to what they should, or the vault does not answer and is not
        this kit's: there is nothing to report then.
    """
    if book.vault is None:
        raise SettingsError("the address book has no vault", next_step="Run `vaultkit deploy` first")
    deployed = book.vault.from_block
    last = quantity(rpc.call("eth_blockNumber"), rpc) if to_block is None else to_block
    first = deployed if from_block is None else max(deployed, from_block)
    if last < first and from_block is not None:
        raise SettingsError("the range ends before it begins", got=f"{from_block} to {last}")
    if last < deployed:
        raise SettingsError("the range ends before the vault was deployed", got=last, expected=f"at least {deployed}")
    state = StateReader(rpc)
    wiring, book = wiring_checks(state, book), as_wired(state, book)
    assert book.vault is not None
    vault = _constants(state, book, last)
    me, pool, registry = (bytes.fromhex(one[2:]) for one in (book.vault.vault, book.pool.pool, book.vault.registry))
    reader = HistoryReader(rpc, (me, bytes(12) + me, pool, registry), progress)
    history = reader.read(deployed, last)
    records = [(log, event) for log, event in events_of(history, vault.contract, "Rebalanced")]
    ticks = _ticks(reader, history, book, vault, records, first)
    auditor = Auditor(state, book, vault, history, ticks, artefacts)
    for log, event in records:
        if log.block_number < first:
            auditor.skip(log, event)
    epochs = tuple(auditor.epoch(log, event) for log, event in records if log.block_number >= first)
    expected = _expected(history, vault, book.vault.registry, first)
    kept = {epoch.epoch for epoch in epochs}
    checks = vault_checks(state, book, vault, history, first, wiring, auditor.models)
    unused = [one for one in artefacts if not any(one.is_of(model) for model in auditor.models.values())]
    state.notes.update(UNUSED.format(one.bundle_hash.hex()) for one in unused)
    return AuditReport(
        book.chain_id,
        book.vault.vault,
        first,
        last,
        history.last_hash,
        len(history.headers),
        history.blocks_positive,
        epochs,
        tuple(epoch for epoch in expected if epoch not in kept),
        vault.policy,
        vault.safeguards,
        vault.fees,
        checks,
        tuple(sorted(state.notes)),
    )


def _constants(state: StateReader, book: AddressBook, last: int) -> Constants:
    """Return the vault's constants; where it does not give them, its code says why."""
    try:
        return read_constants(state.rpc, book)
    except (Reverted, RpcUnavailable) as error:
        checks = code_checks(state, code_places(book, (last,), {}))
        failure = failure_of(checks, "the vault does not answer, and", f"block {last}")
        if failure is None:
            raise
        raise failure from error


def _expected(history: History, vault: Constants, registry: str, first: int) -> list[int]:
    """Return the epochs with an active model whose whole time to be accepted lies within the reported range."""
    contract = Contract(vault.contract.rpc, registry, load_abi("ModelRegistry"))
    start, end = history.timestamp(first), history.timestamp(history.last_block)
    spans: list[tuple[int, int]] = []
    since: int | None = None
    for log in history.logs:
        event = contract.decode_log(log.fields)
        if event is None or event.name not in ("ModelActivated", "ModelRetired"):
            continue
        if event.name == "ModelActivated" and since is None:
            since = log.timestamp
        elif event.name == "ModelRetired" and since is not None and not _activates(contract, history, log):
            spans.append((since, log.timestamp))
            since = None
    if since is not None:
        spans.append((since, end))
    return [
        epoch
        for low, high in spans
        for epoch in range(-(-max(low, start) // vault.period), (min(high, end) - vault.max_age) // vault.period + 1)
    ]


def _activates(contract: Contract, history: History, log: Log) -> bool:
    """Return whether a retirement is that of the model before, in the transaction that activates the next."""
    return any(
        other.fields["transactionHash"] == log.fields["transactionHash"]
        and (event := contract.decode_log(other.fields)) is not None
        and event.name == "ModelActivated"
        for other in history.logs
    )


def _ticks(
    reader: HistoryReader, history: History, book: AddressBook, vault: Constants, records: Records, first: int
) -> PoolTicks:
    """Return the pool's verified ticks, read further back until the replay has all that it asks for."""
    ticks = PoolTicks(history, book.pool.pool)
    if not records:
        return ticks
    needed = _oldest_asked(history, book, vault, records, first)
    while not ticks.covers(needed) and history.first_block > book.pool.from_block:
        reader.extend(history, max(book.pool.from_block, history.first_block - 256))
        ticks = PoolTicks(history, book.pool.pool)
    return ticks


def _oldest_asked(history: History, book: AddressBook, vault: Constants, records: Records, first: int) -> int:
    """Return the oldest time whose tick the replay asks for.

    The mean price is asked for from the first event on that is valued at it, whether it is reported or not; windows are
    recomputed of the reported epochs alone, each as its own model's source has it.
    """
    assert book.vault is not None
    rpc, registry = vault.contract.rpc, Contract(vault.contract.rpc, book.vault.registry, load_abi("ModelRegistry"))
    decoded = ((log, vault.contract.decode_log(log.fields)) for log in history.logs)
    valued = next(log for log, event in decoded if event is not None and event.name in {"Rebalanced", *VALUED})
    ends: dict[bytes, int] = {}
    for log, event in records:
        if log.block_number >= first:
            ends.setdefault(event.args["modelId"], event.args["epoch"] * vault.period)
    windows = (
        end - source_spec(rpc, model_of(registry, model)["source"]).lookback_seconds for model, end in ends.items()
    )
    return min([valued.timestamp - vault.twap_seconds, *windows])
