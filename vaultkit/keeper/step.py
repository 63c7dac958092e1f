"""``step(state, observation) -> action``: every decision of the keeper, without I/O and without a clock.

Only chain time counts: an epoch is over when the head's timestamp says so, whatever the host believes. One nonce is
used for an epoch, ever; a bump or a cancellation replaces the transaction of that nonce. Nothing but a cancellation
is signed without a simulation at a recent canonical block hash.
"""

from __future__ import annotations

from vaultkit.keeper.actions import (
    Action,
    Begin,
    Bump,
    Cancel,
    Config,
    Follow,
    Halt,
    Hold,
    Lose,
    Observation,
    Prove,
    Read,
    Rebroadcast,
    Record,
    Simulate,
    Submit,
    Wait,
)
from vaultkit.keeper.facts import Miss, Signed
from vaultkit.keeper.state import Stage, State, Work
from vaultkit.window import latest_closed_epoch


def expired(epoch: int, timestamp: int, config: Config) -> bool:
    """Return whether no block after one with this timestamp can still accept the epoch."""
    return timestamp >= epoch * config.period_seconds + config.max_age_seconds


def first_epoch(seen: Observation, config: Config) -> int:
    """Return the first epoch that a keeper which starts now answers for: the latest closed one if it is still open."""
    latest = latest_closed_epoch(seen.head.timestamp, config.period_seconds)
    over = expired(latest, seen.head.timestamp, config) or seen.last_epoch >= latest
    return latest + 1 if over else latest


def step(state: State, seen: Observation, config: Config) -> Action:
    """Return the one next action.

    Parameters
    ----------
    state
        Fold of the journal; ``next_epoch`` is set.
    seen
        The chain now.
    config
        The keeper's limits.
    """
    if state.halted:
        return Halt(state.halted)
    work = state.work
    if work is None:
        return _between(state, seen, config)
    if work.stage is Stage.MINED:
        return _confirm(work, seen, config)
    action = _follow(state, work, seen, config) if work.sent else _prepare(state, work, seen, config)
    if seen.frozen and isinstance(action, Prove | Simulate | Submit | Bump):
        return _hold(work, Miss.HEAD_FROZEN, f"no block after {seen.head.number}")
    return action


def _between(state: State, seen: Observation, config: Config) -> Action:
    epoch = state.next_epoch
    latest = latest_closed_epoch(seen.head.timestamp, config.period_seconds)
    if epoch is None:
        return Halt("the journal has no first epoch")
    reverts = state.reverts_since(latest - config.epochs_a_day)
    if reverts >= config.reverts:
        return Halt(f"{reverts} transactions of a day reverted after a successful simulation")
    if epoch > latest:
        return Wait()
    if seen.last_epoch == epoch:
        return Record(epoch, False, Miss.KEPT_BY_ANOTHER)
    if expired(epoch, seen.head.timestamp, config):
        return _unseen(epoch, seen, Miss.NOT_RUNNING)
    if seen.active_model != config.model_id:
        return Halt("the registry's active model is not this artefact's")
    return Begin(epoch)


def _prepare(state: State, work: Work, seen: Observation, config: Config) -> Action:
    epoch = work.epoch
    if seen.last_epoch >= epoch:
        return Record(epoch, False, Miss.KEPT_BY_ANOTHER)
    if seen.active_model != work.model_id:
        return Record(epoch, False, Miss.MODEL_ROTATED)
    if _over(epoch, seen, config):
        return _missed(work, Miss.TOO_LATE) if work.trouble else _unseen(epoch, seen, Miss.TOO_LATE)
    if work.read is None or work.stage is Stage.SEEN:
        return Read(epoch)
    if seen.reorg_to is not None and seen.reorg_to < work.read.block_number:
        return Read(epoch)
    if work.stage is Stage.READ:
        if work.proofs_started >= config.proofs:
            return _missed(work, Miss.PROVER_FAILED)
        return Prove(epoch, work.read.inputs)
    if work.stage is Stage.PROVING:
        return Wait()
    if work.simulations_failed >= config.simulations:
        return _missed(work, Miss.SIMULATION_REVERTED)
    if not _fresh(work, seen, config):
        if seen.head.number <= work.failed_block:
            return Wait()
        # The window may have been read from a node that was between two blocks: equal inputs keep their proof.
        return Read(epoch) if work.read.block_number <= work.failed_block else Simulate(epoch)
    return _submit(state, work, seen, config)


