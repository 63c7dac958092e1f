"""What is believed of a reference string off local chains: known hashes and points, not an artefact's own word."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from vaultkit.circuits.srs import find_srs
from vaultkit.errors import UnsafeSrs
from vaultkit.manifest import SrsInfo
from vaultkit.reference_strings import (
    BASE_FIELD,
    KNOWN,
    CeremonyRecord,
    require_safe_srs,
    string_name,
    tau_of_string,
    tau_of_verifier,
)

HERMEZ = next(digest for digest, record in KNOWN.items() if record.logrows == 11)
KZG = Path(__file__).parents[3] / "shared" / "data" / "kzg"


def under_hermez(source: str) -> str:
    """A verifier as ezkl writes it, with the negative of the published secret's point in it."""
    x1, x0 = (
        0x26186A2D65EE4D2F9C9A5B91F86597D35F192CD120CAF7E935D8443D1938E23D,
        0x30441FD1B5D3370482C42152A8899027716989A6996C2535BC9F7FEE8AAEF79E,
    )
    y1, y0 = (
        BASE_FIELD - 0x1970EA81DD6992ADFBC571EFFB03503ADBBB6A857F578403C6C40E22D65B3C02,
        BASE_FIELD - 0x054793348F12C0CF5622C340573CB277586319DE359AB9389778F689786B1E48,
    )
    for name, value in (("x_1", x1), ("x_2", x0), ("y_1", y1), ("y_2", y0)):
        source = re.sub(rf"0x[0-9a-f]{{64}}\) // neg_s_g2_{name}", f"0x{value:064x}) // neg_s_g2_{name}", source)
    return source


def test_a_manifest_that_calls_its_string_a_ceremonys_is_not_believed(circuit: Any) -> None:
    claimed = circuit.manifest.srs.model_copy(update={"kind": "ceremony"})
    require_safe_srs(claimed, 31337)
    with pytest.raises(UnsafeSrs, match="not known to come from a ceremony"):
        require_safe_srs(claimed, 1)
    with pytest.raises(UnsafeSrs, match="not known to come from a ceremony"):
        require_safe_srs(SrsInfo(kind="ceremony", logrows=11, sha256="00"), 1)


def test_a_verifier_of_another_string_than_the_named_one_is_refused(circuit: Any, tmp_path: Path) -> None:
    named = SrsInfo(kind="ceremony", logrows=11, sha256=HERMEZ)
    source = tmp_path / "Verifier.sol"
    require_safe_srs(named, 1)
    with pytest.raises(UnsafeSrs, match="under another reference string"):
        require_safe_srs(named, 1, circuit.folder / "Verifier.sol")
    source.write_text(under_hermez((circuit.folder / "Verifier.sol").read_text()))
    require_safe_srs(named, 1, source)


def test_a_source_without_exactly_one_point_is_refused(circuit: Any, tmp_path: Path) -> None:
    named, source = SrsInfo(kind="ceremony", logrows=11, sha256=HERMEZ), tmp_path / "Verifier.sol"
    text = under_hermez((circuit.folder / "Verifier.sol").read_text())
    (line,) = (one for one in text.splitlines() if one.endswith("// neg_s_g2_x_1"))
    for changed in (text.replace(line, ""), text.replace(line, f"{line}\n{line}"), "contract Verifier {}"):
        source.write_text(changed)
        with pytest.raises(UnsafeSrs, match="as ezkl writes it"):
            require_safe_srs(named, 1, source)


def test_an_imported_string_is_believed_while_its_bytes_are_there(
    circuit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vaultkit.reference_strings.build_dir", lambda: tmp_path)
    held = circuit.manifest.srs
    named, verifier = held.model_copy(update={"kind": "ceremony"}), circuit.folder / "Verifier.sol"
    path = tmp_path / "srs" / string_name(held.logrows, held.sha256)
    path.parent.mkdir()
    shutil.copy(find_srs(circuit.folder, held), path)
    with pytest.raises(UnsafeSrs, match="not known"):
        require_safe_srs(named, 1, verifier)
    record = CeremonyRecord(logrows=11, sha256=held.sha256, ceremony="00", name="of a test", contributions=3)
    path.with_suffix(".json").write_text(record.model_dump_json())
    require_safe_srs(named, 1, verifier)
    assert tau_of_string(path.read_bytes()) == tau_of_verifier(verifier)
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(UnsafeSrs, match="not known"):
        require_safe_srs(named, 1, verifier)


@pytest.mark.skipif(not (KZG / "kzg8.srs").is_file(), reason="the ceremony's strings are not at hand")
def test_every_known_string_holds_the_point_that_the_kit_lists(circuit: Any, tmp_path: Path) -> None:
    source = tmp_path / "Verifier.sol"
    source.write_text(under_hermez((circuit.folder / "Verifier.sol").read_text()))
    for logrows in (8, 9, 10, 11):
        assert tau_of_string((KZG / f"kzg{logrows}.srs").read_bytes()) == tau_of_verifier(source)
