"""Faults of the endpoint, the key and the second keeper."""

from __future__ import annotations

import io
import json
import threading
import traceback
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.fixtures.faulty_rpc import FaultyRpc as Nonsense
from tests.fixtures.keeper import KeeperBench, ScriptedProver, model
from tests.fixtures.vault import PROOF
from vaultkit.chain.account import Signer
from vaultkit.chain.rpc import HttpRpc
from vaultkit.cli.keeper import hushed
from vaultkit.errors import (
    JournalError,
    KeeperError,
    ProverFailed,
    Reverted,
    RpcUnavailable,
    SettingsError,
    WindowError,
)
from vaultkit.keeper import actions, facts
from vaultkit.keeper.breaker import BUDGET
from vaultkit.keeper.keys import create_keystore
from vaultkit.keeper.monitor import Health
from vaultkit.keeper.redact import HIDDEN, Redactor, json_logger
from vaultkit.keeper.submit import Answer, Fees, Submitter
from vaultkit.protocols import Proof, ProofJob, Rpc


class FaultyRpc:
    """An endpoint that breaks as it is told: refuses, serves another chain, or forgets a method's answer."""

    def __init__(self, inner: Rpc) -> None:
        self.inner = inner
        self.refusing = False
        self.chain_id: str | None = None
        self.calls = 0

    @property
    def label(self) -> str:
        return self.inner.label

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        self.calls += 1
        if self.refusing:
            raise RpcUnavailable("the endpoint refuses", where=self.label)
        return self.chain_id if self.chain_id and method == "eth_chainId" else self.inner.call(method, params)

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        self.calls += 1
        if self.refusing:
            raise RpcUnavailable("the endpoint refuses", where=self.label)
        answers = self.inner.batch(calls)
        swapped = {i for i, (method, _) in enumerate(calls) if method == "eth_chainId" and self.chain_id}
        return [self.chain_id if i in swapped else answer for i, answer in enumerate(answers)]


def submitter(bench: KeeperBench) -> Submitter:
    return Submitter(bench.setup.rpc, bench.setup.vault, bench.signer, bench.book.chain_id)


def head_of(bench: KeeperBench) -> actions.Head:
    block = bench.setup.rpc.call("eth_getBlockByNumber", ["latest", False])
    return actions.Head(int(block["number"], 16), block["hash"], int(block["timestamp"], 16), 0)


def test_a_keeper_waits_out_an_endpoint_that_refuses_and_then_keeps_the_epoch(bench: KeeperBench) -> None:
    rpc = FaultyRpc(bench.setup.rpc)
    keeper = bench.keeper(rpc=rpc)
    bench.ticks(keeper)
    epoch = bench.close_epoch()
    rpc.refusing = True
    stop = threading.Event()
    # SQLite connections stay in their thread, so the journal is opened in the one that writes to it.
    bench.close()
    states: list[Any] = []

    def keep() -> None:
        states.append(bench.keeper(rpc=rpc).run(1, stop))
        bench.close()

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    while rpc.calls < 6:
        stop.wait(0.01)
    rpc.refusing = False
    for _ in range(200):
        if not thread.is_alive():
            break
        bench.mine(1, 30)
        thread.join(0.1)
    stop.set()
    thread.join(20)
    assert [state.accepted for state in states] == [1]
    assert bench.trades() == [epoch]
    events = [json.loads(line)["event"] for line in bench.logs.getvalue().splitlines()]
    assert "degraded" in events and "recovered" in events


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("eth_getBlockByNumber", None),
        ("eth_getBlockByNumber", {"number": "0x1"}),
        ("eth_getBlockByNumber", "0x"),
        ("eth_call", None),
        ("eth_getTransactionReceipt", {"status": "0x1"}),
    ],
)
def test_answers_that_are_nothing_of_their_kind_are_an_outage_and_never_use_up_the_budget_of_errors(
    bench: KeeperBench, method: str, answer: Any
) -> None:
    rpc = Nonsense(bench.setup.rpc)
    keeper = bench.keeper(rpc=rpc)
    bench.ticks(keeper)
    bench.close_epoch()
    while bench.count(facts.Broadcast) == 0:
        keeper.turn()
    bench.mine()
    rpc.alter(method, lambda genuine, params: answer)
    for _ in range(3 * BUDGET):
        assert keeper.turn() > 0 and keeper.monitor.health is Health.DEGRADED
    rpc._faults.clear()
    assert bench.settle(keeper).accepted


