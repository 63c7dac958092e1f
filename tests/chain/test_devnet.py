from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from vaultkit.chain.devnet import Devnet
from vaultkit.errors import PortBusy, RpcRefused, RpcUnavailable, SetupError, ToolMissing

GENESIS = 1_700_000_000


def test_a_port_that_is_taken_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortBusy, match=str(taken.getsockname()[1])):
            Devnet(port=taken.getsockname()[1])


def test_a_free_port_that_is_taken_meanwhile_is_given_up_for_another() -> None:
    devnet = Devnet()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", devnet.port))
        before = devnet.port
        with devnet:
            assert devnet.port != before
            assert devnet.rpc.call("eth_chainId") == "0x7a69"


def test_missing_node_parts_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "package.json").write_text("{}")
    monkeypatch.setenv("VAULTKIT_HOME", str(tmp_path))
    with pytest.raises(ToolMissing, match="npm ci"):
        Devnet()


def test_a_node_that_ends_at_once_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SetupError), Devnet(load_state=tmp_path / "absent.json"):
        pass


def test_leaving_the_block_stops_the_node() -> None:
    with Devnet() as devnet:
        pid = devnet.pid
        assert pid is not None
        assert devnet.alive()
        os.kill(pid, 0)
    assert not devnet.alive()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(RpcUnavailable):
        devnet.rpc.call("eth_chainId")


def test_blocks_have_exactly_the_timestamps_they_were_mined_with() -> None:
    with Devnet(automine=False, timestamp=GENESIS) as devnet:
        for timestamp in (GENESIS + 1, GENESIS + 500, GENESIS + 86_400):
            devnet.mine(timestamp)
            assert devnet.timestamp() == timestamp


def test_a_block_that_a_revert_undid_counts_among_those_whose_state_is_kept() -> None:
    def undo(devnet: Devnet) -> None:
        devnet.rpc.call("anvil_mine", [hex(5)])
        for _ in range(3):
            snapshot = devnet.snapshot()
            devnet.rpc.call("anvil_mine", [hex(30)])
            devnet.revert(snapshot)

    asked = ("0x" + "11" * 20, "0x2")
    with Devnet(automine=False, timestamp=GENESIS, states=50) as short:
        undo(short)
        with pytest.raises(RpcRefused, match="BlockOutOfRange"):
            short.rpc.call("eth_getCode", asked)
    with Devnet(automine=False, timestamp=GENESIS, states=100) as enough:
        undo(enough)
        assert enough.rpc.call("eth_getCode", asked) == "0x"


def test_a_transaction_waits_for_the_owner_of_the_clock() -> None:
    with Devnet(automine=False, timestamp=GENESIS) as devnet:
        alice, bob = devnet.accounts()[:2]
        transaction = devnet.rpc.call("eth_sendTransaction", [{"from": alice, "to": bob, "value": "0x1"}])
        assert devnet.rpc.call("eth_getTransactionReceipt", [transaction]) is None
        devnet.mine(GENESIS + 12)
        assert devnet.rpc.call("eth_getTransactionReceipt", [transaction])["blockNumber"] == "0x1"


def test_a_dumped_chain_loads_with_its_blocks_and_receipts_and_goes_on_at_its_own_time(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with Devnet(automine=False, timestamp=GENESIS, dump_state=state) as devnet:
        alice, bob = devnet.accounts()[:2]
        devnet.rpc.call("eth_sendTransaction", [{"from": alice, "to": bob, "value": "0x1"}])
        devnet.mine(GENESIS + 12)
        devnet.mine(GENESIS + 24)
        questions = [("eth_getBlockByNumber", ["0x1", True]), ("eth_getBlockReceipts", ["0x1"])]
        before = devnet.rpc.batch(questions)
    with Devnet(automine=False, load_state=state) as devnet:
        assert devnet.rpc.batch(questions) == before
        devnet.mine(GENESIS + 36)
        assert (devnet.block_number(), devnet.timestamp()) == (3, GENESIS + 36)


def test_a_chain_that_was_killed_while_it_had_to_write_its_state_is_reported(tmp_path: Path) -> None:
    devnet = Devnet(dump_state=tmp_path / "absent" / "state.json")
    devnet.start()
    pid = devnet.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    timer = threading.Timer(0.3, os.kill, (pid, signal.SIGKILL))
    timer.start()
    with pytest.raises(SetupError, match="could not be written"):
        devnet.stop()
    timer.join()


def test_revert_takes_the_clock_back_too() -> None:
    with Devnet(automine=False, timestamp=GENESIS) as devnet:
        handle = devnet.snapshot()
        devnet.mine(GENESIS + 10_000)
        devnet.revert(handle)
        devnet.mine(GENESIS + 12)
        assert (devnet.block_number(), devnet.timestamp()) == (1, GENESIS + 12)


def test_a_chain_ends_with_a_process_that_is_killed() -> None:
    code = (
        "import time; from vaultkit.chain.devnet import Devnet\n"
        "with Devnet() as devnet: print(devnet.pid, flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    owner.kill()
    owner.wait()
    for _ in range(100):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError("anvil outlived its owner")
