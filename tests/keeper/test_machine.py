"""A random chain against the pure core: blocks, reorgs, lost mempools, crashes, rotations, failing provers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from vaultkit.keeper import actions, facts
from vaultkit.keeper.facts import Miss
from vaultkit.keeper.state import Stage, State, apply, fold
from vaultkit.keeper.step import expired, first_epoch, step
from vaultkit.window import latest_closed_epoch

MODEL, OTHER = "model", "other"
CONFIG = actions.Config(MODEL, 1_200, 600, fee_cap_wei=20 * 10**9)


@dataclass(frozen=True)
class Tx:
    """What the keeper signed."""

    tx_hash: str
    nonce: int
    epoch: int
    max_fee: int
    cancel: bool


@dataclass(frozen=True)
class Block:
    """Everything of the chain after this block."""

    number: int
    block_hash: str
    timestamp: int
    nonce: int
    last_epoch: int
    model: str
    receipts: dict[str, tuple[int, bool]] = field(default_factory=dict)


class KeeperMachine(RuleBasedStateMachine):
    """Drives `step` as the loop does, and checks what must never happen."""

    @initialize()
    def begin(self) -> None:
        self.names = 0
        self.chain = [Block(0, "b0", 12_060, 0, 0, MODEL)]
        self.pool: dict[int, Tx] = {}
        self.signed: dict[str, Tx] = {}
        self.base_fee = 10**9
        self.facts: list[facts.Fact] = []
        self.state = State()
        self.seen_tip = ["b0"]
        self.accepted_on_chain: list[int] = []
        self.write(facts.Started(first_epoch(self.observe(), CONFIG)))

    @property
    def head(self) -> Block:
        return self.chain[-1]

    def write(self, fact: facts.Fact) -> None:
        kind, payload = facts.to_row(fact)
        self.facts.append(facts.from_row(kind, json.loads(json.dumps(payload))))
        self.state = apply(self.state, fact)

    def observe(self) -> actions.Observation:
        hashes = {block.number: block.block_hash for block in self.chain}
        survived = max(n for n, name in enumerate(self.seen_tip) if hashes.get(n) == name)
        reorg_to = survived if survived < len(self.seen_tip) - 1 else None
        self.seen_tip = [block.block_hash for block in self.chain]
        work = self.state.work
        found = []
        for sent in work.sent if work else ():
            if sent.tx_hash in self.head.receipts:
                number, succeeded = self.head.receipts[sent.tx_hash]
                found.append(actions.Receipt(sent.tx_hash, number, hashes[number], 1, succeeded))
        newest = self.signed[work.sent[-1].tx_hash] if work and work.sent else None
        known = newest is None or self.pool.get(newest.nonce) == newest
        head = actions.Head(self.head.number, self.head.block_hash, self.head.timestamp, self.base_fee)
        parent = self.chain[-2] if len(self.chain) > 1 else self.head
        return actions.Observation(
            head=head,
            last_epoch=parent.last_epoch,
            active_model=parent.model,
            settled_nonce=parent.nonce,
            account_nonce=self.head.nonce,
            balance_wei=10**20,
            hashes=hashes,
            reorg_to=reorg_to,
            receipts=tuple(found),
            known=known,
        )

    def broadcast(self, tx: Tx) -> None:
        rival = self.pool.get(tx.nonce)
        mined = tx.nonce < self.head.nonce
        if not mined and (rival is None or rival == tx or tx.max_fee * 10 >= rival.max_fee * 11):
            self.pool[tx.nonce] = tx
        self.write(facts.Broadcast(tx.epoch, tx.tx_hash, "sent", self.head.number))

    def sign(self, action: actions.Submit | actions.Bump | actions.Cancel, crash: bool) -> None:
        work = self.state.work
        assert work is not None
        cancel = isinstance(action, actions.Cancel)
        if not cancel:
            assert work.simulation is not None
            depth = self.head.number - work.simulation.block_number
            assert 0 <= depth <= CONFIG.fresh_blocks
            assert self.chain[work.simulation.block_number].block_hash == work.simulation.block_hash
            assert work.proof is not None and work.read is not None and work.proven_inputs == work.read.inputs
            assert not expired(action.epoch, self.head.timestamp, CONFIG)
            assert self.chain[-2:][0].model == MODEL
            assert action.max_fee_wei <= CONFIG.fee_cap_wei
        self.names += 1
        tx = Tx(f"t{self.names}", action.nonce, action.epoch, action.max_fee_wei, cancel)
        self.signed[tx.tx_hash] = tx
        self.write(
            facts.Signed(
                tx.epoch, tx.nonce, tx.tx_hash, "raw", tx.max_fee, action.tip_wei, self.head.number, cancel=cancel
            )
        )
        if crash:
            self.restart()
        else:
            self.broadcast(tx)

    @rule(crash=st.booleans(), fails=st.booleans())
    def tick(self, crash: bool, fails: bool) -> None:
        action = step(self.state, self.observe(), CONFIG)
        head = self.head
        match action:
            case actions.Begin():
                self.write(facts.Seen(action.epoch, head.model))
            case actions.Read():
                window = (action.epoch, sum(map(ord, self.chain[head.number // 20 * 20].block_hash)))
                self.write(facts.InputsRead(action.epoch, window, (1,), head.number, head.block_hash))
            case actions.Prove():
                assert self.state.work is not None and self.state.work.read is not None
                assert action.inputs == self.state.work.read.inputs
                self.write(facts.Proving(action.epoch))
            case actions.Simulate():
                if fails:
                    self.write(facts.SimulationFailed(action.epoch, "reverted", head.number))
                else:
                    self.write(facts.Simulated(action.epoch, "0x", 1, head.number, head.block_hash))
            case actions.Submit() | actions.Bump() | actions.Cancel():
                self.sign(action, crash)
            case actions.Rebroadcast():
                self.broadcast(self.signed[action.tx_hash])
            case actions.Hold():
                self.write(facts.Trouble(action.epoch, action.reason, action.detail))
            case actions.Follow():
                receipt = action.receipt
                self.write(
                    facts.Mined(
                        action.epoch, receipt.tx_hash, receipt.block_number, receipt.block_hash, 1, receipt.succeeded
                    )
                )
            case actions.Lose():
                self.write(facts.Unmined(action.epoch, action.tx_hash))
            case actions.Record():
                self.write(facts.Settled(action.epoch, action.accepted, action.reason, action.detail))
            case actions.Halt():
                self.write(facts.Halted(action.reason)) if not self.state.halted else None
            case actions.Wait():
                pass

    @rule(rounds=st.integers(3, 9), mines=st.booleans())
    def all_goes_well_for_a_while(self, rounds: int, mines: bool) -> None:
        for _ in range(rounds):
            self.tick(False, False)
            if self.state.work is not None and self.state.work.stage is Stage.PROVING:
                self.prover_answers(None)
        if mines:
            self.mine(120, True)

    @rule(blocks=st.integers(2, 8))
    def an_epoch_closes(self, blocks: int) -> None:
        for _ in range(blocks):
            self.mine(150, True)
            self.tick(False, False)

    @precondition(lambda self: self.state.work is not None and self.state.work.stage is Stage.PROVING)
    @rule(reason=st.sampled_from([None, None, Miss.PROVER_FAILED, Miss.PROVER_TIMEOUT, Miss.PROOF_WRONG]))
    def prover_answers(self, reason: Miss | None) -> None:
        work = self.state.work
        assert work is not None
        if reason is None:
            self.write(facts.Proven(work.epoch, "0x", 1.0, "scripted"))
        else:
            self.write(facts.Trouble(work.epoch, reason, "scripted", back=True))

    @precondition(lambda self: self.state.work is not None)
    @rule()
    def restart(self) -> None:
        assert fold(self.facts) == self.state
        self.state = fold(self.facts)
        self.write(facts.Restarted())

    @rule(seconds=st.integers(30, 400), includes=st.booleans())
    def mine(self, seconds: int, includes: bool) -> None:
        old = self.head
        block = replace(
            old, number=old.number + 1, block_hash=f"b{old.number + 1}.{self.names}", timestamp=old.timestamp + seconds
        )
        self.names += 1
        if includes and old.nonce in self.pool:
            tx = self.pool.pop(old.nonce)
            latest = latest_closed_epoch(block.timestamp, CONFIG.period_seconds)
            fresh = block.timestamp - tx.epoch * CONFIG.period_seconds <= CONFIG.max_age_seconds
            good = tx.cancel or (tx.epoch == latest and fresh and block.last_epoch < tx.epoch and block.model == MODEL)
            last = tx.epoch if good and not tx.cancel else block.last_epoch
            receipts = {**old.receipts, tx.tx_hash: (block.number, good)}
            block = replace(block, nonce=old.nonce + 1, last_epoch=last, receipts=receipts)
        self.chain.append(block)

    @precondition(lambda self: len(self.chain) > 3)
    @rule(depth=st.integers(1, 3))
    def reorg(self, depth: int) -> None:
        lost = self.head.receipts
        self.chain = self.chain[: max(1, len(self.chain) - depth)]
        for name in lost:
            tx = self.signed[name]
            if name not in self.head.receipts:
                self.pool.setdefault(tx.nonce, tx)
        self.mine(60, False)
        self.mine(60, False)

    @rule()
    def mempool_is_lost(self) -> None:
        self.pool.clear()

    @rule(fee=st.sampled_from([10**9, 10**9, 30 * 10**9]))
    def base_fee_moves(self, fee: int) -> None:
        self.base_fee = fee

    @rule(model=st.sampled_from([MODEL, MODEL, MODEL, OTHER]))
    def registry_moves(self, model: str) -> None:
        self.chain[-1] = replace(self.head, model=model)

    @invariant()
    def one_nonce_an_epoch(self) -> None:
        nonces: dict[int, set[int]] = {}
        for fact in getattr(self, "facts", []):
            if isinstance(fact, facts.Signed):
                nonces.setdefault(fact.epoch, set()).add(fact.nonce)
        assert all(len(used) == 1 for used in nonces.values())

    @invariant()
    def epochs_are_settled_in_order_and_once_and_with_a_reason(self) -> None:
        settled = [fact for fact in getattr(self, "facts", []) if isinstance(fact, facts.Settled)]
        if settled:
            first = settled[0].epoch
            assert [fact.epoch for fact in settled] == list(range(first, first + len(settled)))
        assert all(fact.accepted or fact.reason in set(Miss) for fact in settled)

    @invariant()
    def every_trade_signature_follows_a_simulation_of_its_epoch(self) -> None:
        simulated: set[int] = set()
        for fact in getattr(self, "facts", []):
            if isinstance(fact, facts.Simulated):
                simulated.add(fact.epoch)
            if isinstance(fact, facts.Signed) and not fact.cancel:
                assert fact.epoch in simulated

    @invariant()
    def what_is_recorded_as_accepted_was_mined(self) -> None:
        history = getattr(self, "facts", [])
        mined = {fact.epoch for fact in history if isinstance(fact, facts.Mined) and fact.succeeded}
        assert {fact.epoch for fact in history if isinstance(fact, facts.Settled) and fact.accepted} <= mined


TestKeeperMachine = KeeperMachine.TestCase
TestKeeperMachine.settings = settings(
    max_examples=250, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