def test_an_epoch_that_passes_while_the_endpoint_refuses_is_missed_for_that_reason(bench: KeeperBench) -> None:
    class BriefStop(threading.Event):
        rounds = 0

        def is_set(self) -> bool:
            self.rounds += 1
            if self.rounds == 3:
                rpc.refusing = False
            return self.rounds > 6

        def wait(self, timeout: float | None = None) -> bool:
            return False

    rpc = FaultyRpc(bench.setup.rpc)
    keeper = bench.keeper(rpc=rpc)
    bench.ticks(keeper)
    epoch = bench.close_epoch()
    bench.mine(1, bench.config.max_age_seconds)
    rpc.refusing = True
    keeper.run(1, BriefStop())
    (settled,) = (fact for fact in bench.facts if isinstance(fact, facts.Settled))
    assert (settled.epoch, settled.reason) == (epoch, facts.Miss.RPC_UNAVAILABLE)


def test_a_window_that_cannot_be_read_is_waited_for_and_not_asked_for_without_pause(bench: KeeperBench) -> None:
    class CountingStop(threading.Event):
        rounds = waits = 0

        def is_set(self) -> bool:
            self.rounds += 1
            return self.rounds > 30

        def wait(self, timeout: float | None = None) -> bool:
            self.waits += 1
            return False

    class ForgetfulReader:
        def read(self, epoch_end: int, head: actions.Head) -> Any:
            raise WindowError("the pool does not reach back far enough")

    keeper = bench.keeper()
    bench.ticks(keeper)
    bench.close_epoch()
    keeper.parts = replace(keeper.parts, window=ForgetfulReader())  # type: ignore[arg-type]
    stop = CountingStop()
    keeper.run(1, stop)
    assert stop.waits >= 27
    assert bench.count(facts.Trouble) == 1
    bench.mine(1, bench.config.max_age_seconds)
    assert bench.settle(keeper).reason == facts.Miss.WINDOW_UNAVAILABLE


def test_an_endpoint_that_changes_its_chain_halts_the_keeper(bench: KeeperBench) -> None:
    rpc = FaultyRpc(bench.setup.rpc)
    keeper = bench.keeper(rpc=rpc)
    bench.ticks(keeper)
    bench.close_epoch()
    rpc.chain_id = "0x1"
    with pytest.raises(KeeperError, match="another chain"):
        keeper.run(1, threading.Event())
    assert bench.count(facts.Halted) == 1
    assert bench.count(facts.Signed) == 0


def test_a_stranger_on_the_same_key_halts_the_keeper(bench: KeeperBench) -> None:
    keeper = bench.keeper()
    bench.ticks(keeper)
    bench.close_epoch()
    bench.ticks(keeper)
    (signed,) = (fact for fact in bench.facts if isinstance(fact, facts.Signed))
    bench.setup.rpc.call("anvil_dropTransaction", [signed.tx_hash])
    raw, _ = submitter(bench).sign_cancel(signed.nonce, Fees(10 * signed.max_fee_wei, 10 * signed.tip_wei))
    bench.setup.rpc.call("eth_sendRawTransaction", [raw])
    bench.mine(2)
    assert isinstance(bench.ticks(keeper), actions.Halt)
    assert bench.trades() == []


@pytest.mark.parametrize(
    ("shift", "late", "name"),
    [(0, 0, "EpochUsed"), (-1, 0, "EpochNotLatest"), (1, 0, "EpochNotLatest"), (0, 7_200, "EpochTooOld")],
)
def test_a_reused_old_or_future_epoch_is_refused_by_name(bench: KeeperBench, shift: int, late: int, name: str) -> None:
    epoch = bench.close_epoch()
    if not late:
        bench.setup.rebalance(epoch, model(bench.setup.inputs(epoch))[0], beneficiary=bench.signer.address)
    bench.mine(1, late or 60)
    sender = submitter(bench)
    calldata = sender.calldata(epoch + shift, bench.signer.address, (64,), PROOF, bench.setup.hints(epoch))
    with pytest.raises(Reverted) as refused:
        sender.simulate(calldata, head_of(bench))
    assert refused.value.name == name


def test_the_same_bytes_sent_twice_are_known_and_not_a_second_transaction(bench: KeeperBench) -> None:
    sender = submitter(bench)
    nonce = int(bench.setup.rpc.call("eth_getTransactionCount", [bench.signer.address, "latest"]), 16)
    raw, _ = sender.sign_cancel(nonce, Fees(3 * 10**9, 10**9))
    assert sender.broadcast(raw)[0] is Answer.SENT
    assert sender.broadcast(raw)[0] is Answer.ALREADY_KNOWN
    cheaper, _ = sender.sign_cancel(nonce, Fees(3 * 10**9 - 1, 10**9 - 1))
    assert sender.broadcast(cheaper)[0] is Answer.UNDERPRICED
    bench.mine()
    assert sender.broadcast(cheaper)[0] is Answer.NONCE_USED


