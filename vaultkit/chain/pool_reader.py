"""A window as the pool itself answers it, and the hints that make the contract's reading cheap."""

from __future__ import annotations

from typing import Final

from vaultkit.chain.abi import Block, Contract, load_abi
from vaultkit.chain.rpc import quantity
from vaultkit.errors import Reverted, WindowError
from vaultkit.protocols import Rpc
from vaultkit.window import WindowSpec, find_hints

_BATCH: Final = 250


def block_timestamp(rpc: Rpc, block: Block = "latest") -> int:
    """Return the timestamp of a block, in seconds of chain time."""
    fields = rpc.call("eth_getBlockByNumber", [hex(block) if isinstance(block, int) else block, False])
    return quantity(fields["timestamp"], rpc)


def read_cumulatives(rpc: Rpc, pool: str, times: tuple[int, ...], block: int) -> tuple[int, ...]:
    """Return the pool's tick cumulatives at the given times, as ``observe`` answers at ``block``.

    Parameters
    ----------
    times
        Timestamps, none after the block's.
    block
        Number of the block whose state is asked.

    Raises
    ------
    WindowError
        When a time is after the block, or before the pool's oldest observation.
    """
    now = block_timestamp(rpc, block)
    if max(times) > now:
        raise WindowError(
            "a window lies in the future of the block that reads it", got=max(times), expected=f"<= {now}"
        )
    try:
        answer = Contract(rpc, pool, load_abi("UniswapV3Pool")).call(
            "observe", [now - time for time in times], block=block
        )
    except Reverted as error:
        raise WindowError(
            "the pool cannot answer for a window",
            got=error.args_.get("message", error.name),
            expected=f"observations back to {min(times)}",
            where=f"block {block}",
            next_step="Grow the pool's observation cardinality and wait until it has filled",
        ) from error
    return tuple(int(cumulative) for cumulative in answer[0])


def read_window(rpc: Rpc, spec: WindowSpec, epoch_end: int, block: int) -> tuple[int, ...]:
    """Return the ``count + 2`` cumulatives of an epoch's window, newest first; `WindowSpec.inputs` takes them.

    Raises
    ------
    WindowError
        As `read_cumulatives`.
    """
    return read_cumulatives(rpc, spec.pool, spec.point_times(epoch_end), block)


def read_hints(rpc: Rpc, spec: WindowSpec, epoch_end: int, block: int, *, now: int | None = None) -> tuple[int, ...]:
    """Return the observation index at or before each point of an epoch's window, newest first.

    Only slots that hold an observation are read, in batches.

    Parameters
    ----------
    now
        Timestamp of the block that will read the window; the given block's where left out. Only ages beyond ``2**32``
        seconds depend on it.

    Raises
    ------
    WindowError
        When the pool's observations do not reach back far enough.

    Notes
    -----
    A swap that lands between this reading and the transaction can move on the ring and overwrite its oldest slot: hints
    are a matter of gas, and the contract checks each of them.
    """
    contract = Contract(rpc, spec.pool, load_abi("UniswapV3Pool"))
    slot0 = contract.call("slot0", block=block)
    latest, cardinality = int(slot0[2]), int(slot0[3])
    points = spec.point_times(epoch_end)
    read_at = block_timestamp(rpc, block) if now is None else now
    stamps: list[int | None] = [None] * cardinality
    order = [(latest - back) % cardinality for back in range(cardinality)]
    for start in range(0, cardinality, _BATCH):
        indices = order[start : start + _BATCH]
        answers = rpc.batch([contract.request("observations", index, block=block) for index in indices])
        for index, answer in zip(indices, answers, strict=True):
            stamp, _, _, initialized = contract.decode_output("observations", answer)
            stamps[index] = int(stamp) if initialized else None
        oldest = stamps[indices[-1]]
        if oldest is not None and (read_at - oldest) % 2**32 >= (read_at - min(points)) % 2**32:
            break
    return find_hints(points, stamps, latest, read_at)
