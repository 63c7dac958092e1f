"""The loop: observe, ask `step`, write the fact, do the deed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from vaultkit.errors import (
    EnvelopeExceeded,
    JournalError,
    KeeperError,
    ReorgDetected,
    Reverted,
    RpcRefused,
    RpcUnavailable,
    SubmissionFailed,
    VaultkitError,
    VerificationError,
    WindowError,
    WrongChain,
)
from vaultkit.keeper import actions, facts
from vaultkit.keeper.breaker import Breaker
from vaultkit.keeper.inputs import Reading, WindowReader
from vaultkit.keeper.journal import Journal
from vaultkit.keeper.monitor import Monitor
from vaultkit.keeper.observe import Observer
from vaultkit.keeper.proving import ProofLane, reason_of
from vaultkit.keeper.state import Stage, State, Work
from vaultkit.keeper.step import first_epoch, step
from vaultkit.keeper.submit import Fees, Submitter, revert_text
from vaultkit.protocols import Proof, ProofJob

FROZEN_BLOCKS: Final = 3
"""Block times without a new block after which the head counts as frozen."""

BACKOFF_SECONDS: Final = (0.1, 5.0)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the loop works with; each can be another implementation.

    ``outputs`` is the circuit's emulator, ``artefact`` the folder that proofs are made from, ``deadline_seconds`` the
    wall-clock limit of one proof. On the host's clock ``block_seconds`` is the usual time between blocks and
    ``poll_seconds`` that between two looks. ``nonces`` gives the next nonce where several keepers share an account.
    """

    observer: Observer
    window: WindowReader
    submitter: Submitter
    proofs: ProofLane
    outputs: Callable[[tuple[int, ...]], tuple[int, ...]]
    artefact: Path
    beneficiary: str
    deadline_seconds: float = 120.0
    block_seconds: float = 12.0
    poll_seconds: float = 0.05
    nonces: Callable[[int], int] = int


class Nonces(Protocol):
    """How keepers that send from one account share its nonces; see `vaultkit.keeper.fleet.Nonces`."""

    def join(self, keeper: Keeper) -> None:
        """Count a keeper's pending transactions too."""

    def __call__(self, account_nonce: int) -> int:
        """Return the first nonce that neither the chain nor a keeper has used."""


