"""Reference strings: a real ceremony's file is converted and checked, damaged and made-up ones are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vaultkit.circuits.ceremony import check_string, convert, read_ceremony
from vaultkit.circuits.curve import BASE_FIELD, weighted_sum
from vaultkit.circuits.srs import ceremony_srs, import_ceremony, inspect_string, local_srs, stored_strings
from vaultkit.cli import main
from vaultkit.errors import UnsafeSrs

KZG = Path(__file__).parents[3] / "shared" / "data" / "kzg"
PTAU = KZG / "powersOfTau28_hez_final_11.ptau"
GENERATOR = (1, 2)

needs_ceremony = pytest.mark.skipif(not PTAU.is_file(), reason="the ceremony file is not at hand")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> bytes:
    """Return a string that ezkl generated: whole, and nobody's ceremony."""
    return local_srs(tmp_path_factory.mktemp("srs"), 8)[0].read_bytes()


def g1_offset(index: int) -> int:
    return 4 + 64 * index


def test_string_that_ezkl_made_passes_every_check(made):
    assert check_string(made) == 8


@pytest.mark.parametrize("length", [0, 3, 100, 33_027, 33_029])
def test_string_of_the_wrong_length_is_refused(made, length):
    with pytest.raises(UnsafeSrs, match="wrong length"):
        check_string((made + b"\x00")[:length])


def test_power_of_another_secret_is_refused(made):
    changed = bytearray(made)
    changed[g1_offset(5) : g1_offset(6)] = made[g1_offset(6) : g1_offset(7)]
    with pytest.raises(UnsafeSrs, match="one secret"):
        check_string(bytes(changed))


def test_secret_that_differs_in_g2_is_refused(made):
    with pytest.raises(UnsafeSrs, match="one secret"):
        check_string(made[:-128] + made[-256:-128])


def test_lagrange_points_in_another_order_are_refused(made):
    changed, first = bytearray(made), g1_offset(256)
    changed[first : first + 64], changed[first + 64 : first + 128] = (
        made[first + 64 : first + 128],
        made[first : first + 64],
    )
    with pytest.raises(UnsafeSrs, match="Lagrange"):
        check_string(bytes(changed))


@pytest.mark.parametrize("position", [g1_offset(3), g1_offset(300), -40])
def test_point_off_the_curve_is_refused(made, position):
    changed = bytearray(made)
    changed[position] ^= 1
    with pytest.raises(UnsafeSrs, match=r"not on the curve|not in the group"):
        check_string(bytes(changed))


def test_known_secret_is_refused(made):
    changed = bytearray(made)
    changed[g1_offset(1) : g1_offset(2)] = made[g1_offset(0) : g1_offset(1)]
    with pytest.raises(UnsafeSrs, match="secret one"):
        check_string(bytes(changed))


def test_weighted_sum_agrees_with_the_pairing_library():
    from py_ecc.optimized_bn128 import G1, add, multiply, normalize

    terms = [tuple(int(c) for c in normalize(multiply(G1, k))) for k in (1, 7, 7, 2**200 + 5)]
    weights = [3, 2**250 + 1, 9, 0]
    expected = None
    for k, weight in zip((1, 7, 7, 2**200 + 5), weights, strict=True):
        point = multiply(G1, k * weight)
        expected = point if expected is None else add(expected, point)
    assert weighted_sum(terms, weights) == tuple(int(c) for c in normalize(expected))


def test_sum_of_a_point_and_its_negative_is_at_infinity():
    assert weighted_sum([GENERATOR, (1, BASE_FIELD - 2)], [5, 5]) is None


def test_string_of_this_machine_is_no_ceremony(tmp_path):
    path, _ = local_srs(tmp_path, 8)
    with pytest.raises(UnsafeSrs, match="not known to come from a ceremony"):
        ceremony_srs(path, tmp_path / "other", 8)
    assert [info.kind for _, info in stored_strings(tmp_path)] == ["unsafe-local"]
    assert inspect_string(path)["kind"] == "unsafe-local"


def test_file_that_is_no_ceremony_is_refused(tmp_path):
    path = tmp_path / "some.ptau"
    path.write_bytes(b"zkey" + bytes(100))
    with pytest.raises(UnsafeSrs, match="not a powers-of-tau"):
        read_ceremony(path)


@needs_ceremony
@pytest.mark.parametrize("logrows", [8, 9, 10, 11])
def test_conversion_equals_the_known_strings_byte_for_byte(logrows):
    assert convert(read_ceremony(PTAU), logrows) == (KZG / f"kzg{logrows}.srs").read_bytes()


@needs_ceremony
def test_import_records_the_ceremony_and_list_shows_it(tmp_path, capsys):
    main_exit(["srs", "import", str(PTAU), "--logrows", "8", "--folder", str(tmp_path), "--json"])
    record = json.loads(capsys.readouterr().out)
    assert record["ceremony"].startswith("47c282116b892e5a")
    assert (record["name"], record["contributions"]) == ("Hermez, 2^11", 55)
    main_exit(["srs", "list", "--folder", str(tmp_path), "--json"])
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["kind"], listed["logrows"]) == ("ceremony", 8)
    main_exit(["srs", "check", str(tmp_path / listed["file"]), "--json"])
    assert json.loads(capsys.readouterr().out)["kind"] == "ceremony"


def main_exit(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert not ended.value.code


@needs_ceremony
def test_changed_bytes_after_an_import_are_no_ceremony_any_more(tmp_path):
    import_ceremony(PTAU, tmp_path, 8)
    (path,) = tmp_path.glob("*.srs")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert [info.kind for _, info in stored_strings(tmp_path)] == ["unsafe-local"]


@needs_ceremony
def test_ceremony_file_cut_short_is_refused(tmp_path):
    path = tmp_path / "cut.ptau"
    path.write_bytes(PTAU.read_bytes()[:-1000])
    with pytest.raises(UnsafeSrs, match="cut short"):
        read_ceremony(path)


@needs_ceremony
def test_ceremony_file_with_one_changed_bit_is_not_the_published_one(tmp_path):
    content = bytearray(PTAU.read_bytes())
    content[300_000] ^= 1
    path = tmp_path / "changed.ptau"
    path.write_bytes(content)
    with pytest.raises(UnsafeSrs, match="not the published one"):
        import_ceremony(path, tmp_path / "srs", 8)
    assert not (tmp_path / "srs").exists()


@needs_ceremony
def test_ceremony_too_small_for_a_circuit_is_refused(tmp_path):
    with pytest.raises(UnsafeSrs, match="too few powers"):
        import_ceremony(PTAU, tmp_path, 12)
