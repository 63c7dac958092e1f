"""BN254 points as raw bytes, and the sums over them that checking a reference string needs.

Coordinates are stored as ezkl and snarkjs both store them: 32 little-endian bytes of the number times ``2**256``
(Montgomery form). Sums run on plain integers, a hundred times faster than over the pairing library's field objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from vaultkit.errors import UnsafeSrs
from vaultkit.reference_strings import BASE_FIELD as BASE_FIELD
from vaultkit.reference_strings import COORDINATE_BYTES as COORDINATE_BYTES
from vaultkit.reference_strings import coordinate as coordinate
from vaultkit.units import FIELD_ORDER

G1_BYTES: Final = 2 * COORDINATE_BYTES
G2_BYTES: Final = 4 * COORDINATE_BYTES
TWO_ADICITY: Final = 28

Point = tuple[int, int]
_Jacobian = tuple[int, int, int]
_ZERO: Final = (1, 1, 0)
_WINDOW_BITS: Final = 8


def string_bytes(logrows: int) -> int:
    """Return the length of a reference string: powers in G1, the same in Lagrange form, and two points of G2."""
    return 4 + 2 * (G1_BYTES << logrows) + 2 * G2_BYTES


def points(raw: bytes) -> list[Point]:
    """Return the G1 points of ``raw``, each on the curve and none at infinity.

    Raises
    ------
    UnsafeSrs
        When one is not.
    """
    found = []
    for start in range(0, len(raw), G1_BYTES):
        x = coordinate(raw[start : start + COORDINATE_BYTES])
        y = coordinate(raw[start + COORDINATE_BYTES : start + G1_BYTES])
        if (y * y - x * x * x - 3) % BASE_FIELD:
            raise UnsafeSrs("a point of a reference string is not on the curve", where=f"point {start // G1_BYTES}")
        found.append((x, y))
    return found


def weighted_sum(terms: Sequence[Point], weights: Sequence[int]) -> Point | None:
    """Return ``sum(weight * point)``; None is the point at infinity."""
    bits = max((weight.bit_length() for weight in weights), default=0)
    total: _Jacobian = _ZERO
    for shift in range((bits + _WINDOW_BITS - 1) // _WINDOW_BITS * _WINDOW_BITS - _WINDOW_BITS, -1, -_WINDOW_BITS):
        for _ in range(_WINDOW_BITS):
            total = _double(total)
        buckets = [_ZERO] * (1 << _WINDOW_BITS)
        for point, weight in zip(terms, weights, strict=True):
            digit = weight >> shift & (1 << _WINDOW_BITS) - 1
            if digit:
                buckets[digit] = _add(buckets[digit], (*point, 1))
        total = _add(total, _bucket_sum(buckets[1:]))
    return _affine(total)


def root_of_unity(generator: int, logrows: int) -> int:
    """Return the ``2**logrows``-th root of unity of the scalar field that a library derives from ``generator``."""
    root = pow(generator, (FIELD_ORDER - 1) >> TWO_ADICITY, FIELD_ORDER)
    return pow(root, 1 << (TWO_ADICITY - logrows), FIELD_ORDER)


def interpolate(values: Sequence[int], root: int) -> list[int]:
    """Return the coefficients of the polynomial with ``values`` at the powers of ``root``."""
    coefficients = _transform(list(values), pow(root, -1, FIELD_ORDER))
    share = pow(len(values), -1, FIELD_ORDER)
    return [value * share % FIELD_ORDER for value in coefficients]


def _transform(values: list[int], root: int) -> list[int]:
    if len(values) == 1:
        return values
    even, odd = (_transform(values[i::2], root * root % FIELD_ORDER) for i in (0, 1))
    power, low, high = 1, [], []
    for a, b in zip(even, odd, strict=True):
        turned = power * b % FIELD_ORDER
        low.append((a + turned) % FIELD_ORDER)
        high.append((a - turned) % FIELD_ORDER)
        power = power * root % FIELD_ORDER
    return low + high


def _bucket_sum(buckets: Iterable[_Jacobian]) -> _Jacobian:
    running, total = _ZERO, _ZERO
    for bucket in reversed(list(buckets)):
        running = _add(running, bucket)
        total = _add(total, running)
    return total


def _double(a: _Jacobian) -> _Jacobian:
    x, y, z = a
    if not z:
        return a
    yy = y * y % BASE_FIELD
    s = 4 * x * yy % BASE_FIELD
    m = 3 * x * x % BASE_FIELD
    x3 = (m * m - 2 * s) % BASE_FIELD
    return x3, (m * (s - x3) - 8 * yy * yy) % BASE_FIELD, 2 * y * z % BASE_FIELD


def _add(a: _Jacobian, b: _Jacobian) -> _Jacobian:
    if not a[2]:
        return b
    if not b[2]:
        return a
    za, zb = a[2] * a[2] % BASE_FIELD, b[2] * b[2] % BASE_FIELD
    u, v = a[0] * zb % BASE_FIELD, b[0] * za % BASE_FIELD
    s, t = a[1] * zb * b[2] % BASE_FIELD, b[1] * za * a[2] % BASE_FIELD
    if u == v:
        return _double(a) if s == t else _ZERO
    h, r = v - u, t - s
    hh = h * h % BASE_FIELD
    hhh, uhh = h * hh % BASE_FIELD, u * hh % BASE_FIELD
    x = (r * r - hhh - 2 * uhh) % BASE_FIELD
    return x, (r * (uhh - x) - s * hhh) % BASE_FIELD, h * a[2] * b[2] % BASE_FIELD


def _affine(a: _Jacobian) -> Point | None:
    if not a[2]:
        return None
    inverse = pow(a[2], -1, BASE_FIELD)
    return a[0] * inverse * inverse % BASE_FIELD, a[1] * pow(inverse, 3, BASE_FIELD) % BASE_FIELD
