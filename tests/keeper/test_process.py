"""Many vaults in one process, and what is told about them."""

from __future__ import annotations

import http.server
import json
import threading
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.fixtures.keeper import HangingProver, KeeperBench, ScriptedProver, model
from tests.fixtures.vault import PROOF
from vaultkit.chain.fault_proxy import FaultProxy, refuse, too_many_requests
from vaultkit.chain.rpc import HttpRpc
from vaultkit.errors import PortBusy, RpcUnavailable, SettingsError, SubmissionFailed
from vaultkit.keeper import facts
from vaultkit.keeper.economics import economics_of
from vaultkit.keeper.keys import create_keystore
from vaultkit.keeper.lasting import Lasting
from vaultkit.keeper.monitor import Alarm, Health, Monitor
from vaultkit.keeper.outlets import HealthServer, StatusFile, Webhooks
from vaultkit.keeper.polite import Polite
from vaultkit.keeper.proof_pool import ProofPool
from vaultkit.keeper.quorum import Quorum
from vaultkit.keeper.redact import Redactor
from vaultkit.keeper.signing import RemoteSigner, ape_keystore
from vaultkit.protocols import ProofJob

CANARY = "canary-0f-the-process"


def kept(bench: KeeperBench) -> int:
    keeper = bench.keeper()
    bench.ticks(keeper)
    epoch = bench.close_epoch()
    assert bench.settle(keeper).accepted
    return epoch


def test_a_journals_accounts_add_up_to_what_the_chain_took(bench: KeeperBench) -> None:
    def balance() -> int:
        return int(bench.setup.rpc.call("eth_getBalance", [bench.signer.address, "latest"]), 16)

    before = balance()
    kept(bench)
    found = economics_of(bench.path, reward_wei=10**15)
    (epoch,) = found.epochs
    assert epoch.gas_wei == before - balance() == found.break_even_reward_wei
    assert found.profit_wei == 10**15 - epoch.gas_wei


def test_the_status_file_says_degraded_soon_after_an_outage_and_ready_after_it(
    bench: KeeperBench, tmp_path: Path
) -> None:
    with FaultProxy(bench.setup.devnet.url) as proxy:
        keeper = bench.keeper(rpc=HttpRpc(proxy.url))
        path = tmp_path / "status.json"
        with StatusFile(path, [keeper.monitor], bench.redactor, interval_seconds=0.05):
            keeper.turn()
            proxy.fault = refuse()
            keeper.turn()
            time.sleep(0.3)
            assert json.loads(path.read_text())["health"] == "degraded"
            proxy.fault = None
            keeper.turn()
            time.sleep(0.3)
            assert json.loads(path.read_text())["health"] == "ready"


def test_a_loop_that_hangs_is_degraded_within_fifteen_seconds_though_it_says_nothing() -> None:
    assert Monitor().health is Health.STARTING
    silent = Monitor(patience_seconds=0.01)
    time.sleep(0.05)
    assert silent.health is Health.DEGRADED
    assert "no look at the chain" in silent.shown()["reason"]
    from vaultkit.keeper.monitor import PATIENCE_SECONDS

    assert PATIENCE_SECONDS + 1 <= 15


def test_health_status_and_metrics_are_served_on_loopback_without_secrets() -> None:
    monitor = Monitor("0xvault")
    monitor.settled(facts.Settled(7, True, "accepted"), None)
    monitor.degraded(f"http://u:{CANARY}@h:1/{CANARY}?k={CANARY}")
    with HealthServer(0, [monitor], Redactor(CANARY)) as server:
        url = f"http://127.0.0.1:{server.port}"
        metrics = urllib.request.urlopen(f"{url}/metrics").read().decode()
        status = urllib.request.urlopen(f"{url}/status").read().decode()
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(f"{url}/health")
        with pytest.raises(PortBusy):
            HealthServer(server.port, [monitor], Redactor())
    assert 'vaultkit_epochs_total{vault="0xvault",outcome="accepted"} 1' in metrics
    assert 'vaultkit_alarm{vault="0xvault",kind="rpc_unavailable"} 1' in metrics
    assert 'vaultkit_up{vault="0xvault"} 0' in metrics
    families = {family.name: family.type for family in text_string_to_metric_families(metrics)}
    assert families["vaultkit_epochs"] == "counter" and families["vaultkit_up"] == "gauge"
    assert CANARY not in metrics + status


def test_alarms_are_posted_once_when_raised_and_once_when_over_without_secrets() -> None:
    got: list[dict[str, Any]] = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with Webhooks([f"http://127.0.0.1:{server.server_port}/hook"], Redactor(CANARY)) as hooks:
        monitor = Monitor("v", hooks)
        monitor.degraded(f"no answer, password={CANARY}")
        monitor.degraded("still no answer")
        hooks(Alarm("v", "rpc_unavailable", "", False))
    server.shutdown()
    server.server_close()
    assert [(alarm["kind"], alarm["raised"]) for alarm in got] == [
        ("rpc_unavailable", True), ("rpc_unavailable", False),
    ]  # fmt: skip
    assert CANARY not in json.dumps(got)


