"""The 24 faults of a keeper as scenarios with seeds: real contracts, a real chain, and a proxy that misbehaves.

A scenario sets up its fault, drives the keeper through it and returns what must be true of the epoch at the end. What
the seed draws is when the fault begins, how long it lasts and how deep it goes. `run` then checks, for every scenario
alike: never a second trade in an epoch, one nonce an epoch, never a trade signed without a simulation before it, and no
canary in any output.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.fixtures.keeper import HangingProver, KeeperBench, ScriptedProver
from vaultkit.chain import fault_proxy as faults_of
from vaultkit.chain.fault_proxy import FaultProxy
from vaultkit.chain.rpc import HttpRpc
from vaultkit.errors import (
    ArtefactMismatch,
    JournalError,
    KeeperError,
    KeeperLocked,
    ProverFailed,
    VaultkitError,
    WindowError,
)
from vaultkit.keeper import facts
from vaultkit.keeper.facts import Miss
from vaultkit.keeper.keeper import Keeper
from vaultkit.keeper.lock import KeeperLock
from vaultkit.keeper.monitor import Health, Monitor
from vaultkit.keeper.polite import Polite
from vaultkit.keeper.quorum import Quorum
from vaultkit.keeper.remembering import Remembering
from vaultkit.keeper.submit import Fees, Submitter
from vaultkit.protocols import Proof, ProofJob

ROOT = Path(__file__).parents[2]
CANARY = "canary-5ecre7-d0-not-show"


@dataclass
class Result:
    """What a run found; ``recovery`` counts blocks from the end of the fault to the trade, if there was one."""

    kept: bool
    reason: str
    recovery: int | None = None
    notes: dict[str, Any] = field(default_factory=dict)


class Case:
    """One run: a bench, a proxy before its chain, a keeper behind the proxy, and dice."""

    def __init__(self, bench: KeeperBench, proxy: FaultProxy, seed: int) -> None:
        self.bench, self.proxy = bench, proxy
        self.random = random.Random(seed)
        endpoint = Polite(HttpRpc(proxy.url.replace("http://", f"http://user:{CANARY}@"), timeout=5))
        self.rpc = Remembering(endpoint, moment_seconds=0.0)
        self.monitor = Monitor("vault")
        self.halted = ""
        self.blocks = 0
        self.healed_at = 0
        self.keeper: Keeper = None  # type: ignore[assignment]

    def start(self, prover: Callable[[], Any] | None = None, rpc: Any = None, **limits: Any) -> None:
        """Begin (or begin again) to keep, with the bench's own prover where none is given."""
        chosen = {} if prover is None else {"prover": prover}
        self.keeper = self.bench.keeper(rpc=rpc or self.rpc, **chosen, **limits)
        self.keeper.monitor = self.monitor

    def go(self, until: Callable[[], bool] = lambda: False, turns: int = 40) -> None:
        """Take turns until nothing happens, the keeper halted or ``until`` holds."""
        for _ in range(turns):
            if until() or self.halted:
                return
            try:
                pause = self.keeper.turn()
            except KeeperError as error:
                self.halted = str(error)
                self.monitor.halted(self.halted)
                return
            future = getattr(self.keeper.parts.proofs, "_future", None)
            if future is not None:
                if isinstance(self.keeper.parts.proofs._prover, HangingProver):  # type: ignore[attr-defined]
                    return
                future.exception(timeout=60)
            elif pause:
                return

    def mine(self, blocks: int = 1, seconds: int = 30) -> None:
        self.bench.mine(blocks, seconds)
        self.blocks += blocks

    def seen(self, kind: type[Any]) -> Callable[[], bool]:
        return lambda: self.bench.count(kind) > 0

    def point(self, *kinds: type[Any]) -> type[Any]:
        """Go on until a fact of a kind that the seed draws."""
        kind = self.random.choice(kinds)
        self.go(self.seen(kind))
        return kind

    def heal(self) -> None:
        self.proxy.fault = None
        self.healed_at = self.blocks

    def settle(self, blocks: int = 30, seconds: int = 30) -> Result:
        """Keep until the epoch is settled, and return how."""
        for _ in range(blocks):
            self.go(self.seen(facts.Settled))
            settled = [fact for fact in self.bench.facts if isinstance(fact, facts.Settled)]
            if settled or self.halted:
                break
            time.sleep(0.03 * bool(self.keeper._failures))
            self.mine(1, seconds)
        settled = [fact for fact in self.bench.facts if isinstance(fact, facts.Settled)]
        if not settled:
            return Result(False, "halted" if self.halted else "open")
        mined = [fact for fact in self.bench.facts if isinstance(fact, facts.Mined)]
        recovery = max(0, self.blocks - self.healed_at - self.bench.config.confirmations) if mined else None
        return Result(settled[0].accepted, settled[0].reason, recovery if settled[0].accepted else None)

    def expire(self) -> Result:
        self.mine(1, self.bench.config.max_age_seconds)
        return self.settle()


