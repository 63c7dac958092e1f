"""``vaultkit backtest``, ``sweep`` and ``new strategy`` on a small store, in this process."""

from __future__ import annotations

import json
import runpy

import numpy as np
import polars as pl
import pytest

from tests.fixtures.circuit import made_pool, made_swaps
from vaultkit.book import AddressBook
from vaultkit.cli import main
from vaultkit.errors import DataError, StrategyError
from vaultkit.manifest import DatasetManifest
from vaultkit.strategy.loader import load_strategy, path_of
from vaultkit.strategy.offchain import swaps_from_prices
from vaultkit.strategy.research import Study
from vaultkit.strategy.sweep import Inputs, bayesian, sweep, trial_key
from vaultkit.strategy.variant import grid, parse_axis, variant


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with an address book, a store of one made-up pool, and a strategy that is quick to fit."""
    folder = tmp_path_factory.mktemp("project")
    AddressBook(chain_id=31337, pool=made_pool()).save(folder / "book.json")
    frame = made_swaps(0, days=6, momentum=300)
    save_store(folder / "store", frame, [(1, frame.height, frame)])
    call(folder, "new", "strategy", "quick", "--folder", str(folder / "strategies"))
    file = folder / "strategies" / "quick.py"
    file.write_text(file.read_text().replace('horizon="4h")', 'horizon="4h", max_epochs=3)'))
    return folder


def save_store(folder, frame, parts):
    """Write a store of a frame's rows, one file a part: first and last block, and the rows themselves."""
    from vaultkit.coprocessor.store import write_tables

    files = {}
    for first, last, part in parts:
        files |= write_tables(folder, first, last, {"uniswap_v3_swaps": part})
    DatasetManifest(
        network=folder.name, chain_id=31337, anchor="single", address=made_pool().pool, first_block=1,
        last_block=frame.height, last_hash="0x" + "00" * 32, blocks_positive=frame.height, files=files,
    ).save(folder)  # fmt: skip


def call(project, *words, capsys=None):
    with pytest.raises(SystemExit) as ended:
        main([*words, "--json"])
    return ended.value.code, json.loads(capsys.readouterr().out) if capsys else None


def places(project):
    return ["--store", str(project / "store"), "--book", str(project / "book.json")]


@pytest.fixture
def own_build(tmp_path, monkeypatch):
    monkeypatch.setattr("vaultkit.settings.build_dir", lambda: tmp_path)
    return tmp_path


def test_backtest_writes_a_tearsheet_and_is_kept_by_content(project, own_build, capsys, monkeypatch):
    words = ["backtest", str(project / "strategies" / "quick.py"), *places(project), "--controls", "1", "--folds", "2"]
    code, first = call(project, *words, "--latency", "60", "--latency", "300", "--missed", "0.2", capsys=capsys)
    assert code == 0 and first["prices"] == "verified"
    assert first["epochs_missed"] > 0 and "control_accuracy" in first and "random_baseline_return" in first
    page = own_build / "research" / "quick.html"
    assert page.read_text().startswith("<!doctype html>")

    def never(*_, **__):
        raise AssertionError("it was computed again")

    with monkeypatch.context() as patched:
        patched.setattr("vaultkit.strategy.research.fit_strategy", never)
        again = call(project, *words, "--latency", "60", "--latency", "300", "--missed", "0.2", capsys=capsys)[1]
        assert again == first
        with pytest.raises(AssertionError, match="computed again"):
            main([*words, "--latency", "61", "--json"])


