"""``vaultkit train`` and ``vaultkit compile`` on a small store, in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fixtures.circuit import made_pool, made_swaps
from vaultkit.book import AddressBook
from vaultkit.circuits.meaning import require_meaning
from vaultkit.cli import main
from vaultkit.errors import ArtefactMismatch
from vaultkit.manifest import ArtefactManifest, DatasetManifest


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with an address book and a store of one made-up pool."""
    from vaultkit.coprocessor.store import write_tables

    folder = tmp_path_factory.mktemp("project")
    AddressBook(chain_id=31337, pool=made_pool()).save(folder / "book.json")
    frame = made_swaps(0, days=10, momentum=300)
    files = write_tables(folder / "store", 1, frame.height, {"uniswap_v3_swaps": frame})
    DatasetManifest(
        network="store",
        chain_id=31337,
        anchor="single",
        address=made_pool().pool,
        first_block=1,
        last_block=frame.height,
        last_hash="0x" + "00" * 32,
        blocks_positive=frame.height,
        files=files,
    ).save(folder / "store")
    return folder


def call(project, capsys, *words):
    places = ["--store", str(project / "store"), "--book", str(project / "book.json")]
    weights = ["--model", str(project / "models" / "momentum.safetensors")]
    with pytest.raises(SystemExit) as ended:
        main([*words, *places, *weights, "--json"])
    return ended.value.code, json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module")
def trained(project):
    out = ["--store", str(project / "store"), "--book", str(project / "book.json"), "--controls", "1"]
    with pytest.raises(SystemExit) as ended:
        main(["train", "momentum", *out, "--model", str(project / "models" / "momentum.safetensors"), "--json"])
    assert ended.value.code == 0
    return json.loads((project / "models" / "momentum.json").read_text())


def test_train_keeps_weights_and_figures(project, trained):
    assert (project / "models" / "momentum.safetensors").is_file()
    assert trained["directional_accuracy"] > 0.5
    assert {"control_accuracy", "hold_return", "return_after_gas"} <= set(trained)


def test_compile_twice_keeps_the_verifier(project, trained, capsys):
    out = project / "artefacts" / "momentum"
    code, figures = call(project, capsys, "compile", "momentum", "--out", str(out))
    assert (code, figures["logrows"], figures["srs"]) == (0, 11, "unsafe-local")
    first = ArtefactManifest.load(out)
    require_meaning(out, first)
    doubled = first.model_copy(update={"output_scale": first.output_scale - 1, "gain_bits": first.gain_bits - 1})
    with pytest.raises(ArtefactMismatch, match=f"expected gain_bits {first.gain_bits}, output_scale"):
        require_meaning(out, doubled)
    assert first.gain_bits, "so that the gain is told, not taken for none"
    assert call(project, capsys, "compile", "momentum", "--out", str(out))[0] == 0
    assert ArtefactManifest.load(out).files["vk.key"] == first.files["vk.key"]
    assert sorted(path.name for path in out.parent.iterdir()) == ["momentum"]


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("train", "momentun"), 2, "StrategyError"),
        (("compile", "hold"), 2, "StrategyError"),
        (("compile", "momentum", "--max-disagreement", "0"), 7, "FidelityTooLow"),
        (("compile", "momentum", "--max-pnl-difference", "0"), 7, "FidelityTooLow"),
    ],
    ids=["unknown", "no-model", "decisions", "money"],
)
def test_bad_request_is_one_sentence_and_its_exit_code(project, trained, capsys, words, code, error):
    out = ("--out", str(project / "artefacts" / "bad")) if words[0] == "compile" else ()
    found, answer = call(project, capsys, *words, *out)
    assert (found, answer["error"]) == (code, error)
    assert not (project / "artefacts" / "bad").exists()


def test_untrained_strategy_is_not_compiled(project, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["compile", "momentum", "--model", str(project / "none.safetensors"), "--json"])
    assert ended.value.code == 2
    assert "vaultkit train" in json.loads(capsys.readouterr().out)["message"]


def test_empty_store_is_refused(project, capsys, tmp_path):
    with pytest.raises(SystemExit) as ended:
        main(["train", "momentum", "--store", str(tmp_path), "--book", str(project / "book.json"), "--json"])
    assert ended.value.code == 6
    assert json.loads(capsys.readouterr().out)["error"] == "StoreError"


@pytest.mark.slow
def test_tuned_compile_finds_a_smaller_circuit_and_records_its_choice(project, trained, capsys):
    out = project / "artefacts" / "tuned"
    words = ("compile", "momentum", "--out", str(out), "--tune", "--max-verify-gas", "455000", "--finalists", "2")
    code, figures = call(project, capsys, *words)
    assert code == 0
    assert figures["logrows"] <= 10
    assert figures["verify_gas"] <= 455_000
    manifest = ArtefactManifest.load(out)
    assert manifest.tuning["chosen"] == manifest.shape
    assert manifest.shape["scale_rebase_multiplier"] == 2
    assert "seconds" not in str(manifest.tuning)
    again = project / "artefacts" / "again"
    assert call(project, capsys, *words[:3], str(again), *words[4:])[0] == 0
    assert ArtefactManifest.load(again).tuning == manifest.tuning, "the choice is the same every time"


@pytest.mark.slow
def test_limit_that_no_shape_keeps_is_named(project, trained, capsys):
    words = ("compile", "momentum", "--out", str(project / "artefacts" / "none"), "--tune", "--max-logrows", "8")
    code, answer = call(project, capsys, *words)
    assert (code, answer["error"]) == (7, "FidelityTooLow")
    assert not (project / "artefacts" / "none").exists()


@pytest.mark.slow
def test_smaller_net_is_kept_by_the_next_compile(project, trained, capsys):
    out = project / "artefacts" / "narrow"
    loose = ("--max-disagreement", "1", "--max-pnl-difference", "1")
    words = ("compile", "momentum", "--out", str(out), *loose)
    code, _ = call(project, capsys, *words, "--tune", "--finalists", "1", "--width", "0", "--width", "4")
    assert code == 0
    first = ArtefactManifest.load(out)
    assert first.tuning["chosen"]["net"]["width"] in (0, 4)
    assert call(project, capsys, *words)[0] == 0
    again = ArtefactManifest.load(out)
    assert (again.tuning, again.files["vk.key"]) == (first.tuning, first.files["vk.key"])


def test_width_without_a_search_is_refused(project, trained, capsys):
    code, answer = call(project, capsys, "compile", "momentum", "--width", "4")
    assert (code, answer["error"]) == (2, "SettingsError")
    assert "--tune" in answer["message"]


@pytest.mark.slow
def test_default_strategy_compiles_and_is_verified_under_the_real_ceremony(project, trained, capsys):
    ceremony = Path(__file__).parents[3] / "shared" / "data" / "kzg" / "powersOfTau28_hez_final_11.ptau"
    if not ceremony.is_file():
        pytest.skip("the ceremony file is not at hand")
    out = project / "artefacts" / "honest"
    code, figures = call(project, capsys, "compile", "momentum", "--out", str(out), "--srs", str(ceremony))
    assert (code, figures["srs"]) == (0, "ceremony")
    assert figures["logrows"] <= 11
    assert figures["verify_gas"] <= 455_000
    assert figures["verifier_bytes"] <= 11_000
    assert figures["pk_bytes"] <= 20_000_000
    assert figures["proof_seconds"] > 0
    assert figures["disagreement"] <= 0.005