Scenario = Callable[[Case], tuple[Result, str]]
SCENARIOS: dict[str, Scenario] = {}


def scenario(name: str) -> Callable[[Scenario], Scenario]:
    def add(function: Scenario) -> Scenario:
        SCENARIOS[name] = function
        return function

    return add


BEFORE_SENT = (facts.Started, facts.Seen, facts.InputsRead, facts.Proving, facts.Proven, facts.Simulated)


@scenario("01 endpoint refuses")
def refuses(case: Case) -> tuple[Result, str]:
    case.start()
    case.point(*BEFORE_SENT, facts.Signed)
    case.proxy.fault = faults_of.refuse()
    for _ in range(case.random.randint(1, 4)):
        case.go()
        assert case.monitor.health is Health.DEGRADED
        case.mine()
    case.heal()
    return case.settle(), "kept"


@scenario("02 429 with Retry-After")
def rate_limited(case: Case) -> tuple[Result, str]:
    case.start()
    case.point(*BEFORE_SENT)
    wait = case.random.choice([0.2, 0.4])
    case.proxy.fault = faults_of.too_many_requests(wait)
    begun = len(case.proxy.log)
    case.go()
    limited = case.proxy.log[begun][0]
    case.heal()
    result = case.settle()
    rest = [moment for moment, _ in case.proxy.log[begun + 1 :]]
    assert rest and min(rest) - limited >= wait
    return result, "kept"


@scenario("03 head frozen")
def frozen(case: Case) -> tuple[Result, str]:
    case.start()
    case.keeper.parts = replace(case.keeper.parts, block_seconds=0.02)
    case.point(facts.Seen, facts.InputsRead)
    held = case.bench.setup.rpc.call("eth_getBlockByNumber", ["latest", False])

    def old(request: faults_of.Request) -> faults_of.Reply:
        if not request.batched and request.calls[0]["params"][:1] == ["latest"]:
            return request.answer([{"jsonrpc": "2.0", "id": request.calls[0]["id"], "result": held}])
        return request.healthy()

    case.proxy.fault = faults_of.only("eth_getBlockByNumber", old)
    case.go(turns=1)
    time.sleep(0.1)
    for _ in range(case.random.randint(1, 3)):
        case.mine()
        case.go()
    assert "head_frozen" in case.monitor.alarms
    assert case.bench.count(facts.Signed) == 0
    case.heal()
    case.keeper.parts = replace(case.keeper.parts, block_seconds=12.0)
    return case.settle(), "kept"


@scenario("04 two endpoints disagree")
def disagree(case: Case) -> tuple[Result, str]:
    quorum = Quorum([case.rpc, case.bench.setup.rpc])
    case.start(rpc=quorum)
    case.point(facts.Started, facts.Seen)
    lie = case.random.choice(["eth_call", "eth_getBlockByNumber"])
    flip = faults_of.altered(
        lambda answer: {**answer, "hash": "0x" + "ab" * 32} if isinstance(answer, dict) else "0x" + "01" * 32
    )
    case.proxy.fault = faults_of.only(lie, flip)
    for _ in range(case.random.randint(1, 3)):
        case.go()
        case.mine()
    shown = case.monitor.shown()["reason"]
    assert case.bench.count(facts.Proving) == case.bench.count(facts.Signed) == 0
    assert all(rpc.label in shown for rpc in (case.rpc, case.bench.setup.rpc)) and CANARY not in shown
    case.heal()
    return case.settle(), "kept"


