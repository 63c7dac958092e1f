"""What people are told: the accounts of an epoch, and the live table."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from tests.fixtures.keeper import KeeperBench
from tests.fixtures.vault import PERIOD, VaultSetup
from vaultkit.cli import keeper as verbs
from vaultkit.cli.keeper_checks import economics
from vaultkit.keeper import facts
from vaultkit.keeper.monitor import Monitor
from vaultkit.keeper.replay import replay
from vaultkit.vault.terms import Fees

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

    def told(reward_wei: int | None = None) -> dict[str, int]:
        economics(bench.path, reward_wei, None, tmp_path / "keeper.toml", as_json=True)
        return dict(json.loads(capsys.readouterr().out))

    machine = 4 * 10**12  # four hours of one period
    found, even = told(), mined.cost_wei + machine
    assert found["profit_wei"] == 3 * 10**15 - even
    assert found["break_even_reward_wei"] == even
    assert found["break_even_gas_price_wei"] == (3 * 10**15 - machine) // mined.gas_used
    assert told(reward_wei=even)["profit_wei"] == 0
    economics(bench.path, None, None, tmp_path / "keeper.toml", as_json=False)
    shown = capsys.readouterr().out
    figures = (3e6, mined.gas_used, mined.cost_wei / 10**9, found["profit_wei"] / 10**9)
    missing = [figure for figure in figures if f" {figure:,.0f} " not in shown]
    assert missing == [], f"whole figures, also where the terminal is narrow: {shown}"


def test_the_reward_that_the_vault_paid_is_told_and_reckoned_at_the_pools_mean_price(
    vault: VaultSetup, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paid = 2 * 10**6
    vault.redeploy(fees=Fees(reward_per_epoch=paid, reward_year_pips=50_000))
    vault.deposit(vault.actors.alice, 1_000_000 * 10**6)
    vault.devnet.mine(max(vault.now() // PERIOD * PERIOD + vault.terms.max_age_seconds, vault.now() + 1))
    bench = KeeperBench(vault, tmp_path)
    keeper = bench.keeper()
    bench.ticks(keeper)
    bench.close_epoch()
    held = vault.asset.call("balanceOf", bench.signer.address)
    assert bench.settle(keeper).accepted
    assert vault.asset.call("balanceOf", bench.signer.address) - held == paid
    economics(bench.path, None, None, None, as_json=True)
    (epoch,) = json.loads(capsys.readouterr().out)["epochs"]
    mined = next(fact for fact in bench.facts if isinstance(fact, facts.Mined))
    assert epoch["reward"] == paid
    assert mined.reward_wei == pytest.approx(2 * 10**18 / 3_000, rel=0.05)
    assert epoch["profit_wei"] == mined.reward_wei - mined.cost_wei
    assert all(decision.same for decision in replay(bench.path))
    bench.close()


def test_the_live_table_shows_every_keeper_and_its_alarms_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(verbs, "stderr", Console(file=screen, force_terminal=True, width=160))
    good, ill = Monitor("0xgood"), Monitor("0xill")
    with verbs.live_view([good, ill]):
        ill.degraded("no answer")
        good.settled(facts.Settled(7, False, "too_late"), None)
    shown = screen.getvalue()
    assert all(word in shown for word in ("0xgood", "0xill", "degraded", "rpc_unavailable", "epoch_missed", "stage"))
