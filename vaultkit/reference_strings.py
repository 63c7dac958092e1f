"""Which reference strings are believed, and whether a verifier was made under one: not what an artefact says of itself.

Who generated a string can forge proofs under it, so off local chains a string must be one that the kit lists or that
was imported into this project from a ceremony's file, and the verifier must hold that string's secret point.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from vaultkit.errors import UnsafeSrs
from vaultkit.manifest import SrsInfo, sha256_of
from vaultkit.settings import LOCAL_CHAIN_IDS, build_dir

BASE_FIELD: Final = 21888242871839275222246405745257275088696311157297823662689037894645226208583
"""Modulus of the coordinates of BN254's groups (EIP-196)."""

COORDINATE_BYTES: Final = 32
_MONTGOMERY_INVERSE: Final = pow(1 << 256, -1, BASE_FIELD)
_NAMES: Final = ("neg_s_g2_x_1", "neg_s_g2_x_2", "neg_s_g2_y_1", "neg_s_g2_y_2")
_STORED: Final = re.compile(r"mstore\(\s*0x[0-9a-f]+,\s*0x([0-9a-f]{64})\s*\)\s*//\s*(neg_s_g2_[xy]_[12])\b")

G2Point = tuple[int, int, int, int]
"""Both coordinates of a point of BN254's second group, the imaginary part of each first (EIP-197)."""


class CeremonyRecord(BaseModel):
    """What lies beside a converted string: where it comes from.

    Parameters
    ----------
    ceremony
        blake2b-512 of the powers-of-tau file, hex, as the ceremony publishes it.
    sha256
        Of the string in ezkl's layout.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    logrows: int
    sha256: str
    ceremony: str
    name: str
    contributions: int


_HERMEZ: Final = (
    "47c282116b892e5ac92ca238578006e31a47e7c7e70f0baa8b687f0a5203e28e"
    "a07bbbec765a98dcd654bad618475d4661bfaec3bd9ad2ed12e7abc251d94d33"
)
_HERMEZ_TAU: Final[G2Point] = (
    0x26186A2D65EE4D2F9C9A5B91F86597D35F192CD120CAF7E935D8443D1938E23D,
    0x30441FD1B5D3370482C42152A8899027716989A6996C2535BC9F7FEE8AAEF79E,
    0x1970EA81DD6992ADFBC571EFFB03503ADBBB6A857F578403C6C40E22D65B3C02,
    0x054793348F12C0CF5622C340573CB277586319DE359AB9389778F689786B1E48,
)
"""The secret's point in the second group; the same in the files of every size."""

_CONVERTED: Final = {
    8: "4b67ff25b9c00ffc5557f907d0c22cbfe6f4a75a41e5a16cffe199fb50105664",
    9: "087dc7af12c499b2eb04e24ab4099ea8ff44fe4b6c7b79de2001664a204dd101",
    10: "df9e8639a28bcf0f266b21530a7046192e783994c26dffcbc875eae527c4d175",
    11: "c8edbefe1562c50ea105f79d9d49989bcfbf1e6a335b3858d44260e71972b8ee",
}
KNOWN: Final = {
    digest: CeremonyRecord(logrows=k, sha256=digest, ceremony=_HERMEZ, name="Hermez, 2^11", contributions=55)
    for k, digest in _CONVERTED.items()
}
"""Strings that an import makes of the published file of 2^11 powers; the conversion is deterministic."""