@scenario("05 wrong chain id or garbage")
def wrong_chain(case: Case) -> tuple[Result, str]:
    case.start()
    case.point(*BEFORE_SENT)
    if case.random.random() < 0.5:
        case.proxy.fault = faults_of.garbage(bytes(case.random.randbytes(40)))
        case.go()
        assert case.monitor.health is Health.DEGRADED and case.bench.count(facts.Signed) == 0
    case.proxy.fault = faults_of.only("eth_chainId", faults_of.altered(lambda answer: "0x1"))
    return case.settle(), "halted"


@scenario("06 reorganization after proving")
def reorg_after_proving(case: Case) -> tuple[Result, str]:
    case.start()
    depth = case.random.choice([1, 8, 64])
    case.go(case.seen(facts.Started))
    snapshot = case.bench.setup.devnet.snapshot()
    case.mine(depth, 12)
    case.go(case.seen(facts.Proven))
    case.bench.setup.devnet.revert(snapshot)
    case.mine(depth + 1, 13)
    case.heal()
    return case.settle(), "kept"


@scenario("07 reorganization removes the trade")
def reorg_removes_trade(case: Case) -> tuple[Result, str]:
    case.start()
    case.go(case.seen(facts.Broadcast))
    snapshot = case.bench.setup.devnet.snapshot()
    case.mine()
    case.go()
    assert case.bench.count(facts.Mined) == 1
    case.bench.setup.devnet.revert(snapshot)
    case.mine(case.random.randint(1, 3))
    case.heal()
    return case.settle(), "kept"


@scenario("08 prover crashes or hangs")
def prover_fails(case: Case) -> tuple[Result, str]:
    times = case.random.choice([1, 2])

    class Crashing(ScriptedProver):
        def prove(self, job: ProofJob) -> Proof:
            nonlocal times
            times -= 1
            if times >= 0:
                raise ProverFailed("the worker was killed")
            return super().prove(job)

    hangs = case.random.random() < 0.3
    twice = times == 2
    prover = HangingProver()
    case.start((lambda: prover) if hangs else Crashing)
    if hangs:
        case.go()
        result = case.expire()
        assert prover.closed
        return result, Miss.TOO_LATE
    return case.settle(), Miss.PROVER_FAILED if twice else "kept"


@scenario("09 prover returns a wrong proof")
def wrong_proof(case: Case) -> tuple[Result, str]:
    field_name = case.random.choice(["outputs", "inputs", "beneficiary"])

    class Lying(ScriptedProver):
        def prove(self, job: ProofJob) -> Proof:
            honest = super().prove(job)
            lie: dict[str, Any] = {"outputs": (1,), "inputs": honest.inputs[1:], "beneficiary": "0x" + "11" * 20}
            return replace(honest, **{field_name: lie[field_name]})

    case.start(Lying)
    result = case.settle()
    assert case.bench.count(facts.Simulated) == case.bench.count(facts.Signed) == 0
    return result, Miss.PROOF_WRONG


@scenario("10 transaction never mined")
def never_mined(case: Case) -> tuple[Result, str]:
    case.start()
    case.go(case.seen(facts.Broadcast))
    ends = case.random.random() < 0.5
    for _ in range(case.bench.config.bump_blocks + case.random.randint(0, 4)):
        _drop(case)
        case.mine()
        case.go()
    bumps = [fact for fact in case.bench.facts if isinstance(fact, facts.Signed)]
    assert all(b.max_fee_wei * 10 >= a.max_fee_wei * 11 for a, b in pairwise(bumps))
    if ends:
        _drop(case)
        return case.expire(), Miss.NOT_MINED
    case.heal()
    return case.settle(), "kept"


def _drop(case: Case) -> None:
    for fact in case.bench.facts:
        if isinstance(fact, facts.Signed):
            case.bench.setup.rpc.call("anvil_dropTransaction", [fact.tx_hash])


