"""Where it is told how keepers fare: a status file, a health and metrics endpoint on loopback, webhooks.

Everything passes through a `vaultkit.keeper.redact.Redactor` on its way out.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final

import urllib3

from vaultkit.chain.loopback import LoopbackServer
from vaultkit.errors import PortBusy
from vaultkit.keeper.monitor import Alarm, Health, Monitor
from vaultkit.keeper.redact import Redactor

WEBHOOK_ATTEMPTS: Final = 3
Alarms = Callable[[], dict[str, str]]
"""Returns a process's own alarms by kind."""

_WORST: Final = (Health.HALTED, Health.DEGRADED, Health.STARTING, Health.READY, Health.STOPPED)


def overview(monitors: Sequence[Monitor], redactor: Redactor, alarms: Alarms = dict) -> dict[str, Any]:
    """Return the worst health of all keepers, the process's own alarms and what each keeper shows, redacted."""
    shown = [monitor.shown() for monitor in monitors]
    healths = {str(keeper["health"]) for keeper in shown}
    worst = next((health for health in _WORST if health in healths), Health.STARTING)
    return dict(redactor.value({"health": str(worst), "alarms": alarms(), "keepers": shown}))


class StatusFile:
    """Keeps a JSON file true while the keepers run, also while their loop hangs; a context manager.

    Parameters
    ----------
    path
        Replaced as a whole, never written in place. ``updated`` in it is host time in seconds.
    monitors, redactor
        What is shown, and what is not.
    alarms
        Returns the process's own alarms by kind.
    interval_seconds
        Time between two looks; the file is written when something changed and at least every ten looks.
    """

    def __init__(
        self,
        path: Path,
        monitors: Sequence[Monitor],
        redactor: Redactor,
        alarms: Alarms = dict,
        interval_seconds: float = 0.5,
    ) -> None:
        self.path = path
        self._overview = partial(overview, monitors, redactor, alarms)
        self._interval = interval_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="status", daemon=True)

    def __enter__(self) -> StatusFile:
        """Begin to write."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write once more and stop."""
        self._stop.set()
        self._thread.join()
        self._write(self._overview())

    def _keep(self) -> None:
        before: dict[str, Any] | None = None
        looks = 0
        while not self._stop.is_set():
            now = self._overview()
            if now != before or looks % 10 == 0:
                self._write(now)
                before = now
            looks += 1
            self._stop.wait(self._interval)

    def _write(self, shown: dict[str, Any]) -> None:
        partial = self.path.with_name(f"{self.path.name}.partial")
        # A full disk must not stop the keeper here: the file's age tells that it is no longer written.
        with contextlib.suppress(OSError):
            partial.write_text(json.dumps({"updated": int(time.time()), **shown}, indent=1) + "\n")
            os.replace(partial, self.path)