def _submit(state: State, work: Work, seen: Observation, config: Config) -> Action:
    if work.simulation is None:
        return Simulate(work.epoch)
    max_fee = 2 * seen.head.base_fee_wei + config.tip_wei
    if max_fee > config.fee_cap_wei:
        return _hold(work, Miss.GAS_ABOVE_BUDGET, f"{max_fee} wei a gas, at most {config.fee_cap_wei}")
    if not _affordable(state, work, max_fee, config):
        return _hold(work, Miss.GAS_BUDGET_SPENT, f"at most {config.gas_budget_wei} wei a day")
    if seen.balance_wei < work.simulation.gas * max_fee:
        return _hold(work, Miss.LOW_BALANCE, f"{seen.balance_wei} wei, needs {work.simulation.gas * max_fee}")
    return Submit(work.epoch, seen.account_nonce, max_fee, config.tip_wei)


def _affordable(state: State, work: Work, max_fee: int, config: Config) -> bool:
    if not config.gas_budget_wei or work.simulation is None:
        return True
    spent = state.spent_since(work.epoch - config.epochs_a_day)
    return spent + work.simulation.gas * max_fee <= config.gas_budget_wei


def _follow(state: State, work: Work, seen: Observation, config: Config) -> Action:
    newest = work.sent[-1]
    if seen.receipts:
        return Follow(work.epoch, seen.receipts[0])
    if seen.settled_nonce > newest.nonce:
        if seen.reorg_to is not None:
            return Wait()
        return Halt(f"nonce {newest.nonce} was used by a transaction that is not this keeper's")
    lost = work.doomed or seen.active_model != work.model_id or seen.last_epoch >= work.epoch
    stuck = seen.head.number - newest.block_number >= config.bump_blocks and len(work.sent) <= config.bumps
    if not work.cancelling and (lost or _over(work.epoch, seen, config)):
        return Cancel(work.epoch, newest.nonce, *_raised(newest))
    if config.private and not work.public and not work.cancelling:
        if seen.head.number - work.sent[0].block_number >= config.relay_blocks:
            if config.public_fallback:
                return Rebroadcast(work.epoch, newest.tx_hash, newest.raw, public=True)
            if work.trouble is None or work.trouble.reason != Miss.RELAY_DROPPED:
                return Hold(work.epoch, Miss.RELAY_DROPPED, f"not mined within {config.relay_blocks} blocks")
    elif not seen.known and seen.head.number > work.broadcast_block:
        return Rebroadcast(work.epoch, newest.tx_hash, newest.raw, public=config.private)
    if not stuck:
        return Wait()
    if work.cancelling:
        return Cancel(work.epoch, newest.nonce, *_raised(newest))
    max_fee, tip = _raised(newest)
    if max_fee > config.fee_cap_wei or len(work.sent) >= config.bumps:
        return Wait()
    if not _affordable(state, work, max_fee, config):
        return Wait()
    return Bump(work.epoch, newest.nonce, max_fee, tip) if _fresh(work, seen, config) else Simulate(work.epoch)


def _confirm(work: Work, seen: Observation, config: Config) -> Action:
    mined = work.mined
    if mined is None:
        return Halt("the journal holds a mined epoch without a receipt")
    canonical = seen.hashes.get(mined.block_number)
    if canonical is not None and canonical != mined.block_hash:
        return Lose(work.epoch, mined.tx_hash)
    if seen.head.number - mined.block_number < config.confirmations:
        return Wait()
    if any(signed.cancel and signed.tx_hash == mined.tx_hash for signed in work.sent):
        if seen.last_epoch >= work.epoch:
            return Record(work.epoch, False, Miss.KEPT_BY_ANOTHER)
        if seen.active_model != work.model_id:
            return Record(work.epoch, False, Miss.MODEL_ROTATED)
        return _missed(work, Miss.NOT_MINED)
    if mined.succeeded:
        return Record(work.epoch, True, "accepted", mined.detail)
    return Record(work.epoch, False, Miss.REVERTED, mined.detail)


def _over(epoch: int, seen: Observation, config: Config) -> bool:
    return expired(epoch, seen.head.timestamp, config)


def _fresh(work: Work, seen: Observation, config: Config) -> bool:
    made = work.simulation
    if made is None or seen.head.number - made.block_number > config.fresh_blocks:
        return False
    return seen.hashes.get(made.block_number) == made.block_hash


def _raised(signed: Signed) -> tuple[int, int]:
    return (signed.max_fee_wei * 11 + 9) // 10, (signed.tip_wei * 11 + 9) // 10


def _hold(work: Work, reason: Miss, detail: str) -> Action:
    known = work.trouble is not None and work.trouble.reason == reason
    return Wait() if known else Hold(work.epoch, reason, detail)


def _unseen(epoch: int, seen: Observation, default: Miss) -> Record:
    if seen.outage:
        return Record(epoch, False, Miss.RPC_UNAVAILABLE, seen.outage)
    return Record(epoch, False, default)


def _missed(work: Work, default: Miss) -> Record:
    if work.trouble is None:
        return Record(work.epoch, False, default)
    return Record(work.epoch, False, work.trouble.reason, work.trouble.detail)