@scenario("11 private relay drops silently")
def relay_drops(case: Case) -> tuple[Result, str]:
    fallback = case.random.random() < 0.5
    case.start(private=True, relay_blocks=case.random.randint(2, 4), public_fallback=fallback)
    parts = case.keeper.parts
    relay = FaultProxy(case.bench.setup.devnet.url)
    with relay:
        relay.fault = faults_of.swallowed(lambda call: "0x" + "00" * 32)
        sender = Submitter(case.rpc, case.bench.setup.vault, case.bench.signer, 31337, [HttpRpc(relay.url)])
        case.keeper.parts = replace(parts, submitter=sender)
        case.go(case.seen(facts.Broadcast))
        for _ in range(6):
            case.mine()
            case.go()
            if "relay_dropped" in case.monitor.alarms:
                break
        result = case.settle() if fallback else case.expire()
    if not fallback:
        assert case.bench.trades() == []
        assert not any("eth_sendRawTransaction" in m for _, m in case.proxy.log[: _cancelled(case)])
    return result, "kept" if fallback else Miss.RELAY_DROPPED


def _cancelled(case: Case) -> int:
    """Return how many requests came before the first public broadcast, which must be the cancellation."""
    sends = [i for i, (_, methods) in enumerate(case.proxy.log) if "eth_sendRawTransaction" in methods]
    assert any(fact.cancel for fact in case.bench.facts if isinstance(fact, facts.Signed))
    return sends[0] if sends else len(case.proxy.log)


@scenario("12 known, nonce too low, underpriced")
def broadcast_answers(case: Case) -> tuple[Result, str]:
    words = case.random.choice(["already known", "nonce too low", "replacement transaction underpriced"])
    case.start()
    loses = case.random.random() < 0.5

    def answer(request: faults_of.Request) -> faults_of.Reply:
        if not loses:
            request.forward(request.calls)
        return faults_of.failing(-32000, words)(request)

    case.proxy.fault = faults_of.only("eth_sendRawTransaction", answer)
    case.go(case.seen(facts.Broadcast))
    signed = case.bench.count(facts.Signed)
    case.go()
    assert case.bench.count(facts.Signed) == signed == 1
    case.heal()
    return case.settle(), "kept"


@scenario("13 nonce used by somebody else")
def stranger(case: Case) -> tuple[Result, str]:
    case.start()
    case.go(case.seen(facts.Broadcast))
    (signed,) = (fact for fact in case.bench.facts if isinstance(fact, facts.Signed))
    _drop(case)
    sender = Submitter(case.bench.setup.rpc, case.bench.setup.vault, case.bench.signer, 31337)
    factor = case.random.randint(2, 20)
    raw, _ = sender.sign_cancel(signed.nonce, Fees(factor * signed.max_fee_wei, factor * signed.tip_wei))
    case.bench.setup.rpc.call("eth_sendRawTransaction", [raw])
    case.mine(2)
    return case.settle(), "halted"


@scenario("14 SIGKILL at a step")
def killed(case: Case) -> tuple[Result, str]:
    steps = ["Started", "Seen", "InputsRead", "Proving", "Proven", "Simulated", "Signed", "Broadcast", "Mined"]
    kind, moment = case.random.choice(steps), case.random.choice(["before", "after"])
    bench = case.bench
    book = bench.path.with_name("book.json")
    bench.book.save(book)
    words = [case.proxy.url, str(book), bench.setup.spec.model_dump_json(), str(bench.path), kind, moment]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.keeper.dying_keeper", *words],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    ends = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < ends:
        time.sleep(0.1)
        if kind == "Mined" and _has_row(case, facts.Broadcast):
            case.mine(1, 12)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    case.heal()
    case.start()
    return case.settle(), "kept"


def _has_row(case: Case, kind: type[Any]) -> bool:
    try:
        return case.bench.count(kind) > 0
    except JournalError:
        return False


@scenario("15 simulation passes, transaction reverts")
def reverts(case: Case) -> tuple[Result, str]:
    case.start(reverts=1)
    case.go(case.seen(facts.Broadcast))
    setup = case.bench.setup
    setup.rpc.call("anvil_dropAllTransactions")
    setup.transact(setup.actors.owner, setup.verifier, "allow", [0])
    raw = next(fact.raw for fact in case.bench.facts if isinstance(fact, facts.Signed))
    code = setup.rpc.call("eth_getCode", [setup.verifier.address, "latest"])
    setup.rpc.call("anvil_setCode", [setup.verifier.address, "0x60006000fd"])
    setup.rpc.call("eth_sendRawTransaction", [raw])
    case.mine()
    result = case.settle()
    setup.rpc.call("anvil_setCode", [setup.verifier.address, code])
    case.go()
    assert "reverted" in case.halted
    return result, Miss.REVERTED


