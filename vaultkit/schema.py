"""Column names and types of the kit's tables, without importing polars.

A type is the name of a polars type. ``Binary`` columns hold big-endian bytes: 20 for addresses, 32 for hashes and for
256-bit integers in two's complement, so that no amount is ever rounded.
"""

from __future__ import annotations

from typing import Final

Schema = dict[str, str]

BLOCKS: Final[Schema] = {
    "block_number": "UInt64",
    "block_hash": "Binary",
    "parent_hash": "Binary",
    "timestamp": "UInt64",
    "base_fee_wei": "UInt64",
    "gas_used": "UInt64",
    "receipts_root": "Binary",
    "bloom_positive": "Boolean",
}
"""Every header of the range, hashed and linked."""

UNISWAP_V3_SWAPS: Final[Schema] = {
    "block_number": "UInt64",
    "timestamp": "UInt64",
    "transaction_index": "UInt32",
    "log_index": "UInt32",
    "transaction_hash": "Binary",
    "address": "Binary",
    "sender": "Binary",
    "recipient": "Binary",
    "amount0": "Binary",
    "amount1": "Binary",
    "amount0_float": "Float64",
    "amount1_float": "Float64",
    "sqrt_price_x96": "Binary",
    "liquidity": "Binary",
    "tick": "Int32",
}
"""``Swap`` events, and the pool's ``Initialize`` as a row with zero amounts, which carries the first tick."""

TABLES: Final[dict[str, Schema]] = {"blocks": BLOCKS, "uniswap_v3_swaps": UNISWAP_V3_SWAPS}
"""What a store of one pool holds; `vaultkit.coprocessor.tables.SCHEMAS` has every table."""
