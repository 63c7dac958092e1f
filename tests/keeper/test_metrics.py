"""Metrics: what was settled is what is served, on loopback only."""

from __future__ import annotations

import urllib.request

import pytest

from vaultkit.chain.devnet import free_port
from vaultkit.errors import PortBusy
from vaultkit.keeper import facts
from vaultkit.keeper.metrics import Metrics


def test_settled_epochs_are_counted_by_outcome_and_a_taken_port_is_named() -> None:
    port = free_port()
    metrics = Metrics(port)
    metrics.settled(facts.Settled(7, True, "accepted"), None)
    metrics.settled(facts.Settled(8, False, "too_late"), None)
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    assert 'vaultkit_epochs_total{outcome="accepted"} 1.0' in text
    assert 'vaultkit_epochs_total{outcome="too_late"} 1.0' in text
    assert "vaultkit_last_epoch 8.0" in text
    with pytest.raises(PortBusy):
        Metrics(port)


def test_without_a_port_nothing_is_served() -> None:
    Metrics(None).settled(facts.Settled(7, True, "accepted"), None)
