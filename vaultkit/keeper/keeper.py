"""The loop: observe, ask `step`, write the fact, do the deed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, Protocol

from vaultkit.errors import (
    JournalError,
    KeeperError,
    ReorgDetected,
    RpcRefused,
    RpcUnavailable,
    VaultkitError,
    WrongChain,
)
from vaultkit.keeper import actions, facts
from vaultkit.keeper.breaker import Breaker
from vaultkit.keeper.deeds import Deeds
from vaultkit.keeper.journal import Journal
from vaultkit.keeper.monitor import Monitor
from vaultkit.keeper.parts import Parts
from vaultkit.keeper.redact import Redactor
from vaultkit.keeper.state import Stage, State, Work
from vaultkit.keeper.step import first_epoch, step

FROZEN_BLOCKS: Final = 3
"""Block times without a new block after which the head counts as frozen."""

BACKOFF_SECONDS: Final = (0.1, 5.0)


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
    redact
        Takes secrets out of the words of nodes and provers; by their shape alone where left out.

    Attributes
    ----------
    attempted
        Epochs settled by this process that closed while it ran or were still open when it began.
    """

    def __init__(
        self,
        parts: Parts,
        config: actions.Config,
        journal: Journal,
        log: Any,
        on_settled: Callable[[facts.Settled, Work | None], None] | None = None,
        monitor: Monitor | None = None,
        redact: Callable[[str], str] | None = None,
    ) -> None:
        self._config, self._journal, self._log = config, journal, log
        self._redact = redact or Redactor().text
        self._deeds = Deeds(parts, config, journal, log, self._settled, self._redact)
        self._on_settled = on_settled
        self.monitor = monitor or Monitor()
        self._breaker = Breaker()
        self._failures = 0
        self._head = ("", 0.0)
        self._resumed = False
        self._outage = ""
        self._nothing_at = ""
        self.attempted = 0

    @property
    def state(self) -> State:
        """The fold of the journal."""
        return self._journal.state

    @property
    def parts(self) -> Parts:
        """What the keeper works with; may be replaced between two turns."""
        return self._deeds.parts

    @parts.setter
    def parts(self, parts: Parts) -> None:
        self._deeds.parts = parts

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
                last = self._redact(f"{type(error).__name__}: {error}")
                reason = f"unexpected errors used up their budget, the last one: {last}"
                self._deeds.write(facts.Halted(reason))
                raise KeeperError("the keeper halted", got=reason, next_step="See its log") from error
            return self._fail(error)
        if self._failures:
            self._log.info("recovered", failures=self._failures)
            self._failures = 0
        if isinstance(action, actions.Halt):
            raise KeeperError("the keeper halted", got=action.reason, next_step="See `vaultkit keeper status`")
        return 0.0 if self.state is not before else self.parts.poll_seconds

    def _fail(self, error: Exception) -> float:
        """Note an outage and return how long to leave the endpoint alone: never less than what it asked for."""
        self._failures += 1
        self._outage, self._nothing_at = self._redact(str(error)), ""
        self.monitor.degraded(self._outage)
        self._log.warning("degraded", error=str(error), failures=self._failures)
        low, high = BACKOFF_SECONDS
        asked: float | None = getattr(error, "retry_after", None)
        return float(max(asked or 0.0, min(high, low * 2 ** min(self._failures, 10)) * random.uniform(0.5, 1.0)))

    @property
    def hurried(self) -> bool:
        """Whether a proof is there to be sent, while the endpoints answer: no reason to wait for the next look."""
        return self.parts.proofs.finished and not self._failures

    def join(self, nonces: Nonces) -> None:
        """Send from an account that other keepers send from too."""
        nonces.join(self)
        self.parts = replace(self.parts, nonces=nonces)

    def close(self) -> None:
        """Give up the proof that is running."""
        self.parts.proofs.close()

    def tick(self) -> actions.Action:
        """Take one step and return what was done.

        Raises
        ------
        RpcUnavailable, RpcRefused, ReorgDetected
            When the chain could not be read; the next tick tries again.
        JournalError
            When a fact could not be written; nothing was signed or sent.
        """
        if self._nothing_at and self.parts.observer.newest() == self._nothing_at and not self._frozen(self._nothing_at):
            self.monitor.looked()
            return actions.Wait()
        try:
            seen = self.parts.observer.observe(self.state.work)
        except WrongChain as error:
            reason = self._redact(str(error))
            self._deeds.write(facts.Halted(reason))
            return actions.Halt(reason)
        nonce, frozen = self.parts.nonces(seen.account_nonce), self._frozen(seen.head.block_hash)
        receipts = tuple(replace(receipt, detail=self._redact(receipt.detail)) for receipt in seen.receipts)
        seen = replace(seen, outage=self._outage, frozen=frozen, account_nonce=nonce, receipts=receipts)
        self._deeds.chain_time = seen.head.timestamp
        self._resume(seen)
        self._deeds.collect()
        action = step(self.state, seen, self._config)
        if not isinstance(action, actions.Wait):
            self._journal.decided(action, seen, self._config)
        self._deeds.do(action, seen)
        self.monitor.saw(self.state, seen, self._config)
        work = self.state.work
        if self.parts.proofs.running and (work is None or work.stage is not Stage.PROVING):
            self._log.info("proof_dropped", epoch=work.epoch if work else None)
            self.parts.proofs.kill()
        # Between two epochs nothing but a new block can give reason to act.
        idle = isinstance(action, actions.Wait) and work is None
        self._nothing_at = seen.head.block_hash if idle else ""
        return action

    def _frozen(self, block_hash: str) -> bool:
        now, (newest, since) = time.monotonic(), self._head
        if block_hash != newest:
            self._head = block_hash, now
            return False
        return now - since > FROZEN_BLOCKS * self.parts.block_seconds

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
            self._deeds.write(facts.Started(first_epoch(seen, self._config)))
        else:
            self._deeds.write(facts.Restarted())

    def _settled(self, fact: facts.Settled, work: Work | None) -> None:
        self._outage = ""
        self.attempted += fact.reason != facts.Miss.NOT_RUNNING
        self.monitor.settled(fact, work)
        if self._on_settled is not None:
            self._on_settled(fact, work)
