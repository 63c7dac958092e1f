"""What happens to an epoch of the soak: a fault drawn from a seed, when it begins and how many blocks it lasts."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import psutil

from tests.keeper.scenarios import Case
from vaultkit.chain import fault_proxy as faults_of
from vaultkit.chain.fault_proxy import Fault, FaultProxy

BLOCK_SECONDS = 12
SPIKE_WEI, CALM_WEI = 500 * 10**9, 10**9


@dataclass(frozen=True)
class Plan:
    """One epoch's fault: from its ``begins``-th block after the close on, for ``lasts`` blocks; no fault if empty."""

    fault: str = ""
    begins: int = 0
    lasts: int = 0

    def ill(self, block: int) -> bool:
        return self.fault != "" and self.begins <= block < self.begins + self.lasts


class Disturber:
    """Does to the keeper's surroundings what a plan says, block by block."""

    def __init__(self, case: Case, second: FaultProxy) -> None:
        self._case, self._second = case, second
        self._snapshot = ""
        self._forked = 0
        self._head: dict[str, Any] = {}

    def before(self, plan: Plan, block: int) -> None:
        """Set the stage of a block."""
        case, rpc = self._case, self._case.bench.setup.rpc
        ill, begins = plan.ill(block), plan.fault != "" and plan.begins == block
        both, first = (WIRE.get(plan.fault), FIRST.get(plan.fault)) if ill else (None, None)
        case.proxy.fault, self._second.fault = both or first, both
        if begins and plan.fault == "head frozen":
            self._head = rpc.call("eth_getBlockByNumber", ["latest", False])
        if ill and plan.fault == "head frozen":
            case.proxy.fault = self._second.fault = faults_of.only("eth_getBlockByNumber", self._frozen)
        if begins and plan.fault == "reorganization":
            self._snapshot, self._forked = case.bench.setup.devnet.snapshot(), 0
        if ill and plan.fault == "restart":
            case.keeper.close()
            case.start()
        if begins and plan.fault == "prover killed":
            threading.Thread(target=_kill_worker, daemon=True).start()

    def after(self, plan: Plan, block: int) -> None:
        """Finish a block's fault before the next block is mined."""
        case, rpc = self._case, self._case.bench.setup.rpc
        ill, last = plan.ill(block), plan.ill(block) and not plan.ill(block + 1)
        if ill and plan.fault == "mempool dropped":
            rpc.call("anvil_dropAllTransactions")
        if plan.fault == "gas spike" and (ill or last):
            rpc.call("anvil_setNextBlockBaseFeePerGas", [hex(CALM_WEI if last else SPIKE_WEI)])
        if ill and plan.fault == "reorganization":
            self._forked += 1
        if last and plan.fault == "reorganization":
            then = case.bench.setup.now()
            case.bench.setup.devnet.revert(self._snapshot)
            for _ in range(self._forked):
                at = min(then, case.bench.setup.now() + BLOCK_SECONDS + 1)
                case.bench.setup.devnet.mine(max(at, case.bench.setup.now() + 1))

    def _frozen(self, request: faults_of.Request) -> faults_of.Reply:
        asked = request.calls[0]
        if not request.batched and asked["params"][:1] in (["latest"], [self._head["number"]]):
            return request.answer([{"jsonrpc": "2.0", "id": asked["id"], "result": self._head}])
        return request.healthy()


def _kill_worker(patience_seconds: float = 5.0) -> None:
    """Kill the first process that proves, as the kernel does when memory runs out."""
    ends = time.monotonic() + patience_seconds
    while time.monotonic() < ends:
        for child in psutil.Process().children():
            try:
                if any("circuits.worker" in word for word in child.cmdline()):
                    os.kill(child.pid, signal.SIGKILL)
                    return
            except (psutil.NoSuchProcess, psutil.AccessDenied, ProcessLookupError):
                continue
        time.sleep(0.02)


_NO_HASH: Callable[[dict[str, Any]], Any] = lambda call: "0x" + "0" * 64  # noqa: E731
WIRE: dict[str, Fault] = {
    "refuses": faults_of.refuse(),
    "half refused": faults_of.sometimes(0.5, faults_of.refuse()),
    "429": faults_of.too_many_requests(0.01),
    "garbage": faults_of.garbage(),
    "no broadcast": faults_of.only("eth_sendRawTransaction", faults_of.failing(-32000, "try again")),
    "broadcast swallowed": faults_of.only("eth_sendRawTransaction", faults_of.swallowed(_NO_HASH)),
    "slow": faults_of.delayed(0.05),
}
"""Faults of both endpoints."""

FIRST: dict[str, Fault] = {
    "one endpoint lies": faults_of.only("eth_call", faults_of.altered(lambda answer: "0x" + "01" * 32)),
    "one endpoint silent": faults_of.refuse(),
}
"""Faults of one of the two; both must agree."""

OTHERS = ("mempool dropped", "restart", "head frozen", "gas spike", "reorganization", "prover killed")
NAMES = (*WIRE, *FIRST, *OTHERS)
SHORT = {"restart": 3, "head frozen": 40, "reorganization": 5, "prover killed": 1, "slow": 20}
"""Faults that last at most so many blocks."""


def drawn(dice: Random, share: float, blocks: int) -> Plan:
    """Return an epoch's plan: with a fault in a ``share`` of them, short, long, or up to the very end of its time."""
    if dice.random() >= share:
        return Plan()
    name, begins = dice.choice(NAMES), dice.randrange(6)
    lasts = dice.choice([1, 2, 5, 20, 100, blocks - begins - dice.randrange(12)])
    return Plan(name, begins, min(lasts, SHORT.get(name, lasts)))
