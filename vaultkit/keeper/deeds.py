"""`Deeds`: what follows from a decision, each announced in the journal before it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from vaultkit.errors import (
    EnvelopeExceeded,
    KeeperError,
    Reverted,
    StoreError,
    SubmissionFailed,
    VerificationError,
    WindowDisputed,
    WindowError,
)
from vaultkit.keeper import actions, facts
from vaultkit.keeper.inputs import Reading
from vaultkit.keeper.journal import Journal
from vaultkit.keeper.parts import Parts
from vaultkit.keeper.proving import reason_of
from vaultkit.keeper.state import State, Work
from vaultkit.keeper.submit import Fees, revert_text
from vaultkit.protocols import Proof, ProofJob


class Deeds:
    """Does what was decided.

    Parameters
    ----------
    parts
        I/O; may be replaced between two actions.
    config
        Limits.
    journal
        Where each fact is written first.
    log
        structlog logger; every line is redacted.
    on_settled
        Called with the epoch's last facts when it is accepted or missed.
    redact
        Takes secrets out of the words of nodes and provers, before they reach the journal.
    """

    def __init__(
        self,
        parts: Parts,
        config: actions.Config,
        journal: Journal,
        log: Any,
        on_settled: Callable[[facts.Settled, Work | None], None],
        redact: Callable[[str], str],
    ) -> None:
        self.parts, self._config, self._journal, self._log = parts, config, journal, log
        self._on_settled, self._redact = on_settled, redact
        self._reading: tuple[int, Reading] | None = None
        self.chain_time = 0

    @property
    def state(self) -> State:
        """The fold of the journal."""
        return self._journal.state

    def write(self, fact: facts.Fact) -> None:
        """Put a fact into the journal, and then into the log.

        Raises
        ------
        JournalError
            When it could not be written.
        """
        fact = facts.cleaned(fact, self._redact)
        self._journal.write(fact, self.chain_time)
        kind, fields = facts.to_row(fact)
        hidden = ("proof", "calldata", "raw")
        self._log.info(kind, chain_time=self.chain_time, **{k: v for k, v in fields.items() if k not in hidden})

    def collect(self) -> None:
        """Take a proof that is done, or what became of it."""
        done = self.parts.proofs.take()
        work = self.state.work
        if done is None or work is None:
            return
        if isinstance(done, Proof):
            self.write(facts.Proven(work.epoch, f"0x{done.proof.hex()}", done.seconds, done.prover))
        else:
            self.write(facts.Trouble(work.epoch, reason_of(done), str(done), back=True))

    def do(self, action: actions.Action, seen: actions.Observation) -> None:
        """Do an action; see `vaultkit.keeper.keeper.Keeper.tick` for what is raised."""
        match action:
            case actions.Begin():
                self.write(facts.Seen(action.epoch, seen.active_model))
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
                self.write(facts.Mined(action.epoch, **asdict(action.receipt)))
            case actions.Lose():
                self.write(facts.Unmined(action.epoch, action.tx_hash))
            case actions.Record():
                self._settle(action)
            case actions.Halt():
                if not self.state.halted:
                    self.write(facts.Halted(action.reason))
            case actions.Wait():
                pass

    def _read(self, epoch: int, head: actions.Head) -> None:
        try:
            reading = self.parts.window.read(epoch * self._config.period_seconds, head)
            outputs = self.parts.outputs(reading.inputs)
        except WindowDisputed as error:
            self._trouble(epoch, facts.Miss.WINDOW_DISPUTED, str(error))
            return
        except (WindowError, VerificationError, StoreError) as error:
            self._trouble(epoch, facts.Miss.WINDOW_UNAVAILABLE, str(error))
            return
        except EnvelopeExceeded as error:
            self._trouble(epoch, facts.Miss.ENVELOPE_EXCEEDED, str(error))
            return
        self._reading = epoch, reading
        self.write(facts.InputsRead(epoch, reading.inputs, outputs, head.number, head.block_hash))

    def _prove(self, action: actions.Prove) -> None:
        work = self.state.work
        if work is None or work.read is None:
            raise KeeperError("a proof was asked for without inputs", got=action.epoch)
        self.write(facts.Proving(action.epoch))
        job = ProofJob(self.parts.artefact, action.inputs, self.parts.beneficiary, self.parts.deadline_seconds)
        due = action.epoch * self._config.period_seconds + self._config.max_age_seconds
        self.parts.proofs.start(job, work.read.outputs, due)

    def _simulate(self, epoch: int, head: actions.Head) -> None:
        work = self.state.work
        if work is None or work.read is None or work.proof is None:
            raise KeeperError("a simulation was asked for without a proof", got=epoch)
        try:
            if self._reading is None or self._reading[0] != epoch or self._reading[1].inputs != work.read.inputs:
                self._reading = epoch, self.parts.window.read(epoch * self._config.period_seconds, head)
            hints = self._reading[1].hints
            proof = bytes.fromhex(work.proof.proof[2:])
            calldata = self.parts.submitter.calldata(epoch, self.parts.beneficiary, work.read.outputs, proof, hints)
            gas = self.parts.submitter.simulate(calldata, head)
        except (Reverted, SubmissionFailed, WindowError, VerificationError, StoreError) as error:
            self._reading = None
            self.write(facts.SimulationFailed(epoch, revert_text(error), head.number))
            return
        self.write(facts.Simulated(epoch, calldata, gas, head.number, head.block_hash))

    def _sign(self, action: actions.Submit | actions.Bump | actions.Cancel, head: actions.Head) -> None:
        fees = Fees(action.max_fee_wei, action.tip_wei)
        cancel = isinstance(action, actions.Cancel)
        work = self.state.work
        if cancel:
            raw, tx_hash = self.parts.submitter.sign_cancel(action.nonce, fees)
        elif work is not None and work.simulation is not None:
            made = work.simulation
            raw, tx_hash = self.parts.submitter.sign_trade(made.calldata, made.gas, action.nonce, fees)
        else:
            raise KeeperError("a signature was asked for without a simulation", got=action.epoch)
        self.write(
            facts.Signed(
                action.epoch, action.nonce, tx_hash, raw, fees.max_fee_wei, fees.tip_wei, head.number, cancel=cancel
            )
        )
        public = cancel or (work is not None and work.public)
        self._broadcast(action.epoch, tx_hash, raw, head, public=public)

    def _broadcast(self, epoch: int, tx_hash: str, raw: str, head: actions.Head, *, public: bool) -> None:
        """Send signed bytes; a cancellation, which reveals nothing, is always public."""
        public = public or not self.parts.submitter.private
        answer, words = self.parts.submitter.broadcast(raw, public=public)
        said = f"{answer}: {words}" if words else str(answer)
        self.write(facts.Broadcast(epoch, tx_hash, said, head.number, public))

    def _trouble(self, epoch: int, reason: facts.Miss, detail: str) -> None:
        work, detail = self.state.work, self._redact(detail)
        if work is None or work.trouble is None or (work.trouble.reason, work.trouble.detail) != (reason, detail):
            self.write(facts.Trouble(epoch, reason, detail))

    def _settle(self, action: actions.Record) -> None:
        work = self.state.work
        fact = facts.Settled(action.epoch, action.accepted, action.reason, action.detail)
        self.write(fact)
        self._on_settled(fact, work)