def test_vaults_that_share_model_and_window_share_one_proof_and_stale_work_is_dropped() -> None:
    hanging, provers = HangingProver(), []

    def make() -> ScriptedProver:
        provers.append(hanging if not provers else ScriptedProver())
        return provers[-1]

    pool = ProofPool(make, lambda artefact, proof: None)
    jobs = [ProofJob(Path("a"), (number,), "0x" + "11" * 20) for number in range(3)]
    first, stale = pool.lane(), pool.lane()
    first.start(jobs[0], model((0,)), 5)
    stale.start(jobs[1], model((1,)), 9)
    sharers = [pool.lane() for _ in range(100)]
    for lane in sharers:
        lane.start(jobs[2], model((2,)), 7)
    stale.kill()
    hanging._released.set()
    ends = time.monotonic() + 20
    results = []
    while len(results) < 100 and time.monotonic() < ends:
        results += [done for lane in sharers if (done := lane.take()) is not None]
        time.sleep(0.01)
    pool.close()
    assert len(results) == 100 and {result.proof for result in results} == {PROOF}  # type: ignore[union-attr]
    assert (pool.proven, pool.shared) == (2, 99)
    assert not any(job == jobs[1] for prover in provers for job in prover.jobs)


def test_a_proof_that_nobody_waits_for_is_killed() -> None:
    prover = HangingProver()
    pool = ProofPool(lambda: prover, lambda artefact, proof: None)
    lane = pool.lane()
    lane.start(ProofJob(Path("a"), (1,), "0x" + "11" * 20), model((1,)))
    ends = time.monotonic() + 10
    while not any(task.prover for task in pool._tasks.values()) and time.monotonic() < ends:
        time.sleep(0.01)
    lane.kill()
    assert prover.closed
    pool.close()


def test_retry_after_is_obeyed_on_the_wire(bench: KeeperBench) -> None:
    with FaultProxy(bench.setup.devnet.url) as proxy:
        rpc = Polite(HttpRpc(proxy.url))
        proxy.fault = too_many_requests(30)
        for _ in range(5):
            with pytest.raises(RpcUnavailable):
                rpc.call("eth_chainId")
        assert len(proxy.log) == 1


def test_a_quorum_takes_what_two_of_three_say_and_names_the_third(bench: KeeperBench) -> None:
    from tests.fixtures.faulty_rpc import FaultyRpc

    said: list[str] = []
    liar = FaultyRpc(bench.setup.rpc)
    liar.alter("eth_getBalance", lambda answer, params: "0x0")
    honest = [bench.setup.rpc, HttpRpc(bench.setup.devnet.url)]
    balance = bench.setup.rpc.call("eth_getBalance", [bench.signer.address, "latest"])
    assert Quorum([*honest, liar], on_dissent=said.append).call("eth_getBalance", [bench.signer.address, "latest"]) == (
        balance
    )
    assert len(said) == 1 and liar.label in said[0]
    with pytest.raises(RpcUnavailable, match="disagree on eth_getBalance"):
        Quorum([honest[0], liar]).call("eth_getBalance", [bench.signer.address, "latest"])
    with pytest.raises(SettingsError):
        Quorum(honest, 1)


def test_an_alarm_without_an_end_is_raised_once_and_over_after_a_silence() -> None:
    heard: list[tuple[str, str, bool]] = []
    lasting = Lasting(silence_seconds=0.0)
    lasting.tell("endpoints_differ", "before anybody listened")
    lasting.attach(lambda alarm: heard.append((alarm.kind, alarm.detail, alarm.raised)))
    lasting.tell("endpoints_differ", "again")
    assert heard == [("endpoints_differ", "before anybody listened", True)]
    assert lasting.current() == {}
    assert heard[1:] == [("endpoints_differ", "again", False)]


def test_a_remote_signer_signs_exactly_what_it_was_asked_or_is_refused(bench: KeeperBench) -> None:
    class Service:
        label = "signer"
        tip = 0

        def call(self, method: str, params: Any = ()) -> Any:
            if method == "eth_accounts":
                return [bench.signer.address.lower()]
            numbers = ("type", "chainId", "nonce", "value", "gas", "maxFeePerGas", "maxPriorityFeePerGas")
            fields = {k: int(v, 16) if k in numbers else v for k, v in params[0].items() if k != "from"}
            fields["maxPriorityFeePerGas"] += self.tip
            return {"raw": bench.signer.sign(fields)[0]}

        def batch(self, calls: Any) -> list[Any]:
            raise NotImplementedError

    service = Service()
    signer = RemoteSigner(service, bench.signer.address)
    transaction = {
        "type": 2, "chainId": 31337, "nonce": 3, "to": bench.setup.vault.address, "value": 0, "data": "0x1234",
        "gas": 21_000, "maxFeePerGas": 9, "maxPriorityFeePerGas": 1,
    }  # fmt: skip
    assert signer.sign(transaction) == bench.signer.sign(transaction)
    service.tip = 1
    with pytest.raises(SubmissionFailed, match="changed maxPriorityFeePerGas"):
        signer.sign(transaction)
    with pytest.raises(SettingsError, match="does not have the account"):
        RemoteSigner(service, "0x" + "22" * 20)


def test_an_account_of_ape_is_found_by_its_alias(tmp_path: Path) -> None:
    create_keystore(tmp_path / "mine.json", "a passphrase")
    assert ape_keystore("mine", tmp_path).name == "mine.json"
    with pytest.raises(SettingsError, match="expected mine"):
        ape_keystore("other", tmp_path)


def test_unexpected_errors_have_a_budget_and_then_halt_the_keeper(bench: KeeperBench) -> None:
    from vaultkit.errors import KeeperError
    from vaultkit.keeper.breaker import BUDGET

    keeper = bench.keeper()
    keeper.turn()
    bench.redactor.add(CANARY)

    class Broken:
        def observe(self, work: Any) -> Any:
            raise ZeroDivisionError(CANARY)

    keeper.parts = replace(keeper.parts, observer=Broken())  # type: ignore[arg-type]
    for _ in range(BUDGET):
        assert keeper.turn() > 0
    with pytest.raises(KeeperError, match="used up their budget"):
        keeper.turn()
    assert bench.count(facts.Halted) == 1
    assert CANARY not in bench.logs.getvalue()