@scenario("16 gas price x 100")
def gas_spike(case: Case) -> tuple[Result, str]:
    case.start(fee_cap_wei=50 * 10**9)
    case.point(facts.Started, facts.Seen, facts.Proven)
    case.bench.setup.rpc.call("anvil_setNextBlockBaseFeePerGas", [hex(100 * 10**9 * case.random.randint(1, 5))])
    case.mine(1, 12)
    case.go()
    if case.random.random() < 0.5:
        result = case.expire()
        assert case.bench.count(facts.Signed) == 0
        return result, Miss.GAS_ABOVE_BUDGET
    case.heal()
    case.bench.setup.rpc.call("anvil_setNextBlockBaseFeePerGas", [hex(10**9)])
    return case.settle(), "kept"


@scenario("17 low balance")
def low_balance(case: Case) -> tuple[Result, str]:
    setup = case.bench.setup
    balance = setup.rpc.call("eth_getBalance", [case.bench.signer.address, "latest"])
    empty = case.random.random() < 0.5
    setup.rpc.call("anvil_setBalance", [case.bench.signer.address, hex(10**13 if empty else 5 * 10**15)])
    case.mine()
    case.start()
    case.go()
    assert "low_balance" in case.monitor.alarms
    result = case.expire() if empty else case.settle()
    setup.rpc.call("anvil_setBalance", [case.bench.signer.address, balance])
    return result, Miss.LOW_BALANCE if empty else "kept"


