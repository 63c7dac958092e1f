"""From verified logs of a Uniswap V3 pool to the columns of the swaps table, without a Python step for each field.

References
----------
``IUniswapV3PoolEvents``: ``Swap(address indexed sender, address indexed recipient, int256 amount0, int256 amount1,
uint160 sqrtPriceX96, uint128 liquidity, int24 tick)`` and ``Initialize(uint160 sqrtPriceX96, int24 tick)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
from eth_utils.crypto import keccak
from numpy.typing import NDArray

from vaultkit.chain.receipts import Log
from vaultkit.errors import LogsMismatch
from vaultkit.schema import UNISWAP_V3_SWAPS

SWAP: Final = keccak(text="Swap(address,address,int256,int256,uint160,uint128,int24)")
INITIALIZE: Final = keccak(text="Initialize(uint160,int24)")
TOPICS: Final = frozenset({SWAP, INITIALIZE})

_WORD: Final = 32
_ZERO_TOPIC: Final = bytes(_WORD)


def decode_swaps(logs: Sequence[Log]) -> pl.DataFrame:
    """Return the swaps table of some logs, in their order.

    An ``Initialize`` becomes a row with zero amounts, liquidity and parties. Amounts are signed from the pool's side:
    positive went in. The float columns are the amounts in smallest units, rounded.

    Parameters
    ----------
    logs
        Verified logs of one pool whose first topic is one of ``TOPICS``.

    Raises
    ------
    LogsMismatch
        When one does not have Uniswap's shape.
    """
    bodies, senders, recipients = [], [], []
    for log in logs:
        starts = log.topics[0] == INITIALIZE
        if (len(log.data), len(log.topics)) != ((2 * _WORD, 1) if starts else (5 * _WORD, 3)):
            raise LogsMismatch(
                "a pool's log does not have the shape of Uniswap V3",
                got=f"{len(log.data)} bytes and {len(log.topics)} topics",
                where=f"block {log.block_number}, log {log.log_index}",
                next_step="Check that the address is a Uniswap V3 pool",
            )
        if starts:
            bodies.append(bytes(2 * _WORD) + log.data[:_WORD] + bytes(_WORD) + log.data[_WORD:])
        else:
            bodies.append(log.data)
        senders.append(_ZERO_TOPIC if starts else log.topics[1])
        recipients.append(_ZERO_TOPIC if starts else log.topics[2])
    words = np.frombuffer(b"".join(bodies), dtype=np.uint8).reshape(-1, 5, _WORD)  # (logs, words, bytes)
    columns: dict[str, Any] = {
        "block_number": np.fromiter((log.block_number for log in logs), np.uint64, len(logs)),
        "timestamp": np.fromiter((log.timestamp for log in logs), np.uint64, len(logs)),
        "transaction_index": np.fromiter((log.transaction_index for log in logs), np.uint32, len(logs)),
        "log_index": np.fromiter((log.log_index for log in logs), np.uint32, len(logs)),
        "transaction_hash": [bytes.fromhex(log.transaction_hash.removeprefix("0x")) for log in logs],
        "sender": _binary(_bytes_of(senders)[:, 12:]),
        "recipient": _binary(_bytes_of(recipients)[:, 12:]),
        "amount0": _binary(words[:, 0]),
        "amount1": _binary(words[:, 1]),
        "amount0_float": signed_to_float(words[:, 0]),
        "amount1_float": signed_to_float(words[:, 1]),
        "sqrt_price_x96": _binary(words[:, 2]),
        "liquidity": _binary(words[:, 3]),
        "tick": np.ascontiguousarray(words[:, 4, 28:]).view(">i4").reshape(-1).astype(np.int32),
    }
    return pl.DataFrame(columns, schema={name: getattr(pl, kind) for name, kind in UNISWAP_V3_SWAPS.items()})


def signed_to_float(words: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return 256-bit two's complement integers as the nearest floats.

    Parameters
    ----------
    words
        Big-endian bytes.  # (rows, 32)

    Examples
    --------
    >>> signed_to_float(np.full((1, 32), 255, dtype=np.uint8)).tolist()
    [-1.0]
    """
    limbs = np.ascontiguousarray(words).view(">u8").reshape(-1, 4).astype(np.uint64)  # (rows, 4) most significant first
    negative = (limbs[:, 0] >> np.uint64(63)).astype(bool)
    # The magnitude comes first: adding the limbs of a small negative number as floats would lose all of its digits.
    limbs[negative] = ~limbs[negative]
    carry = negative.astype(np.uint64)
    for place in (3, 2, 1, 0):
        limbs[:, place] += carry
        carry &= (limbs[:, place] == 0).astype(np.uint64)
    magnitude = sum(limbs[:, place].astype(np.float64) * 2.0 ** (64 * (3 - place)) for place in range(4))
    return np.asarray(np.where(negative, -magnitude, magnitude), dtype=np.float64)


def _bytes_of(words: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(words), dtype=np.uint8).reshape(-1, _WORD)


def _binary(cells: NDArray[np.uint8]) -> pl.Series:
    """Return rows of bytes as a column, copied once.  # (rows, width)."""
    rows, width = cells.shape
    flat = pa.py_buffer(np.ascontiguousarray(cells).tobytes())
    fixed = pa.Array.from_buffers(pa.binary(width), rows, [None, flat])
    return pl.Series(pl.from_arrow(fixed.cast(pa.large_binary())))