def require_safe_srs(info: SrsInfo, chain_id: int, verifier: Path | None = None) -> None:
    """Refuse, off local chains, a string that is not known to come from a ceremony, and a verifier of another one.

    Parameters
    ----------
    info
        What the artefact says; its ``kind`` alone is not believed.
    verifier
        Source of the verifier to be deployed; only the string is looked at where left out.

    Raises
    ------
    UnsafeSrs
        When the string's hash is neither listed nor that of one imported into ``build/srs``, or the verifier holds
        another secret's point.

    Notes
    -----
    The point is read where ezkl writes it. That the rest of a verifier is what ezkl writes is shown by making it again
    from model and settings (``vaultkit artefact check --rebuild``), not here.
    """
    if chain_id in LOCAL_CHAIN_IDS:
        return
    if info.kind == "unsafe-local":
        raise UnsafeSrs(
            "a locally generated SRS lets its maker forge proofs",
            got=f"chain id {chain_id}",
            expected=f"a local chain ({', '.join(map(str, sorted(LOCAL_CHAIN_IDS)))})",
            next_step="Compile the strategy with a ceremony file: `vaultkit compile --srs FILE.ptau`",
        )
    tau = _HERMEZ_TAU if info.sha256 in KNOWN else _imported(info)
    if tau is None:
        raise UnsafeSrs(
            "the artefact names a reference string that is not known to come from a ceremony",
            got=f"sha256 {info.sha256[:16]}…, which its manifest calls {info.kind}",
            expected="a string that the kit lists, or one imported into build/srs",
            where=f"chain id {chain_id}",
            next_step="Run `vaultkit srs import FILE.ptau` and compile with the powers-of-tau file",
        )
    if verifier is not None and tau_of_verifier(verifier) != tau:
        raise UnsafeSrs(
            "the verifier was made under another reference string than the artefact names",
            expected=f"the secret's point of sha256 {info.sha256[:16]}…",
            where=verifier.name,
            next_step="Whoever made that string could forge proofs: compile the strategy again",
        )


def record_beside(path: Path, digest: str) -> CeremonyRecord | None:
    """Return the record of an imported string whose bytes are still those that were checked."""
    try:
        record = CeremonyRecord.model_validate_json(path.with_suffix(".json").read_text())
    except (OSError, ValidationError):
        return None
    return record if record.sha256 == digest else None


def string_name(logrows: int, digest: str) -> str:
    """Return the file name of an imported string."""
    return f"kzg{logrows}-{digest[:16]}.srs"


def coordinate(raw: bytes) -> int:
    """Return the number that 32 bytes of a string encode: little-endian, times ``2**256``.

    Raises
    ------
    UnsafeSrs
        When it is not below the field's order.
    """
    value = int.from_bytes(raw, "little")
    if value >= BASE_FIELD:
        raise UnsafeSrs("a point of a reference string has a coordinate outside the field")
    return value * _MONTGOMERY_INVERSE % BASE_FIELD


def tau_of_string(raw: bytes) -> G2Point:
    """Return the secret's point of a string in ezkl's layout, which ends with it.

    Raises
    ------
    UnsafeSrs
        When a coordinate is outside the field.
    """
    tail = raw[-4 * COORDINATE_BYTES :]
    x0, x1, y0, y1 = (coordinate(tail[i : i + COORDINATE_BYTES]) for i in range(0, len(tail), COORDINATE_BYTES))
    return x1, x0, y1, y0


def tau_of_verifier(source: Path) -> G2Point:
    """Return the secret's point that a verifier checks pairings with; its source holds the point's negative.

    Raises
    ------
    UnsafeSrs
        When the source does not hold exactly one, as ezkl writes it.
    """
    try:
        found = _STORED.findall(source.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise UnsafeSrs("a verifier's source cannot be read", where=source.name) from error
    if sorted(name for _, name in found) != sorted(_NAMES):
        raise UnsafeSrs(
            "a verifier's source does not hold the point of one secret as ezkl writes it",
            got=f"{len(found)} coordinates",
            expected=len(_NAMES),
            where=source.name,
            next_step="Compile the strategy again",
        )
    at = {name: int(value, 16) for value, name in found}
    x1, x0, y1, y0 = (at[name] for name in _NAMES)
    return x1, x0, -y1 % BASE_FIELD, -y0 % BASE_FIELD


def _imported(info: SrsInfo) -> G2Point | None:
    """Return the secret's point of a string that was imported into this project and is still there."""
    path = build_dir() / "srs" / string_name(info.logrows, info.sha256)
    if not path.is_file() or sha256_of(path) != info.sha256 or record_beside(path, info.sha256) is None:
        return None
    return tau_of_string(path.read_bytes())
