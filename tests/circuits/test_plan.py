from __future__ import annotations

import json

import pytest

from vaultkit.circuits.export import export_onnx
from vaultkit.circuits.plan import plan, relu_net
from vaultkit.circuits.settings import CircuitShape, generate_settings
from vaultkit.cli import main
from vaultkit.errors import CircuitError


def test_planned_rows_are_those_of_the_trained_circuit(circuit):
    found = plan(16, (16,))
    assert (found.rows, found.logrows) == (circuit.manifest.rows, circuit.manifest.logrows)
    assert found.parameters == 289
    assert found.pk_bytes == pytest.approx(circuit.manifest.pk_bytes, rel=0.01)
    assert found.verifier_bytes == pytest.approx(circuit.manifest.verifier_bytes, rel=0.01)


def test_verb_shows_one_and_two_columns(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["plan", "--hidden", "32", "--gas-gwei", "2", "--json"])
    assert ended.value.code == 0
    one, two = json.loads(capsys.readouterr().out)
    assert (one["logrows"], two["logrows"]) == (12, 11)
    assert one["eth_per_decision"] < two["eth_per_decision"]


def test_large_net_is_planned_in_the_shape_that_needs_fewer_rows(tmp_path):
    export_onnx(relu_net(16, (64, 64)), 16, tmp_path / "model.onnx")
    small = generate_settings(tmp_path / "model.onnx", CircuitShape())
    found = plan(16, (64, 64))
    assert found.rows < 0.9 * small["num_rows"]
    assert found.logrows <= small["run_args"]["logrows"]


def test_wide_net_of_twenty_thousand_parameters_is_planned_in_two_columns_of_16384_rows():
    found = plan(16, (1112,), columns=2)
    assert (found.parameters, found.logrows) == (20_017, 14)


def test_net_without_width_is_refused():
    with pytest.raises(CircuitError, match="positive widths"):
        plan(16, (0,))


@pytest.mark.parametrize("price", [-1.0, float("nan"), float("inf")])
def test_gas_price_that_is_none_is_refused(price):
    with pytest.raises(CircuitError, match="gas price"):
        plan(16, (16,), gas_gwei=price)


def test_table_for_people_is_not_cut_off(capsys):
    with pytest.raises(SystemExit):
        main(["plan"])
    shown = capsys.readouterr().out
    assert "…" not in shown
    assert {"verify_gas", "441000", "570000"} <= set(shown.replace("│", " ").split())


def weights_of(capsys, *ways):
    words = [word for way in ways for word in ("--weights", way)]
    with pytest.raises(SystemExit) as ended:
        main(["plan", *words, "--json"])
    return ended.value.code, json.loads(capsys.readouterr().out)


def test_ways_of_treating_weights_are_proven_side_by_side(capsys):
    code, (committed, fixed) = weights_of(capsys, "fixed", "polycommit")
    assert (code, committed["weights"], fixed["weights"]) == (0, "polycommit", "fixed")
    assert fixed["proof_bytes"] < committed["proof_bytes"]
    assert fixed["verify_gas"] < committed["verify_gas"] <= 455_000
    assert committed["binds"] != fixed["binds"]


@pytest.mark.slow
def test_hashed_weights_cost_forty_rows_each_and_private_ones_bind_nothing(capsys):
    code, (private, hashed) = weights_of(capsys, "private", "hashed")
    assert code == 0
    assert hashed["rows"] > 40 * (16 * 16 + 16 + 16 + 1)
    assert hashed["pk_bytes"] > 5 * private["pk_bytes"]
    assert private["binds"].startswith("nothing")


def test_unknown_way_is_named(capsys):
    code, answer = weights_of(capsys, "secret")
    assert (code, answer["error"]) == (2, "SettingsError")