class HealthServer(LoopbackServer):
    """Serves ``/health`` (200, or 503 where a keeper is degraded or halted), ``/status`` and ``/metrics`` on loopback.

    Parameters
    ----------
    port
        Loopback port; zero for a free one.
    monitors, redactor
        What is shown, and what is not.
    alarms, proofs
        Return the process's own alarms by kind, and its proofs by what became of them.

    Raises
    ------
    PortBusy
        When the port is taken.
    """

    def __init__(
        self,
        port: int,
        monitors: Sequence[Monitor],
        redactor: Redactor,
        alarms: Alarms = dict,
        proofs: Callable[[], dict[str, int]] = dict,
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                shown = overview(monitors, redactor, alarms)
                if self.path == "/health":
                    good = shown["health"] in (Health.READY, Health.STARTING)
                    self._say(200 if good else 503, f"{shown['health']}\n", "text/plain")
                elif self.path == "/status":
                    self._say(200, json.dumps(shown), "application/json")
                elif self.path == "/metrics":
                    self._say(
                        200, redactor.text(metrics_text(monitors, alarms(), proofs())), "text/plain; version=0.0.4"
                    )
                else:
                    self._say(404, "health, status or metrics\n", "text/plain")

            def _say(self, status: int, text: str, kind: str) -> None:
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        try:
            super().__init__(Handler, port, poll_seconds=0.2)
        except OSError as error:
            raise PortBusy("the metrics port is taken", got=port) from error


_GAUGES: Final = {
    "block": ("vaultkit_block_number", "Newest block seen"),
    "chain_time": ("vaultkit_chain_time_seconds", "Timestamp of the newest block seen"),
    "next_epoch": ("vaultkit_next_epoch", "Epoch to be settled next"),
    "balance_wei": ("vaultkit_balance_wei", "Balance of the sending account"),
    "base_fee_wei": ("vaultkit_base_fee_wei", "Base fee of the newest block seen"),
}


def metrics_text(
    monitors: Sequence[Monitor],
    alarms: Mapping[str, str] = MappingProxyType({}),
    proofs: Mapping[str, int] = MappingProxyType({}),
) -> str:
    """Return Prometheus text: epochs by outcome, health, alarms, gauges, proofs, and the last epoch's proof and gas."""
    families: dict[str, list[str]] = {}

    def add(name: str, kind: str, text: str, value: Any, /, **labels: str) -> None:
        lines = families.setdefault(name, [f"# HELP {name} {text}", f"# TYPE {name} {kind}"])
        quoted = ",".join(f'{label}="{_escape(word)}"' for label, word in labels.items())
        lines.append(f"{name}{{{quoted}}} {value}")

    for monitor in monitors:
        shown = monitor.shown()
        add("vaultkit_up", "gauge", "Whether the keeper is ready", int(shown["health"] == "ready"), vault=monitor.vault)
        for reason, count in sorted(monitor.outcomes.items()):
            add("vaultkit_epochs_total", "counter", "Epochs settled", count, vault=monitor.vault, outcome=reason)
        for kind in sorted(monitor.alarms):
            add("vaultkit_alarm", "gauge", "Alarms that are on", 1, vault=monitor.vault, kind=kind)
        for field, (name, text) in _GAUGES.items():
            if shown.get(field) is not None:
                add(name, "gauge", text, shown[field], vault=monitor.vault)
        work = monitor.last_work
        if work is not None and work.proof is not None:
            labels = {"vault": monitor.vault, "prover": work.proof.prover}
            add("vaultkit_proof_seconds", "gauge", "Time of the last proof", work.proof.seconds, **labels)
        if work is not None and work.mined is not None:
            add("vaultkit_gas_used", "gauge", "Gas of the last submission", work.mined.gas_used, vault=monitor.vault)
    for kind in sorted(alarms):
        add("vaultkit_alarm", "gauge", "Alarms that are on", 1, vault="", kind=kind)
    for outcome, count in sorted(proofs.items()):
        add("vaultkit_proofs", "gauge", "Proofs of this process by what became of them", count, outcome=outcome)
    return "\n".join(line for lines in families.values() for line in lines) + "\n"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Webhooks:
    """Posts alarms as JSON, redacted, from a thread of its own: a dead receiver never holds a keeper up.

    Parameters
    ----------
    urls
        Receivers.
    redactor
        Applied to the body.
    log
        Told when a receiver did not take an alarm; its URL is not shown.
    """

    def __init__(self, urls: Sequence[str], redactor: Redactor, log: Any = None) -> None:
        self._urls, self._redactor, self._log = tuple(urls), redactor, log
        self._waiting: queue.Queue[Alarm | None] = queue.Queue(1_000)
        self._http = urllib3.PoolManager(timeout=urllib3.Timeout(5.0), retries=False)
        self._thread = threading.Thread(target=self._deliver, name="webhooks", daemon=True)

    def __enter__(self) -> Webhooks:
        """Begin to deliver."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Deliver what waits, for at most a few seconds."""
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(10)

    def __call__(self, alarm: Alarm) -> None:
        """Queue one alarm; where a thousand wait, it is left out."""
        if self._urls:
            with contextlib.suppress(queue.Full):
                self._waiting.put_nowait(alarm)

    def _deliver(self) -> None:
        while (alarm := self._waiting.get()) is not None:
            body = json.dumps(self._redactor.value(asdict(alarm))).encode()
            for number, url in enumerate(self._urls, 1):
                if not self._post(url, body) and self._log is not None:
                    self._log.warning("webhook_failed", receiver=number, alarm=alarm.kind)

    def _post(self, url: str, body: bytes) -> bool:
        for attempt in range(WEBHOOK_ATTEMPTS):
            try:
                answer = self._http.request("POST", url, body=body, headers={"Content-Type": "application/json"})
                if answer.status < 300:
                    return True
            except (urllib3.exceptions.HTTPError, OSError):
                pass
            time.sleep(0.2 * 2**attempt)
        return False