def test_hints_stay_valid_when_the_ring_moves_on_between_simulation_and_block(bench: KeeperBench) -> None:
    keeper = bench.keeper()
    bench.ticks(keeper)
    epoch = bench.close_epoch()
    bench.ticks(keeper)
    (signed,) = (fact for fact in bench.facts if isinstance(fact, facts.Signed))
    bench.setup.rpc.call("anvil_dropTransaction", [signed.tx_hash])
    for _ in range(3):
        bench.setup.trade(buy_risk=True, amount=5_000 * 10**6)
    bench.setup.rpc.call("eth_sendRawTransaction", [signed.raw])
    bench.mine()
    assert bench.trades() == [epoch]


CANARY = "0x" + "c0ffee" * 10 + "beef"


def test_secrets_never_reach_the_log(bench: KeeperBench) -> None:
    class TellingProver(ScriptedProver):
        def prove(self, job: ProofJob) -> Proof:
            raise ProverFailed("no luck", got=f"key {CANARY[2:]} at https://me:hunter22@node.example/v3/token?k=v")

    bench.redactor.add(CANARY)
    keeper = bench.keeper(TellingProver)
    bench.ticks(keeper)
    bench.close_epoch()
    bench.settle(keeper)
    logged = bench.logs.getvalue()
    assert "no luck" in logged
    assert bench.signer._account.key.hex() not in logged
    for secret in (CANARY, CANARY[2:], CANARY[2:].upper(), "hunter22", "token?k=v", "/v3/"):
        assert secret not in logged


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("http://user:pass@host:8545/key?x=1", "http://host:8545"),
        ("wss://mainnet.example/ws/v3/abcdef", "wss://mainnet.example"),
        ("private_key=0xabc, next", f"private_key={HIDDEN}, next"),
        ('{"passphrase": "open sesame"}', HIDDEN),
        (f"a key {CANARY} in a sentence", f"a key {HIDDEN} in a sentence"),
    ],
)
def test_redaction_by_value_and_by_shape(text: str, left: str) -> None:
    shown = Redactor(CANARY).text(text)
    assert left in shown
    for secret in ("pass@", "key?x", "abcdef", "0xabc", "open", CANARY[2:]):
        assert secret not in shown


def test_an_exception_that_leaves_the_keeper_is_hushed_with_those_that_led_to_it() -> None:
    with pytest.raises(KeeperError) as refused, hushed(Redactor(CANARY)):
        try:
            raise ValueError(f"signing with {CANARY} at http://u:{CANARY}@h/x")
        except ValueError as error:
            raise KeeperError("the keeper halted", got=str(error)) from error
    shown = "".join(traceback.format_exception_only(refused.value)) + str(refused.value.__cause__)
    assert "the keeper halted" in shown and HIDDEN in shown and CANARY not in shown and CANARY[2:] not in shown


def test_tracebacks_are_redacted_too() -> None:
    stream = io.StringIO()
    log = json_logger(stream, Redactor(CANARY))
    try:
        raise ValueError(f"signing with {CANARY}")
    except ValueError:
        log.exception("failed")
    assert "ValueError" in stream.getvalue()
    assert CANARY not in stream.getvalue()


def test_a_keystore_is_encrypted_private_and_never_overwritten(tmp_path: Any) -> None:
    path = tmp_path / "keys" / "keeper.json"
    address = create_keystore(path, "a passphrase")
    assert Signer.from_keystore(path, "a passphrase").address == address
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(SettingsError, match="cannot be opened"):
        Signer.from_keystore(path, "another")
    with pytest.raises(SettingsError, match="keystore already"):
        create_keystore(path, "a passphrase")
    with pytest.raises(SettingsError, match="empty passphrase"):
        create_keystore(tmp_path / "new.json", "")


def test_a_journal_that_is_ahead_of_the_chain_is_refused(bench: KeeperBench) -> None:
    keeper = bench.keeper()
    snapshot = bench.setup.devnet.snapshot()
    bench.mine(1, 3 * bench.config.period_seconds)
    bench.ticks(keeper)
    bench.setup.devnet.revert(snapshot)
    with pytest.raises(JournalError, match="ahead of the chain"):
        bench.keeper().tick()


def test_an_endpoint_that_is_not_there_is_named_without_its_path() -> None:
    rpc = HttpRpc("http://user:secret@127.0.0.1:9/path-token")
    with pytest.raises(RpcUnavailable) as refused:
        rpc.call("eth_chainId")
    assert "secret" not in str(refused.value) and "path-token" not in str(refused.value)
