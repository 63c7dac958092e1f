"""Bytes as the chain hashes them: native keccak, and RLP written in one pass.

The `rlp` package validates and recurses through every item, which is most of the time of verifying a block. Encoding is
two lines of rules, so the hot path writes it directly; the tests hold these functions against the package. Decoding,
where rules matter, is the package's.

References
----------
Ethereum Yellow Paper, appendix B.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from sha3 import keccak_256


def keccak(data: bytes) -> bytes:
    """Return the keccak-256 of bytes."""
    digest: bytes = keccak_256(data).digest()
    return digest


@lru_cache(maxsize=4096)
def string_head(size: int) -> bytes:
    """Return what stands before a string of ``size`` bytes, other than a single byte below 128."""
    return _head(0x80, size)


@lru_cache(maxsize=4096)
def list_head(size: int) -> bytes:
    """Return what stands before a list whose encoded items take ``size`` bytes."""
    return _head(0xC0, size)


def _head(base: int, size: int) -> bytes:
    if size < 56:
        return bytes([base + size])
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([base + 55 + len(length)]) + length


@lru_cache(maxsize=16_384)
def list_text(size: int) -> str:
    """Return `list_head` as hexadecimal text."""
    return list_head(size).hex()


def encode_string(value: bytes) -> bytes:
    r"""Return the RLP of a byte string.

    Examples
    --------
    >>> encode_string(b"dog")
    b'\x83dog'
    """
    if len(value) == 1 and value[0] < 0x80:
        return value
    return string_head(len(value)) + value


def encode_number(number: int) -> bytes:
    """Return the RLP of a non-negative integer."""
    return encode_string(minimal_bytes(number))


def number_text(number: int) -> str:
    """Return the RLP of an integer of at most 55 bytes, not negative, as hexadecimal text.

    Examples
    --------
    >>> number_text(0), number_text(127), number_text(1024)
    ('80', '7f', '820400')
    """
    if number < 0x80:
        if number < 0:
            raise ValueError("a negative number")
        return f"{number:02x}" if number else "80"
    digits = f"{number:x}"
    size = (len(digits) + 1) // 2
    if size > 55:
        raise ValueError("a number of more than 55 bytes")
    return f"{0x80 + size:02x}{digits}" if len(digits) == 2 * size else f"{0x80 + size:02x}0{digits}"


def encode_list(encoded_items: Iterable[bytes]) -> bytes:
    """Return the RLP of a list whose items are encoded already."""
    body = b"".join(encoded_items)
    return list_head(len(body)) + body


def minimal_bytes(number: int) -> bytes:
    """Return a non-negative integer as RLP wants it: big-endian without leading zeros, empty for zero."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
