from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vaultkit.chain.devnet import Devnet
from vaultkit.chain.rpc import HttpRpc
from vaultkit.cli import main
from vaultkit.errors import RpcUnavailable


def run_cli(*words: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(words))
    return int(caught.value.code or 0)


def test_a_market_that_was_never_built_is_one_sentence_and_exit_code_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli("market", "run", "--folder", str(tmp_path / "none"), "--json") == 3
    assert json.loads(capsys.readouterr().out)["error"] == "CacheError"


def test_a_half_built_market_is_exit_code_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "state.json").write_text("{")
    assert run_cli("market", "status", "--folder", str(tmp_path)) == 3
    assert "half built" in capsys.readouterr().err


def test_a_busy_port_is_exit_code_3(market_folder: Path, chain: Devnet, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("market", "run", "--folder", str(market_folder), "--port", str(chain.port)) == 3
    assert "PortBusy" in capsys.readouterr().err


def test_bad_prices_are_exit_code_2(tmp_path: Path, compiled_token: None, capsys: pytest.CaptureFixture[str]) -> None:
    series = tmp_path / "p.csv"
    series.write_text("time,price\n0,1\n1,nan\n")
    words = ["market", "build", "--folder", str(tmp_path / "devnet"), "--prices", str(series)]
    assert run_cli(*words) == 2
    assert "line 3" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["p.csv"]


@pytest.mark.parametrize("words", [["build", "--days", "0"], ["run", "--speed", "0"], ["run", "--speed", "nan"]])
def test_settings_out_of_range_are_exit_code_2(words: list[str], tmp_path: Path, compiled_token: None) -> None:
    assert run_cli("market", *words, "--folder", str(tmp_path / "devnet")) == 2


def test_build_says_that_prices_are_simulated(
    tmp_path: Path, compiled_token: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli("market", "build", "--days", "0.01", "--folder", str(tmp_path / "devnet"), "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["simulated"]
    assert answer["built"]
    assert "not market data" in answer["prices"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_running_market_moves_the_clock_and_stops_cleanly(
    market_folder: Path, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-c", "from vaultkit.cli import main; main()", "market", "run", "--speed", "50000"]
    process = subprocess.Popen([*command, "--folder", str(market_folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert (ready["event"], ready["chain_id"], ready["simulated"]) == ("ready", 31337, True)
        assert json.loads(Path(ready["book"]).read_text())["chain_id"] == 31337
        rpc = HttpRpc(ready["url"])
        while int(rpc.call("eth_blockNumber"), 16) < ready["block_number"] + 5:
            pass
        assert int(rpc.call("eth_getBlockByNumber", ["latest", False])["timestamp"], 16) > ready["timestamp"]
        assert run_cli("market", "status", "--folder", str(market_folder), "--json") == 0
        assert json.loads(capsys.readouterr().out)["url"] == ready["url"]
        assert run_cli("market", "build", "--days", "0.01", "--folder", str(market_folder)) == 3
        assert "while it runs" in capsys.readouterr().err
        os.kill(process.pid, number)
        stopped = json.loads(process.stdout.readline())
        assert process.wait(30) == 0
        assert stopped["event"] == "stopped"
        assert stopped["blocks"] >= 5
        with pytest.raises(RpcUnavailable):
            rpc.call("eth_chainId")
        assert not (market_folder / "running.json").exists()
    finally:
        process.kill()
        process.wait()


def test_a_market_that_was_killed_is_not_taken_for_running(
    market_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("state.json", "market.json"):
        (tmp_path / name).symlink_to(market_folder / name)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    note = {"url": "http://127.0.0.1:1", "pid": gone.pid, "chain_id": 31337, "book": "b", "block_number": 1}
    (tmp_path / "running.json").write_text(
        json.dumps({**note, "timestamp": 1, "speed": 1.0, "simulated": True, "prices": "p"})
    )
    assert run_cli("market", "status", "--folder", str(tmp_path), "--json") == 0
    assert json.loads(capsys.readouterr().out)["running"] is False
