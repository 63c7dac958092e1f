"""Powers-of-tau files: read, brought to ezkl's layout, and checked by pairings.

Both layouts store points the same way, so powers are copied. The Lagrange points are those of the file in another
order: snarkjs takes the root of unity that 5 generates, halo2 that of 7.

Layout of ezkl's file: ``k`` as four bytes, ``2**k`` powers in G1, ``2**k`` Lagrange points, the generator of G2, tau
in G2.

References
----------
snarkjs `powersoftau_new.js` and `powersoftau_preparephase2.js` for the sections; halo2's ``ParamsKZG::read_custom``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from py_ecc import optimized_bn128

from vaultkit.circuits.curve import (
    BASE_FIELD,
    COORDINATE_BYTES,
    G1_BYTES,
    G2_BYTES,
    Point,
    coordinate,
    interpolate,
    points,
    root_of_unity,
    string_bytes,
    weighted_sum,
)
from vaultkit.errors import UnsafeSrs
from vaultkit.units import FIELD_ORDER

PUBLISHED: Final = {
    "d6a8fb3a04feb600096c3b791f936a578c4e664d262e4aa24beed1b7a9a96aa5"
    "eb72864d628db247e9293384b74b36ffb52ca8d148d6e1b8b51e279fdf57b583": "Hermez, 2^8",
    "94f108a80e81b5d932d8e8c9e8fd7f46cf32457e31462deeeef37af1b71c2c1b"
    "3c71fb0d9b59c654ec266b042735f50311f9fd1d4cadce47ab234ad163157cb5": "Hermez, 2^9",
    "6cfeb8cda92453099d20120bdd0e8a5c4e7706c2da9a8f09ccc157ed2464d921"
    "fd0437fb70db42104769efd7d6f3c1f964bcf448c455eab6f6c7d863e88a5849": "Hermez, 2^10",
    "47c282116b892e5ac92ca238578006e31a47e7c7e70f0baa8b687f0a5203e28e"
    "a07bbbec765a98dcd654bad618475d4661bfaec3bd9ad2ed12e7abc251d94d33": "Hermez, 2^11",
}
"""blake2b-512 of ceremony files as the snarkjs documentation lists them."""

_bn128: Any = optimized_bn128

_HEADER, _TAU_G1, _TAU_G2, _CONTRIBUTIONS, _LAGRANGE_G1 = 1, 2, 3, 7, 12
_SNARKJS_GENERATOR, _HALO2_GENERATOR = 5, 7
_WEIGHT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Ceremony:
    """A powers-of-tau file.

    Parameters
    ----------
    blake2b
        Hash of the whole file, hex, as ceremonies publish it.
    contributions
        Number of participants recorded in the file.
    power
        It holds ``2**power`` powers.
    """

    path: Path
    blake2b: str
    contributions: int
    power: int
    sections: dict[int, tuple[int, int]]

    @property
    def published_as(self) -> str | None:
        """Name of the ceremony whose published hash this is; None where the kit knows none."""
        return PUBLISHED.get(self.blake2b)


def read_ceremony(path: Path) -> Ceremony:
    """Return what a ``.ptau`` file says of itself.

    Raises
    ------
    UnsafeSrs
        When it cannot be read, is cut short, is for another curve, or was not prepared for phase 2.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "blake2b").hexdigest()
            file.seek(0)
            sections = _sections(file, path)
            prime_bytes = int.from_bytes(_part(file, sections, _HEADER, 0, 4, path), "little")
            header = _part(file, sections, _HEADER, 4, prime_bytes + 8, path)
            contributions = int.from_bytes(_part(file, sections, _CONTRIBUTIONS, 0, 4, path), "little")
    except OSError as error:
        raise UnsafeSrs("a ceremony file cannot be read", where=path.name) from error
    if int.from_bytes(header[:prime_bytes], "little") != BASE_FIELD:
        raise UnsafeSrs("a ceremony file is for another curve", expected="BN254", where=path.name)
    power = int.from_bytes(header[prime_bytes : prime_bytes + 4], "little")
    return Ceremony(path, digest, contributions, power, sections)


def convert(ceremony: Ceremony, logrows: int) -> bytes:
    """Return the reference string of ``2**logrows`` rows in ezkl's layout; `check_string` has yet to be called on it.

    Raises
    ------
    UnsafeSrs
        When the ceremony has fewer powers.
    """
    if not 1 <= logrows <= ceremony.power:
        raise UnsafeSrs(
            "a ceremony file has too few powers",
            got=f"2**{ceremony.power}",
            expected=f"2**{logrows}",
            where=ceremony.path.name,
            next_step="Get the file of a larger power of the same ceremony",
        )
    rows = 1 << logrows
    with ceremony.path.open("rb") as file:
        powers = _part(file, ceremony.sections, _TAU_G1, 0, rows * G1_BYTES, ceremony.path)
        in_g2 = _part(file, ceremony.sections, _TAU_G2, 0, 2 * G2_BYTES, ceremony.path)
        # Section 12 holds the bases of 2**0, 2**1, .. rows one after the other.
        lagrange = _part(file, ceremony.sections, _LAGRANGE_G1, (rows - 1) * G1_BYTES, rows * G1_BYTES, ceremony.path)
    order = _halo2_order(logrows)
    reordered = b"".join(lagrange[i * G1_BYTES : (i + 1) * G1_BYTES] for i in order)
    return logrows.to_bytes(4, "little") + powers + reordered + in_g2