@scenario("18 disk full or journal torn")
def disk(case: Case) -> tuple[Result, str]:
    case.start()
    case.point(*BEFORE_SENT)
    journal = case.keeper._journal
    if case.random.random() < 0.5:
        journal._db.execute(f"PRAGMA max_page_count={_pages(journal)}")
        _expect(JournalError, lambda: [_fill(case) for _ in range(400)])
        assert case.bench.count(facts.Signed) == 0
        case.start()
    else:
        case.bench.close()
        found = case.bench.path.read_bytes()
        page = 4096 * case.random.randrange(len(found) // 4096)
        torn = found[: max(page, 512)] if case.random.random() < 0.5 else _replaced(found, page)
        case.bench.path.write_bytes(torn)
        for extra in ("-wal", "-shm"):
            case.bench.path.with_name(case.bench.path.name + extra).unlink(missing_ok=True)
        _expect(JournalError, lambda: case.start())
        case.bench.path.write_bytes(found)
        case.start()
    case.heal()
    return case.settle(), "kept"


def _replaced(content: bytes, start: int) -> bytes:
    return content[:start] + b"x" * 4096 + content[start + 4096 :]


def _pages(journal: Any) -> int:
    return int(journal._db.execute("PRAGMA page_count").fetchone()[0])


def _fill(case: Case) -> None:
    case.keeper.turn()
    case.keeper._deeds.write(facts.Restarted())


def _expect(kind: type[VaultkitError], action: Callable[[], Any]) -> None:
    try:
        action()
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


@scenario("19 host clock off by an hour")
def clock(case: Case) -> tuple[Result, str]:
    real, shift = time.time, case.random.choice([-3600, 3600])
    time.time = lambda: real() + shift
    try:
        case.start()
        return case.settle(), "kept"
    finally:
        time.time = real


@scenario("20 two keepers")
def two_keepers(case: Case) -> tuple[Result, str]:
    with KeeperLock(case.bench.path.with_suffix(".lock")) as lock:
        _expect(KeeperLocked, lambda: KeeperLock(lock.path).__enter__())
    setup = case.bench.setup
    rival = setup.actors.keeper
    case.start()
    case.point(facts.Started, facts.Seen, facts.Proving)
    epoch = setup.now() // case.bench.config.period_seconds
    setup.allow(epoch, 64, rival)
    setup.rebalance(epoch, 64, beneficiary=rival)
    result = case.settle()
    assert sum(isinstance(f, facts.Mined) and not f.succeeded for f in case.bench.facts) <= 1
    return result, Miss.KEPT_BY_ANOTHER


@scenario("21 window unavailable")
def window(case: Case) -> tuple[Result, str]:
    case.start()
    reader = case.keeper.parts.window
    passes = case.random.random() < 0.5

    class Forgetful:
        def read(self, epoch_end: int, head: Any) -> Any:
            raise WindowError("the pool does not reach back far enough")

    case.keeper.parts = replace(case.keeper.parts, window=Forgetful())  # type: ignore[arg-type]
    for _ in range(case.random.randint(1, 3)):
        case.go()
        case.mine()
    if not passes:
        return case.expire(), Miss.WINDOW_UNAVAILABLE
    case.keeper.parts = replace(case.keeper.parts, window=reader)
    case.heal()
    return case.settle(), "kept"


@scenario("22 model rotated while proving")
def rotated(case: Case) -> tuple[Result, str]:
    prover = HangingProver()
    case.start(lambda: prover)
    case.go()
    case.mine(case.random.randint(1, 3))
    setup = case.bench.setup
    setup.transact(setup.actors.owner, setup.registry, "retire", setup.pins.model_id())
    result = case.settle()
    assert prover.closed and case.bench.count(facts.Signed) == 0
    return result, Miss.MODEL_ROTATED


@scenario("23 artefact file swapped")
def swapped(case: Case) -> tuple[Result, str]:
    """A prover that checks its artefact before every proof, as `LocalProver` does, refuses one that was changed."""
    file = case.bench.path.with_name("network.bin")
    genuine = case.random.randbytes(64)
    file.write_bytes(genuine)

    class Checking(ScriptedProver):
        def prove(self, job: ProofJob) -> Proof:
            if file.read_bytes() != genuine:
                raise ArtefactMismatch("a file of the artefact was changed", where=file.name)
            return super().prove(job)

    case.start(Checking)
    position = case.random.randrange(64)
    changed = bytearray(genuine)
    changed[position] ^= 1 << case.random.randrange(8)
    file.write_bytes(bytes(changed))
    result = case.expire() if case.bench.count(facts.Seen) else (case.go(), case.expire())[1]
    assert case.bench.count(facts.Signed) == 0
    return result, Miss.PROVER_FAILED


@scenario("24 exceptions carry keys and URLs")
def canaries(case: Case) -> tuple[Result, str]:
    shapes = [f"https://u:{CANARY}@h/x", f"password={CANARY}", f"http://h/{CANARY}", f"api_key: {CANARY}"]
    shape = case.random.choice(shapes)

    class Telling(ScriptedProver):
        def prove(self, job: ProofJob) -> Proof:
            raise ProverFailed("no luck", got=shape)

    case.start(Telling)
    if case.random.random() < 0.5:
        case.proxy.fault = faults_of.only("eth_call", faults_of.failing(-32000, shape))
        case.go()
        case.proxy.fault = None
    return case.settle(), Miss.PROVER_FAILED


def run(name: str, bench: KeeperBench, seed: int) -> Result:
    """Run one scenario with one seed and check what must hold in all of them."""
    threads = threading.active_count()
    with FaultProxy(bench.setup.devnet.url, seed) as proxy:
        bench.redactor.add(CANARY)
        epoch = bench.close_epoch()
        case = Case(bench, proxy, seed)
        result, expected = SCENARIOS[name](case)
        history, trades = bench.facts, bench.trades()
        outcome = "kept" if result.kept else result.reason
        assert outcome == expected, f"{name} seed {seed}: {outcome} {case.halted}, not {expected}: {history[-4:]}"
        mine = [trade for trade in trades if trade == epoch]
        assert len(mine) == (1 if result.kept or result.reason == Miss.KEPT_BY_ANOTHER else 0), (name, seed, trades)
        nonces = {fact.nonce for fact in history if isinstance(fact, facts.Signed)}
        assert len(nonces) <= 1
        simulated = False
        for fact in history:
            simulated = simulated or isinstance(fact, facts.Simulated)
            assert not isinstance(fact, facts.Signed) or fact.cancel or simulated
        shown = bench.logs.getvalue() + bench.redactor.text(json.dumps(case.monitor.shown()))
        assert CANARY not in shown and bench.signer._account.key.hex() not in shown
        written = b"".join(path.read_bytes() for path in bench.path.parent.iterdir() if path.is_file())
        assert CANARY.encode() not in written and bytes(bench.signer._account.key) not in written
        case.keeper.parts.proofs.close()
    assert threading.active_count() <= threads + 8
    return result