@pytest.mark.parametrize("verb", ["backtest", "train"])
@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        (lambda f, half, end: [(1, half, f[:half]), (half + 9, end, f[half + 8 :])], "RangeMissing", "gap"),
        (lambda f, half, end: [(1, half, f[:half]), (half - 3, end, f[half - 4 :])], "RangeMissing", "overlap"),
        (lambda f, half, end: [(1, half, f[:half])], "RangeMissing", "ends early"),
        (lambda f, half, end: [(1, end, pl.concat([f[:half], f[half - 1 :]]))], "DataError", "a log twice"),
        (lambda f, half, end: [(1, end, pl.concat([f[half:], f[:half]]))], "DataError", "not in chain order"),
        (lambda f, half, end: [(1, end, f.with_columns(block_number=pl.col("block_number").reverse()))],
         "DataError", "out of order"),
    ],
    ids=["gap", "overlap", "end", "doubled", "files in another order", "blocks in another order"],
)  # fmt: skip
def test_damaged_stores_are_refused_by_name(project, own_build, tmp_path, capsys, verb, parts, error, message):
    frame = made_swaps(0, days=6, momentum=300)
    save_store(tmp_path / "store", frame, parts(frame, frame.height // 2, frame.height))
    quick = str(project / "strategies" / "quick.py")
    places = ["--store", str(tmp_path / "store"), "--book", str(project / "book.json")]
    _, answer = call(project, verb, quick, *places, capsys=capsys)
    assert (answer["error"], message in answer["message"]) == (error, True), answer
    assert answer["message"].count(". ") == 1, "it says what to do"


def test_prices_from_a_file_are_marked_unverified(project, own_build, capsys, tmp_path):
    frame = made_swaps(5, days=6)
    prices = 1e12 * 1.0001 ** frame["tick"].to_numpy().astype(float)
    lines = [f"{time},{price}" for time, price in zip(frame["timestamp"].to_list(), prices, strict=True)]
    (tmp_path / "prices.csv").write_text("\n".join(["time,price", *lines]) + "\n")
    words = ["backtest", str(project / "strategies" / "quick.py"), "--book", str(project / "book.json")]
    words += ["--prices", str(tmp_path / "prices.csv"), "--controls", "1", "--folds", "2"]
    code, found = call(project, *words, capsys=capsys)
    assert (code, found["prices"]) == (0, "unverified")
    assert "nothing in them is verified" in (own_build / "research" / "quick.html").read_text()


def test_imported_prices_give_back_the_ticks_that_they_came_from(tmp_path):
    frame = made_swaps(5, days=1)
    ticks = frame["tick"].to_numpy().astype(float)
    lines = [f"{t},{1e12 * 1.0001 ** (k + 0.5)}" for t, k in zip(frame["timestamp"].to_list(), ticks, strict=True)]
    (tmp_path / "prices.csv").write_text("\n".join(["time,close", *lines]) + "\n")
    found = swaps_from_prices(tmp_path / "prices.csv", made_pool())
    assert found["tick"].to_list() == frame["tick"].to_list()
    assert found.schema == frame.schema


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a,b", "1,2"], "needs a time and a price"),
        (["time,price", "1000,1", "1000,2", "1060,2"], "doubled"),
        (["time,price", "1000,1", "900,2", "1060,2"], "out of order"),
        (["time,price", "1000,1", "1060,2", "99999,2"], "too far apart"),
        (["time,price", "1000,1", "1060,nan", "1120,2"], "not a positive number"),
        (["time,price", "1000,1", "1060,-1", "1120,2"], "not a positive number"),
        (["time,price", "1000,1", "soon,1", "1120,2"], "not a time and a number"),
        (["time,price", "1000,1"], "too short"),
        (["time,price", "1000,1e90", "1060,1e90", "1120,1e90"], "outside what a pool can show"),
    ],
)
def test_damaged_prices_are_refused_with_their_line(tmp_path, lines, message):
    (tmp_path / "prices.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=message):
        swaps_from_prices(tmp_path / "prices.csv", made_pool())


def test_missing_price_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        swaps_from_prices(tmp_path / "none.csv", made_pool())


@pytest.fixture(scope="module")
def inputs(project):
    frame = made_swaps(0, days=6, momentum=300)
    study = Study(every_seconds=1_800, folds=2, controls=0)
    return Inputs(project / "strategies" / "quick.py", frame, None, made_pool(), study)


@pytest.fixture(scope="module")
def grown(inputs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trials")
    return folder, sweep(inputs, grid({"gain": [10, 40, 80], "model.hidden": [4, 8]}), folder)


def test_sweep_tries_every_combination_and_ranks_them(grown):
    _, found = grown
    assert len(found.trials) == found.computed == 6
    sharpes = [trial.figures["sharpe"] for trial in found.trials]
    assert sharpes == sorted(sharpes, reverse=True)
    assert len({json.dumps(trial.setting) for trial in found.trials}) == 6
    assert len({trial.returns for trial in found.trials}) == 6
    assert 0 <= found.deflated <= 1


def test_kept_trials_are_not_computed_again_and_torn_ones_are(inputs, grown):
    folder, found = grown
    again = sweep(inputs, grid({"gain": [10, 40, 80], "model.hidden": [4, 8]}), folder)
    assert again.computed == 0 and again.trials == found.trials
    torn = folder / f"{trial_key(inputs.digest(), {'gain': 10, 'model.hidden': 4})}.json"
    torn.write_text(torn.read_text()[:40])
    assert sweep(inputs, grid({"gain": [10], "model.hidden": [4]}), folder).computed == 1


@pytest.mark.slow
def test_two_processes_find_what_one_finds(inputs, grown, tmp_path):
    wanted = {json.dumps(trial.setting): trial.returns for trial in grown[1].trials}
    found = sweep(inputs, grid({"gain": [10, 40], "model.hidden": [4]}), tmp_path, workers=2)
    assert found.computed == 2
    for trial in found.trials:
        assert trial.returns == wanted[json.dumps(trial.setting)]


def test_bayesian_search_stays_in_its_bounds_and_repeats_with_its_seed(inputs, tmp_path):
    axes = {"gain": [5.0, 90.0], "model.hidden": [4, 6]}
    first = bayesian(inputs, axes, 4, tmp_path, seed=3)
    assert all(5 <= t.setting["gain"] <= 90 and t.setting["model.hidden"] in (4, 5, 6) for t in first.trials)
    again = bayesian(inputs, axes, 4, tmp_path, seed=3)
    assert again.computed == 0 and again.trials == first.trials


def test_other_history_or_other_code_is_another_key(inputs):
    from dataclasses import replace

    assert replace(inputs, frame=inputs.frame.head(500)).digest() != inputs.digest()
    assert replace(inputs, study=replace(inputs.study, folds=3)).digest() != inputs.digest()
    assert trial_key("a", {"gain": 1}) != trial_key("a", {"gain": 2})


@pytest.mark.slow
def test_ray_finds_what_one_process_finds(inputs, grown, tmp_path):
    wanted = {json.dumps(trial.setting): trial.returns for trial in grown[1].trials}
    found = sweep(inputs, grid({"gain": [10, 40], "model.hidden": [4]}), tmp_path, ray=True)
    assert {json.dumps(t.setting): t.returns for t in found.trials}.items() <= wanted.items()


def test_sweep_verb_says_how_much_is_luck(project, own_build, capsys):
    words = ["sweep", str(project / "strategies" / "quick.py"), *places(project), "--set", "gain=10,80"]
    code, found = call(project, *words, "--folds", "2", "--every", "1800", "--workers", "1", capsys=capsys)
    assert (code, found["trials"], found["computed"], len(found["best"])) == (0, 2, 2, 2)
    assert 0 <= found["probability_of_skill_after_all_trials"] <= 1


def test_a_parameter_that_is_not_there_names_a_near_one(project):
    quick = load_strategy(project / "strategies" / "quick.py")
    with pytest.raises(StrategyError, match="Did you mean hidden"):
        variant(quick, {"model.hiden": 8})
    with pytest.raises(StrategyError, match="Did you mean gain"):
        variant(quick, {"gian": 8})
    changed = variant(quick, {"gain": 7, "model.hidden": 3})
    assert (changed.gain, changed.model.hidden, quick.gain) == (7, 3, 40.0)
    assert changed.weights([0.01]) == pytest.approx([0.57])


@pytest.mark.parametrize("text", ["gain", "=1,2", "gain="])
def test_an_axis_that_cannot_be_read_is_refused(text):
    with pytest.raises(StrategyError, match="cannot be read"):
        parse_axis(text)


def test_an_empty_sweep_is_refused(inputs, tmp_path):
    with pytest.raises(StrategyError, match="no setting"):
        sweep(inputs, [], tmp_path)


def test_new_strategy_runs_and_its_test_passes(tmp_path, capsys):
    code, found = call(None, "new", "strategy", "trend_follower", "--folder", str(tmp_path), capsys=capsys)
    assert code == 0
    assert load_strategy(found["strategy"]).name() == "trend_follower"  # what train, compile and deploy are given
    module = runpy.run_path(found["test"])
    tests = [value for name, value in module.items() if name.startswith("test_")]
    assert len(tests) == 3
    for test in tests:
        test()


@pytest.mark.parametrize("name", ["Big", "two words", "class", "_x", "1st"])
def test_new_strategy_refuses_a_name_that_is_none(tmp_path, capsys, name):
    code, answer = call(None, "new", "strategy", name, "--folder", str(tmp_path), capsys=capsys)
    assert (code, answer["error"]) == (2, "StrategyError")
    assert "small letters, digits and _" in answer["message"]  # the rule, not an example alone
    assert not list(tmp_path.iterdir())


def test_new_strategy_writes_over_nothing(tmp_path, capsys):
    assert call(None, "new", "strategy", "one", "--folder", str(tmp_path), capsys=capsys)[0] == 0
    (tmp_path / "one.py").write_text("mine")
    assert call(None, "new", "strategy", "one", "--folder", str(tmp_path), capsys=capsys)[0] == 2
    assert (tmp_path / "one.py").read_text() == "mine"


def test_near_miss_of_a_strategy_s_name_is_named():
    with pytest.raises(StrategyError, match="Did you mean momentum"):
        path_of("momentun")


def test_history_without_enough_rows_says_so(project):
    frame = made_swaps(0, days=6).head(40)
    assert isinstance(frame, pl.DataFrame) and np.diff(frame["timestamp"].to_numpy()).min() > 0
    from vaultkit.strategy.research import fit_strategy

    with pytest.raises(DataError, match="too short"):
        fit_strategy(load_strategy("momentum"), frame, made_pool())


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--size", "inf"], "--size"),
        (["--embargo", "inf"], "--embargo"),
        (["--latency", "-5"], "negative"),
        (["--folds", "5000"], "fewer folds"),
        (["--every", "99999999"], "too short"),
        (["--missed", "0.1", "--out", "/proc/none/page.html"], "cannot be written"),
    ],
)
def test_options_that_cannot_be_are_refused_in_a_sentence(project, own_build, capsys, words, named):
    strategy = str(project / "strategies" / "quick.py")
    begin = ["backtest", strategy, *places(project), "--controls", "1"]
    code, answer = call(project, *begin, *([] if "--folds" in words else ["--folds", "2"]), *words, capsys=capsys)
    assert code == 2 and named in answer["message"]


@pytest.mark.parametrize("words", [("--gas-gwei", "nan"), ("--gas-gwei", "-5"), ("--controls", "0"), ("--folds", "0")])
def test_training_refuses_numbers_that_are_none(project, own_build, capsys, words):
    with pytest.raises(SystemExit) as ended:
        main(["train", str(project / "strategies" / "quick.py"), *places(project), *words])
    assert ended.value.code == 2 and words[0] in capsys.readouterr().err
    assert not list(own_build.rglob("*.safetensors"))


@pytest.mark.parametrize("setting", [{"model.hidden": "wide"}, {"gain": "much"}])
def test_a_value_of_another_kind_is_refused(project, setting):
    with pytest.raises(StrategyError, match="cannot have this value"):
        variant(load_strategy(project / "strategies" / "quick.py"), setting)


def test_a_value_that_stands_twice_is_tried_once():
    assert grid({"gain": [10, 10, 20]}) == [{"gain": 10}, {"gain": 20}]


def test_a_parameter_s_error_names_the_model_s_own():
    with pytest.raises(StrategyError, match=r"Did you mean model\.hidden"):
        variant(load_strategy("momentum"), {"hidden": 8})
