"""The statement of a trade, and the public instances of its proof.

Instance order, fixed for every circuit of the kit:

1. the window integers ``x_0 .. x_{n-1}`` (newest bar difference first),
2. nine limbs of the beneficiary's address, 18 bits each, lowest first,
3. the outputs (for a price strategy one: the target weight times ``2**output_scale``).

Every instance is a BN254 scalar; a negative integer ``v`` is ``r + v``. The proof speaks of model, inputs, beneficiary
and outputs only; chain, vault and epoch are bound by the statement hash and the vault's own bookkeeping.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from eth_abi.abi import encode
from eth_utils.address import is_address, to_checksum_address
from eth_utils.crypto import keccak

from vaultkit.errors import DataError
from vaultkit.units import FIELD_ORDER, WAD

LIMB_BITS: Final = 18
LIMB_COUNT: Final = 9
COMMITMENT_BYTES: Final = 64
"""Size of one weight commitment at the head of a proof."""


def to_felt(value: int) -> int:
    """Return the canonical field element of a signed integer.

    Raises
    ------
    DataError
        When ``|value|`` is not below half the field order.
    """
    if abs(value) > FIELD_ORDER // 2:
        raise DataError("an integer does not fit the field", got=value, expected="|v| <= r // 2")
    return value % FIELD_ORDER


def from_felt(felt: int) -> int:
    """Return the signed integer of a canonical field element.

    Raises
    ------
    DataError
        When ``felt`` is not in ``0 .. r-1``.
    """
    if not 0 <= felt < FIELD_ORDER:
        raise DataError("an instance is not a canonical field element", got=felt, expected="0 <= f < r")
    return felt - FIELD_ORDER if felt > FIELD_ORDER // 2 else felt


def beneficiary_limbs(address: str) -> tuple[int, ...]:
    """Return the nine 18-bit limbs of an address, lowest first.

    Raises
    ------
    DataError
        When ``address`` is not an Ethereum address.

    Examples
    --------
    >>> beneficiary_limbs("0x0000000000000000000000000000000000040001")
    (1, 1, 0, 0, 0, 0, 0, 0, 0)
    """
    if not is_address(address):
        raise DataError("a beneficiary is not an address", got=address)
    number, mask = int(address, 16), (1 << LIMB_BITS) - 1
    return tuple((number >> (LIMB_BITS * i)) & mask for i in range(LIMB_COUNT))


def address_of_limbs(limbs: Sequence[int]) -> str:
    """Return the checksummed address that nine limbs encode; the inverse of `beneficiary_limbs`."""
    if len(limbs) != LIMB_COUNT or any(not 0 <= limb < 1 << LIMB_BITS for limb in limbs):
        raise DataError("limbs do not encode an address", got=tuple(limbs), expected="9 limbs of 18 bits")
    number = sum(limb << (LIMB_BITS * i) for i, limb in enumerate(limbs))
    if number >= 1 << 160:
        raise DataError("limbs exceed an address", got=hex(number), expected="160 bits")
    return to_checksum_address(number.to_bytes(20, "big"))


def instances(inputs: Sequence[int], beneficiary: str, outputs: Sequence[int]) -> tuple[int, ...]:
    """Return the public instances as field elements, in the order of this module's docstring."""
    signed = (*inputs, *beneficiary_limbs(beneficiary), *outputs)
    return tuple(to_felt(value) for value in signed)


def statement_hash(
    chain_id: int,
    vault: str,
    model_id: bytes,
    epoch: int,
    beneficiary: str,
    inputs: Sequence[int],
    outputs: Sequence[int],
) -> bytes:
    """Return ``keccak256(abi.encode(chainId, vault, modelId, epoch, beneficiary, inputs, outputs))``."""
    types = ["uint256", "address", "bytes32", "uint256", "address", "int256[]", "int256[]"]
    return keccak(encode(types, [chain_id, vault, model_id, epoch, beneficiary, list(inputs), list(outputs)]))


def weight_wad(output: int, output_scale: int) -> int:
    """Return the raw target weight with 18 decimals: ``floor(output * 1e18 / 2**output_scale)``; not clamped.

    Examples
    --------
    >>> weight_wad(64, 7)
    500000000000000000
    >>> weight_wad(-1, 7)
    -7812500000000000
    """
    return (output * WAD) >> output_scale