def check_string(raw: bytes) -> int:
    """Return the ``logrows`` of a reference string in ezkl's layout after checking all of it.

    Every point is on its curve, the powers are those of one tau that is also the one in G2 (two pairings over a random
    sum), and the Lagrange points are the same powers in the other basis (a random sum again).

    Raises
    ------
    UnsafeSrs
        When it is cut short or any check fails.

    Notes
    -----
    Nothing shows that tau is unknown: that is what the ceremony's published hash is for.
    """
    logrows = int.from_bytes(raw[:4], "little")
    rows = 1 << min(logrows, 32)
    if len(raw) < 4 or len(raw) != string_bytes(min(logrows, 32)):
        raise UnsafeSrs("a reference string has the wrong length", got=len(raw), expected=f"that of 2**{logrows} rows")
    start = 4 + rows * G1_BYTES
    powers, lagrange = points(raw[4:start]), points(raw[start : start + rows * G1_BYTES])
    tail = raw[start + rows * G1_BYTES :]
    generator, tau = _g2_point(tail[:G2_BYTES]), _g2_point(tail[G2_BYTES:])
    first = tuple(int(c) for c in _bn128.normalize(_bn128.G1))
    if powers[0] != first or _bn128.normalize(generator) != _bn128.normalize(_bn128.G2):
        raise UnsafeSrs("a reference string does not begin with the curve's generators")
    if powers[1] == powers[0]:
        raise UnsafeSrs("a reference string has the secret one")
    words = hashlib.shake_128(raw).digest(rows * _WEIGHT_BYTES)
    weights = [int.from_bytes(words[i * _WEIGHT_BYTES : (i + 1) * _WEIGHT_BYTES], "little") for i in range(rows)]
    if not _one_tau(powers, weights[:-1], generator, tau):
        raise UnsafeSrs("the powers of a reference string are not those of one secret")
    coefficients = interpolate(weights, root_of_unity(_HALO2_GENERATOR, logrows))
    if weighted_sum(lagrange, weights) != weighted_sum(powers, coefficients):
        raise UnsafeSrs("the Lagrange points of a reference string do not belong to its powers")
    return logrows


def _one_tau(powers: list[Point], weights: list[int], generator: object, tau: object) -> bool:
    """Return whether ``e(sum w_i P_{i+1}, G2) == e(sum w_i P_i, tau G2)``."""
    higher, lower = weighted_sum(powers[1:], weights), weighted_sum(powers[:-1], weights)
    if higher is None or lower is None:
        return False
    return bool(_bn128.pairing(generator, _g1(higher)) == _bn128.pairing(tau, _g1(lower)))


def _g1(point: Point) -> object:
    return _bn128.FQ(point[0]), _bn128.FQ(point[1]), _bn128.FQ.one()


def _g2_point(raw: bytes) -> object:
    x0, x1, y0, y1 = (coordinate(raw[i : i + COORDINATE_BYTES]) for i in range(0, G2_BYTES, COORDINATE_BYTES))
    point = _bn128.FQ2([x0, x1]), _bn128.FQ2([y0, y1]), _bn128.FQ2.one()
    if not _bn128.is_on_curve(point, _bn128.b2) or not _bn128.is_inf(_bn128.multiply(point, _bn128.curve_order)):
        raise UnsafeSrs("a point of a reference string is not in the group G2")
    return point


def _halo2_order(logrows: int) -> list[int]:
    """Return, for each of halo2's roots of unity, its index among snarkjs's."""
    theirs, ours = root_of_unity(_SNARKJS_GENERATOR, logrows), root_of_unity(_HALO2_GENERATOR, logrows)
    index, power = {}, 1
    for i in range(1 << logrows):
        index[power] = i
        power = power * theirs % FIELD_ORDER
    step = index[ours]
    return [i * step % (1 << logrows) for i in range(1 << logrows)]


def _sections(file: BinaryIO, path: Path) -> dict[int, tuple[int, int]]:
    head = file.read(12)
    if len(head) < 12 or head[:4] != b"ptau":
        raise UnsafeSrs("a file is not a powers-of-tau file", got=head[:4].hex(), expected="ptau", where=path.name)
    size, found, position = path.stat().st_size, {}, 12
    for _ in range(int.from_bytes(head[8:12], "little")):
        file.seek(position)
        entry = file.read(12)
        kind, length = int.from_bytes(entry[:4], "little"), int.from_bytes(entry[4:], "little")
        if len(entry) < 12 or position + 12 + length > size:
            raise _cut_short(path)
        found[kind] = (position + 12, length)
        position += 12 + length
    return found


def _part(
    file: BinaryIO, sections: dict[int, tuple[int, int]], kind: int, start: int, length: int, path: Path
) -> bytes:
    if kind not in sections:
        raise UnsafeSrs(
            "a ceremony file lacks a section",
            got=sorted(sections),
            expected=kind,
            where=path.name,
            next_step="Take the file prepared for phase 2 (`snarkjs powersoftau prepare phase2`)",
        )
    begin, size = sections[kind]
    if start + length > size:
        raise _cut_short(path)
    file.seek(begin + start)
    return file.read(length)


def _cut_short(path: Path) -> UnsafeSrs:
    return UnsafeSrs("a ceremony file is cut short", where=path.name, next_step="Download it again")
