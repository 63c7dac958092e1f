"""What people are told: the accounts of an epoch, and the live table."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from tests.fixtures.keeper import KeeperBench
from vaultkit.cli import keeper as verbs
from vaultkit.cli.keeper_checks import economics
from vaultkit.keeper import facts
from vaultkit.keeper.monitor import Monitor

FILE = """
[chain]
rpcs = ["http://127.0.0.1:1"]
[account]
keystore = "k.json"
[[vault]]
book = "b.json"
[economics]
reward_wei = 3_000_000_000_000_000
machine_wei_an_hour = 1_000_000_000_000
"""


def test_accounts_are_reckoned_with_the_files_economics_and_break_even_where_profit_is_nothing(
    bench: KeeperBench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keeper = bench.keeper()
    bench.ticks(keeper)
    bench.close_epoch()
    assert bench.settle(keeper).accepted
    mined = next(fact for fact in bench.facts if isinstance(fact, facts.Mined))
    (tmp_path / "keeper.toml").write_text(FILE)

    def told(**options: int) -> dict[str, str]:
        economics(bench.path, **{**NONE, **options}, config=tmp_path / "keeper.toml", as_json=True)
        return dict(json.loads(capsys.readouterr().out))

    machine = 4 * 10**12  # four hours of one period
    found = told()
    assert float(found["profit, ether"]) == pytest.approx((3 * 10**15 - mined.cost_wei - machine) / 10**18, abs=1e-9)
    even = mined.cost_wei + machine
    assert float(found["break-even reward an accepted epoch, ether"]) == pytest.approx(even / 10**18, abs=1e-9)
    price = (3 * 10**15 - machine) // mined.gas_used
    assert float(found["break-even gas price, gwei"]) == pytest.approx(price / 10**9, abs=1e-6)
    assert float(told(reward_wei=even)["profit, ether"]) == 0


NONE = {"reward_wei": None, "machine_wei_an_hour": None, "period_seconds": 14_400}


def test_the_live_table_shows_every_keeper_and_its_alarms_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(verbs, "stderr", Console(file=screen, force_terminal=True, width=160))
    good, ill = Monitor("0xgood"), Monitor("0xill")
    with verbs.live_view([good, ill]):
        ill.degraded("no answer")
        good.settled(facts.Settled(7, False, "too_late"), None)
    shown = screen.getvalue()
    assert all(word in shown for word in ("0xgood", "0xill", "degraded", "rpc_unavailable", "epoch_missed", "stage"))
