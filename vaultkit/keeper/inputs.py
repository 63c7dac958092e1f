"""The model's inputs of an epoch, found three ways that must agree, and the hints for the contract's own reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from vaultkit.chain.abi import Contract, as_reverted
from vaultkit.errors import RpcRefused, VerificationError, WindowError
from vaultkit.keeper.actions import Head
from vaultkit.protocols import Rpc
from vaultkit.window import WindowSpec, encode_hints, find_hints

FIRST: Final = 16
"""Observations fetched in the first batch, newest first; each further one is four times as large, until the window is
covered: quiet pools need few, busy ones not many batches."""

LARGEST: Final = 256
"""Observations fetched in one batch at most."""


@dataclass(frozen=True, slots=True)
class Ring:
    """The part of a pool's observation ring that a window needs, at one block.

    ``times`` and ``cumulatives`` hold ``None`` for slots that were not needed or not initialized.
    """

    index: int
    tick: int
    times: tuple[int | None, ...]
    cumulatives: tuple[int | None, ...]

    def cumulative(self, time: int, hint: int) -> int:
        """Return the tick cumulative at ``time`` from the observation before it and the next, as `TickWindow` does."""
        start, before = self.times[hint], self.cumulatives[hint]
        if start is None or before is None:
            raise WindowError("a hint points at an observation that is not there", got=hint)
        elapsed = (time - start) % 2**32
        if hint == self.index:
            return before + self.tick * elapsed
        successor = (hint + 1) % len(self.times)
        end, after = self.times[successor], self.cumulatives[successor]
        if end is None or after is None:
            raise WindowError("an observation has no successor", got=hint)
        return before + (after - before) // ((end - start) % 2**32) * elapsed


@dataclass(frozen=True, slots=True)
class Reading:
    """A window's integers and the hints with which the contract reads the same."""

    inputs: tuple[int, ...]
    hints: bytes


class WindowReader:
    """Reads windows of one pool for one input source.

    Parameters
    ----------
    rpc
        Endpoint.
    pool, source
        The Uniswap V3 pool and the deployed `TickWindow`.
    spec
        Definition of the window.
    """

    def __init__(self, rpc: Rpc, pool: Contract, source: Contract, spec: WindowSpec) -> None:
        self._rpc, self._pool, self._source, self.spec = rpc, pool, source, spec

    def read(self, epoch_end: int, head: Head) -> Reading:
        """Return the inputs of the epoch that ended at ``epoch_end``, as of the state of ``head``.

        Raises
        ------
        WindowError
            When the pool does not remember the window.
        VerificationError
            When ``pool.observe``, the recomputation from observations and the source's own answer differ, or the node
            answers from a later block than ``head``.
        """
        times = self.spec.point_times(epoch_end)
        ages = [head.timestamp - time for time in times]
        (_, tick, index, cardinality, *_), (observed, _) = self._call(
            self._pool, ("slot0", ()), ("observe", (ages,)), head=head
        )
        ring = self._ring(tick, index, cardinality, times[-1], head)
        hints = find_hints(times, ring.times, ring.index, head.timestamp)
        recomputed = tuple(ring.cumulative(time, hint) for time, hint in zip(times, hints, strict=True))
        packed = encode_hints(hints)
        (read,) = self._call(self._source, ("read", (epoch_end, packed)), head=head)
        inputs = self.spec.inputs(observed)
        answers = {
            "the recomputed window": self.spec.inputs(recomputed),
            "the input source": tuple(read),
        }
        if recomputed != tuple(observed):
            raise VerificationError("observations do not add up to pool.observe", got=recomputed, expected=observed)
        for name, found in answers.items():
            if found != inputs:
                raise VerificationError(f"{name} differs from pool.observe", got=found, expected=inputs)
        return Reading(inputs, packed)

    def _ring(self, tick: int, index: int, cardinality: int, oldest: int, head: Head) -> Ring:
        times: list[int | None] = [None] * cardinality
        cumulatives: list[int | None] = [None] * cardinality
        start, count = 0, FIRST
        while start < cardinality:
            slots = [(index - k) % cardinality for k in range(start, min(start + count, cardinality))]
            start, count = start + count, min(4 * count, LARGEST)
            found = self._call(self._pool, *(("observations", (slot,)) for slot in slots), head=head)
            for slot, (stamp, cumulative, _, initialized) in zip(slots, found, strict=True):
                if initialized:
                    times[slot], cumulatives[slot] = stamp, cumulative
            reached = [
                (head.timestamp - stamp) % 2**32 for stamp in (times[slot] for slot in slots) if stamp is not None
            ]
            if not reached or max(reached) >= head.timestamp - oldest:
                break
        newest = times[index]
        if newest is not None and (head.timestamp - newest) % 2**32 >= 2**31:
            # The pool would take it for the oldest one, and every reading would agree on nonsense.
            raise VerificationError(
                "the node answers from a later block than the one it was asked about",
                got=f"an observation of {newest}",
                expected=f"none after {head.timestamp}",
                where=self._rpc.label,
            )
        return Ring(index, tick, tuple(times), tuple(cumulatives))

    def _call(self, contract: Contract, *calls: tuple[str, tuple[Any, ...]], head: Head) -> list[Any]:
        """Return the decoded answers of one contract to some calls at the hash of ``head``, in one request."""
        pin = {"blockHash": head.block_hash}
        requests = [
            ("eth_call", [{"to": contract.address, "data": contract.encode(name, *args)}, pin]) for name, args in calls
        ]
        try:
            answers = self._rpc.batch(requests)
        except RpcRefused as refusal:
            reverted = as_reverted(refusal, contract.abi, where=calls[-1][0])
            if reverted is None:
                raise
            raise WindowError("the chain refuses the window", got=str(reverted), where=contract.address) from refusal
        return [contract.decode_output(name, answer) for (name, _), answer in zip(calls, answers, strict=True)]
