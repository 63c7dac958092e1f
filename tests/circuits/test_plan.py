from __future__ import annotations

import json

import pytest

from vaultkit.circuits.plan import plan
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


def test_net_without_width_is_refused():
    with pytest.raises(CircuitError, match="positive widths"):
        plan(16, (0,))
