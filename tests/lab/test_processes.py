"""A session's processes are ended with it, and say why they ended before."""

import os
import time

import pytest

from vaultkit.errors import RpcUnavailable, SetupError
from vaultkit.lab.processes import MemoryWatch, Verb


def test_a_process_that_ended_names_its_error_as_the_cause(tmp_path):
    with (
        pytest.raises(SetupError, match="CacheError"),
        Verb(["market", "run", "--folder", str(tmp_path / "none")], tmp_path / "log"),
    ):
        raise RpcUnavailable("the RPC endpoint gave no answer")


def test_a_process_that_fails_at_once_is_a_typed_error(tmp_path):
    words = ["market", "run", "--folder", str(tmp_path / "none")]
    with Verb(words, tmp_path / "log") as market, pytest.raises(SetupError, match="there is no local market"):
        market.first()


def test_a_running_process_ends_with_the_block(tmp_path, market_folder):
    with Verb(["market", "run", "--folder", str(market_folder), "--speed", "1"], tmp_path / "log") as market:
        ready = market.first()
        assert ready["event"] == "ready"
    assert market.process.returncode == 0
    with pytest.raises(ProcessLookupError):
        os.kill(market.process.pid, 0)


def test_memory_is_watched():
    with MemoryWatch(every_seconds=0.01) as memory:
        block = bytearray(300 * 2**20)
        time.sleep(0.3)
        del block
    assert memory.peak_mib > 300