class Keeper:
    """Keeps one vault's epochs.

    Parameters
    ----------
    parts
        I/O.
    config
        Limits.
    journal
        Open journal of this vault and model, under a `vaultkit.keeper.lock.KeeperLock`.
    log
        structlog logger; every line is redacted.
    on_settled
        Called with the epoch's last facts when it is accepted or missed.
    monitor
        Told how the keeper fares.
    """

    def __init__(
        self,
        parts: Parts,
        config: actions.Config,
        journal: Journal,
        log: Any,
        on_settled: Callable[[facts.Settled, Work | None], None] | None = None,
        monitor: Monitor | None = None,
    ) -> None:
        self._parts, self._config, self._journal, self._log = parts, config, journal, log
        self._on_settled = on_settled
        self.monitor = monitor or Monitor()
        self._breaker = Breaker()
        self._failures = 0
        self._head = ("", 0.0)
        self._reading: tuple[int, Reading] | None = None
        self._time = 0
        self._resumed = False
        self._outage = ""

    @property
    def state(self) -> State:
        """The fold of the journal."""
        return self._journal.state

    def run(self, epochs: int | None, stop: threading.Event) -> State:
        """Keep epochs until ``epochs`` were accepted by this process or ``stop`` is set; return the state.

        Raises
        ------
        KeeperError
            When the keeper halted, with the reason.
        """
        wanted = None if epochs is None else self.state.accepted + epochs
        try:
            while not stop.is_set() and (wanted is None or self.state.accepted < wanted):
                pause = self.turn()
                if pause:
                    stop.wait(pause)
            self.monitor.stopped()
        except Exception as error:
            self.monitor.halted(str(error))
            raise
        finally:
            self.close()
        return self.state

    def turn(self) -> float:
        """Take one step as far as the endpoints allow, and return the seconds until the next one is worth taking.

        Raises
        ------
        KeeperError
            When the keeper halted.
        """
        before = self.state
        try:
            action = self.tick()
        except (RpcUnavailable, ReorgDetected, RpcRefused) as error:
            return self._fail(error)
        except VaultkitError:
            raise
        except Exception as error:
            self._log.exception("unexpected", kind=type(error).__name__)
            if self._breaker.trip():
                reason = f"unexpected errors used up their budget, the last one: {type(error).__name__}: {error}"
                self._write(facts.Halted(reason))
                raise KeeperError("the keeper halted", got=reason, next_step="See its log") from error
            return self._fail(error)
        if self._failures:
            self._log.info("recovered", failures=self._failures)
            self._failures = 0
        if isinstance(action, actions.Halt):
            raise KeeperError("the keeper halted", got=action.reason, next_step="See `vaultkit keeper status`")
        return 0.0 if self.state is not before else self._parts.poll_seconds

    def _fail(self, error: Exception) -> float:
        """Note an outage and return how long to leave the endpoint alone: never less than what it asked for."""
        self._failures += 1
        self._outage = str(error)
        self.monitor.degraded(str(error))
        self._log.warning("degraded", error=str(error), failures=self._failures)
        low, high = BACKOFF_SECONDS
        asked: float | None = getattr(error, "retry_after", None)
        return float(max(asked or 0.0, min(high, low * 2 ** min(self._failures, 10)) * random.uniform(0.5, 1.0)))

    def join(self, nonces: Nonces) -> None:
        """Send from an account that other keepers send from too."""
        nonces.join(self)
        self._parts = replace(self._parts, nonces=nonces)

    def close(self) -> None:
        """Give up the proof that is running."""
        self._parts.proofs.close()

    def tick(self) -> actions.Action:
        """Take one step and return what was done.

        Raises
        ------
        RpcUnavailable, RpcRefused, ReorgDetected
            When the chain could not be read; the next tick tries again.
        JournalError
            When a fact could not be written; nothing was signed or sent.
        """
        try:
            seen = self._parts.observer.observe(self.state.work)
        except WrongChain as error:
            self._write(facts.Halted(str(error)))
            return actions.Halt(str(error))
        nonce = self._parts.nonces(seen.account_nonce)
        seen = replace(seen, outage=self._outage, frozen=self._frozen(seen.head), account_nonce=nonce)
        self._time = seen.head.timestamp
        self._resume(seen)
        self._collect()
        self.monitor.saw(self.state, seen, self._config)
        action = step(self.state, seen, self._config)
        if not isinstance(action, actions.Wait):
            self._journal.decided(action, seen, self._config)
        self._do(action, seen)
        work = self.state.work
        if self._parts.proofs.running and (work is None or work.stage is not Stage.PROVING):
            self._log.info("proof_dropped", epoch=work.epoch if work else None)
            self._parts.proofs.kill()
        return action

    def _frozen(self, head: actions.Head) -> bool:
        now, (newest, since) = time.monotonic(), self._head
        if head.block_hash != newest:
            self._head = head.block_hash, now
            return False
        return now - since > FROZEN_BLOCKS * self._parts.block_seconds

    def _resume(self, seen: actions.Observation) -> None:
        if self._resumed:
            return
        self._resumed = True
        ahead = self._journal.chain_time - seen.head.timestamp
        if ahead > self._config.period_seconds:
            raise JournalError(
                "the journal is ahead of the chain, so it speaks of another one",
                got=f"{ahead} s after the newest block",
                where=self._journal.path.name,
                next_step="Check the endpoint, or give another file with --journal",
            )
        if self.state.next_epoch is None:
            self._write(facts.Started(first_epoch(seen, self._config)))
        else:
            self._write(facts.Restarted())

    def _write(self, fact: facts.Fact) -> None:
        self._journal.write(fact, self._time)
        kind, fields = facts.to_row(fact)
        hidden = ("proof", "calldata", "raw")
        self._log.info(kind, chain_time=self._time, **{k: v for k, v in fields.items() if k not in hidden})

    def _collect(self) -> None:
        done = self._parts.proofs.take()
        work = self.state.work
        if done is None or work is None:
            return
        if isinstance(done, Proof):
            self._write(facts.Proven(work.epoch, f"0x{done.proof.hex()}", done.seconds, done.prover))
        else:
            self._write(facts.Trouble(work.epoch, reason_of(done), str(done), back=True))

    def _do(self, action: actions.Action, seen: actions.Observation) -> None:
        match action:
            case actions.Begin():
                self._write(facts.Seen(action.epoch, seen.active_model))
            case actions.Read():
                self._read(action.epoch, seen.head)
            case actions.Prove():
                self._prove(action)
            case actions.Simulate():
                self._simulate(action.epoch, seen.head)
            case actions.Hold():
                self._trouble(action.epoch, action.reason, action.detail)
            case actions.Submit() | actions.Bump() | actions.Cancel():
                self._sign(action, seen.head)
            case actions.Rebroadcast():
                self._broadcast(action.epoch, action.tx_hash, action.raw, seen.head, public=action.public)
            case actions.Follow():
                receipt = action.receipt
                self._write(
                    facts.Mined(
                        action.epoch,
                        receipt.tx_hash,
                        receipt.block_number,
                        receipt.block_hash,
                        receipt.gas_used,
                        receipt.succeeded,
                        receipt.detail,
                        receipt.cost_wei,
                    )
                )
            case actions.Lose():
                self._write(facts.Unmined(action.epoch, action.tx_hash))
            case actions.Record():
                self._settle(action)
            case actions.Halt():
                if not self.state.halted:
                    self._write(facts.Halted(action.reason))
            case actions.Wait():
                pass

    def _read(self, epoch: int, head: actions.Head) -> None:
        try:
            reading = self._parts.window.read(epoch * self._config.period_seconds, head)
            outputs = self._parts.outputs(reading.inputs)
        except (WindowError, VerificationError) as error:
            self._trouble(epoch, facts.Miss.WINDOW_UNAVAILABLE, str(error))
            return
        except EnvelopeExceeded as error:
            self._trouble(epoch, facts.Miss.ENVELOPE_EXCEEDED, str(error))
            return
        self._reading = epoch, reading
        self._write(facts.InputsRead(epoch, reading.inputs, outputs, head.number, head.block_hash))

    def _prove(self, action: actions.Prove) -> None:
        work = self.state.work
        if work is None or work.read is None:
            raise KeeperError("a proof was asked for without inputs", got=action.epoch)
        self._write(facts.Proving(action.epoch))
        job = ProofJob(self._parts.artefact, action.inputs, self._parts.beneficiary, self._parts.deadline_seconds)
        due = action.epoch * self._config.period_seconds + self._config.max_age_seconds
        self._parts.proofs.start(job, work.read.outputs, due)

    def _simulate(self, epoch: int, head: actions.Head) -> None:
        work = self.state.work
        if work is None or work.read is None or work.proof is None:
            raise KeeperError("a simulation was asked for without a proof", got=epoch)
        try:
            if self._reading is None or self._reading[0] != epoch or self._reading[1].inputs != work.read.inputs:
                self._reading = epoch, self._parts.window.read(epoch * self._config.period_seconds, head)
            hints = self._reading[1].hints
            proof = bytes.fromhex(work.proof.proof[2:])
            calldata = self._parts.submitter.calldata(epoch, self._parts.beneficiary, work.read.outputs, proof, hints)
            gas = self._parts.submitter.simulate(calldata, head)
        except (Reverted, SubmissionFailed, WindowError, VerificationError) as error:
            self._reading = None
            self._write(facts.SimulationFailed(epoch, revert_text(error), head.number))
            return
        self._write(facts.Simulated(epoch, calldata, gas, head.number, head.block_hash))

    def _sign(self, action: actions.Submit | actions.Bump | actions.Cancel, head: actions.Head) -> None:
        fees = Fees(action.max_fee_wei, action.tip_wei)
        cancel = isinstance(action, actions.Cancel)
        work = self.state.work
        if cancel:
            raw, tx_hash = self._parts.submitter.sign_cancel(action.nonce, fees)
        elif work is not None and work.simulation is not None:
            made = work.simulation
            raw, tx_hash = self._parts.submitter.sign_trade(made.calldata, made.gas, action.nonce, fees)
        else:
            raise KeeperError("a signature was asked for without a simulation", got=action.epoch)
        self._write(
            facts.Signed(
                action.epoch, action.nonce, tx_hash, raw, fees.max_fee_wei, fees.tip_wei, head.number, cancel=cancel
            )
        )
        public = cancel or (work is not None and work.public)
        self._broadcast(action.epoch, tx_hash, raw, head, public=public)

    def _broadcast(self, epoch: int, tx_hash: str, raw: str, head: actions.Head, *, public: bool) -> None:
        """Send signed bytes; a cancellation, which reveals nothing, is always public."""
        public = public or not self._parts.submitter.private
        answer, words = self._parts.submitter.broadcast(raw, public=public)
        said = f"{answer}: {words}" if words else str(answer)
        self._write(facts.Broadcast(epoch, tx_hash, said, head.number, public))

    def _trouble(self, epoch: int, reason: facts.Miss, detail: str) -> None:
        work = self.state.work
        if work is None or work.trouble is None or (work.trouble.reason, work.trouble.detail) != (reason, detail):
            self._write(facts.Trouble(epoch, reason, detail))

    def _settle(self, action: actions.Record) -> None:
        work = self.state.work
        fact = facts.Settled(action.epoch, action.accepted, action.reason, action.detail)
        self._write(fact)
        self._outage = ""
        self.monitor.settled(fact, work)
        if self._on_settled is not None:
            self._on_settled(fact, work)
