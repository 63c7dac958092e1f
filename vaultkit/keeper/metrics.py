"""Prometheus text on a loopback port: epochs by outcome, proof seconds, gas."""

from __future__ import annotations

from vaultkit.errors import PortBusy, ToolMissing
from vaultkit.keeper.facts import Settled
from vaultkit.keeper.state import Work


class Metrics:
    """Counts what was settled; without a port it does nothing.

    Parameters
    ----------
    port
        Loopback port, or None.

    Raises
    ------
    PortBusy
        When the port is taken.
    ToolMissing
        When prometheus-client is not installed.
    """

    def __init__(self, port: int | None) -> None:
        self._enabled = port is not None
        if port is None:
            return
        try:
            from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server
        except ModuleNotFoundError as error:
            raise ToolMissing(
                "prometheus-client is not installed", next_step="pip install 'vaultkit[keeper]'"
            ) from error
        registry = CollectorRegistry()
        self._epochs = Counter("vaultkit_epochs", "Epochs settled", ["outcome"], registry=registry)
        self._last = Gauge("vaultkit_last_epoch", "The last epoch settled", registry=registry)
        self._seconds = Gauge("vaultkit_proof_seconds", "Time of the last proof", registry=registry)
        self._gas = Gauge("vaultkit_gas_used", "Gas of the last submission", registry=registry)
        try:
            start_http_server(port, addr="127.0.0.1", registry=registry)
        except OSError as error:
            raise PortBusy("the metrics port is taken", got=port) from error

    def settled(self, fact: Settled, work: Work | None) -> None:
        """Count one epoch."""
        if not self._enabled:
            return
        self._epochs.labels(fact.reason).inc()
        self._last.set(fact.epoch)
        if work is not None and work.proof is not None:
            self._seconds.set(work.proof.seconds)
        if work is not None and work.mined is not None:
            self._gas.set(work.mined.gas_used)
