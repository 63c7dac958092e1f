"""The demo's processes are ended with it, and say why they ended before."""

import os
import time

import pytest

from vaultkit.chain.market_cache import MarketSettings
from vaultkit.demo.processes import MemoryWatch, Verb
from vaultkit.demo.settings import DemoSettings
from vaultkit.errors import DataError, RpcUnavailable, SetupError


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


def test_prices_must_last_for_the_epochs_too(tmp_path):
    path = tmp_path / "prices.csv"
    rows = "\n".join(f"{hour * 3600},{3000 + hour % 7}" for hour in range(24 * 15))
    path.write_text(f"time,price\n{rows}\n")
    settings = DemoSettings("momentum", 4, 960.0, MarketSettings(days=14, prices=path))
    with pytest.raises(DataError, match="too short"):
        settings.require_prices()
    DemoSettings("momentum", 4, 960.0, MarketSettings(days=11, prices=path)).require_prices()
