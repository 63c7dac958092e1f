"""The red team: what it finds works on a real pool, at the cost it says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.contracts.test_client import book_of, verb
from tests.fixtures.vault import PERIOD, VaultSetup
from tests.vault.test_depth import depth_of, enrich, swap_to
from vaultkit.chain.pool_reader import read_cumulatives
from vaultkit.coprocessor.index import index_pool
from vaultkit.errors import DataError, DeployFailed
from vaultkit.strategy.redteam import BOUND, Attack, Redteam, redteam
from vaultkit.strategy.redteam_artefact import require_cost
from vaultkit.tickmath import price_x128
from vaultkit.trade import risk_value
from vaultkit.units import WAD
from vaultkit.vault.manipulation import WITHIN, Manipulator
from vaultkit.vault.terms import DEFAULT_POLICY

SECONDS = 12
BAR = 5
"""The bar that `decide` listens to: no outsider trades in it or its neighbours in `VaultSetup.close_epoch`."""


def decide(windows: Any) -> Sequence[int]:
    """Stand in for a circuit: half the vault, and 1 % more for every tick that bar 5 stands above its neighbours."""
    return [WAD // 2 + (int(x[BAR - 1]) - int(x[BAR])) * -WAD // 100 for x in windows]


class Observed:
    """The pool's cumulatives as it answers itself."""

    def __init__(self, vault: VaultSetup) -> None:
        self.vault = vault

    def cumulatives(self, times: Any) -> Any:
        number = int(self.vault.rpc.call("eth_blockNumber"), 16)
        rows = [
            read_cumulatives(self.vault.rpc, self.vault.pool.address, tuple(map(int, row)), number) for row in times
        ]
        return np.array(rows)


def search(vault: VaultSetup, epochs: Sequence[int], **options: Any) -> Redteam:
    made = Manipulator(depth_of(vault), block_seconds=SECONDS, bar_seconds=vault.spec.bar_seconds)
    return redteam(
        options.pop("weights", decide), Observed(vault), vault.spec, DEFAULT_POLICY, made, epochs,
        period_seconds=PERIOD, **options,
    )  # fmt: skip


def attack_for_real(vault: VaultSetup, epoch: int, attack: Attack) -> tuple[int, Manipulator]:
    """Close the epoch as before with the attack in it; return what it cost at the fair price, and the pool before."""
    attacker, arbitrageur = vault.actors.trader, vault.actors.bob
    for who in (attacker, arbitrageur):
        enrich(vault, who)
    trades = {4_700: 300_000, 3_500: -500_000, 2_300: 250_000, 1_100: 40_000}
    lost, end, bar_seconds = [0, 0], epoch * PERIOD, vault.spec.bar_seconds

    def swap(ticks: int, at: int, who: str = attacker) -> None:
        moved = swap_to(vault, depth.displaced(ticks), at, who)
        if who == attacker:
            lost[0], lost[1] = lost[0] - moved[0], lost[1] - moved[1]

    def outside(until: int) -> None:
        for age in [age for age in trades if end - age < until]:
            dollars = trades.pop(age)
            amount = dollars * 10**6 if dollars > 0 else -dollars * 10**18 // 3_000
            vault.trade(buy_risk=dollars > 0, amount=amount, at=end - age)

    outside(end - (max(attack.bars) + 1) * bar_seconds)
    depth, now = depth_of(vault), 0
    for bar in reversed(range(max(attack.bars) + 1)):
        level, peak, start = attack.levels[bar], attack.peaks[bar], end - (bar + 1) * bar_seconds
        if level != now:
            swap(level, start)
            now = level
        if peak != level and attack.way.restored:
            for push in range(attack.way.blocks):
                at = start + 5 + push * (SECONDS + 1)
                swap(peak, at)
                swap(level, at + SECONDS, arbitrageur)
        elif peak != level:
            swap(peak, start + 60)
            swap(level, start + 60 + attack.way.blocks * SECONDS)
    outside(2**63)
    vault.devnet.mine(end + 30)
    price = price_x128(depth.sqrt_price_x96, risk_is_token0=vault.book.pool.risk_is_token0)
    cost = lost[0] + (risk_value(lost[1], price) if lost[1] >= 0 else -risk_value(-lost[1], price))
    return cost, Manipulator(depth, block_seconds=SECONDS, bar_seconds=bar_seconds)


@pytest.mark.parametrize(
    ("goal", "way"),
    [
        ("flip", "within the band"),
        ("step", "within the band"),
        ("flip", "own order"),
        ("step", "own order in 3 blocks"),
        ("step", "one block"),
        ("step", "several blocks"),
    ],
)
def test_a_found_attack_moves_the_decision_on_a_real_pool_at_its_cost(vault: VaultSetup, way: str, goal: Any):
    snapshot = vault.devnet.snapshot()
    epoch = vault.close_epoch()
    vault.devnet.mine(vault.now() + 60)
    (risk,) = search(vault, [epoch], step_wad=WAD // 5).epochs
    attack = risk.cheapest(goal, way)
    assert attack is not None and BAR in attack.bars and max(attack.bars) <= BAR + 1
    vault.devnet.revert(snapshot)
    cost, before = attack_for_real(vault, epoch, attack)
    inputs = vault.inputs(epoch)
    assert vault.source.call("read", epoch * PERIOD, vault.hints(epoch)) == inputs
    (target,) = decide([inputs])
    assert target == attack.target_wad != risk.target_wad
    if goal == "step":
        assert abs(target - risk.target_wad) >= WAD // 5
    # Every swap is valued by itself, rounded down; and the price stood elsewhere within its tick in the search.
    assert abs(cost - before.price(attack.way, attack.levels, attack.peaks).cost) <= 100
    assert 0.75 < cost / attack.cost < 1.25


def test_a_zigzag_within_the_band_is_the_cheapest_step_and_no_single_level_makes_it(vault: VaultSetup):
    (risk,) = search(vault, [vault.close_epoch()], step_wad=WAD // 5).epochs
    attack = risk.cheapest("step")
    assert attack is not None and attack.way == WITHIN
    levels = attack.levels[BAR - 1 : BAR + 2]
    assert min(levels) < 0 < max(levels) and max(map(abs, levels)) <= 5
    others = [risk.cheapest("step", way) for way in ("own order", "own order in 4 blocks", "one block", "held")]
    assert all(one is not None and one.cost > attack.cost for one in others)


def test_one_tick_less_does_not_reach_the_step(vault: VaultSetup):
    snapshot = vault.devnet.snapshot()
    epoch = vault.close_epoch()
    vault.devnet.mine(vault.now() + 60)
    (risk,) = search(vault, [epoch]).epochs
    attack = risk.cheapest("step", "own order")
    assert attack is not None and attack.bars == (BAR,)
    vault.devnet.revert(snapshot)
    less = tuple(peak - (peak > 0) + (peak < 0) for peak in attack.peaks)
    attack_for_real(vault, epoch, replace(attack, peaks=less))
    assert abs(decide([vault.inputs(epoch)])[0] - risk.target_wad) < WAD // 10


def test_a_deaf_model_cannot_be_moved(vault: VaultSetup):
    epoch = vault.close_epoch()
    found = search(vault, [epoch], weights=lambda windows: [WAD // 2] * len(windows))
    assert found.epochs[0].attacks == () and found.ways == ()
    assert found.quantile("step", 0.0) is None


def test_a_larger_step_is_not_cheaper_and_quantiles_count_epochs_without_attack(vault: VaultSetup):
    epochs = [vault.close_epoch() for _ in range(3)]
    small, large = (search(vault, epochs, step_wad=share * WAD // 100) for share in (5, 20))
    for one, other in zip(small.epochs, large.epochs, strict=True):
        assert one.cheapest("step").cost <= other.cheapest("step").cost  # type: ignore[union-attr]
    assert small.quantile("step", 0.0) == min(small.costs("step"))
    assert len(small.costs("step")) == 3 and small.quantile("step", 1.0) == max(small.costs("step"))
    blind = replace(small, epochs=(*small.epochs, replace(small.epochs[0], attacks=())))
    assert blind.quantile("step", 1.0) is None and blind.quantile("step", 0.0) == small.quantile("step", 0.0)


def test_a_vault_that_follows_its_model_is_what_is_flipped(vault: VaultSetup):
    epochs = [vault.close_epoch() for _ in range(3)]
    found = search(vault, epochs)
    for earlier, later in zip(found.epochs, found.epochs[1:], strict=False):
        change = earlier.target_wad - earlier.weight_before_wad
        kept = abs(change) < DEFAULT_POLICY.deadband_wad
        assert later.weight_before_wad == (earlier.weight_before_wad if kept else earlier.target_wad)


def test_no_epochs_and_no_step_are_refused(vault: VaultSetup):
    with pytest.raises(DataError, match="no recorded epoch"):
        search(vault, [])
    with pytest.raises(DataError, match="not a share"):
        search(vault, [vault.close_epoch()], step_wad=0)


@pytest.fixture(scope="module")
def recorded(vault_chain: VaultSetup, circuit: Any, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options of the verb for a real circuit on the vault's chain and its verified history."""
    folder = tmp_path_factory.mktemp("redteam")
    index_pool(
        vault_chain.rpc, vault_chain.book.pool, folder / "store", last=int(vault_chain.rpc.call("eth_blockNumber"), 16)
    )
    book_of(vault_chain).save(folder / "book.json")
    place = ["--book", str(folder / "book.json"), "--store", str(folder / "store")]
    return ["--rpc", vault_chain.devnet.url, *place, "--artefact", str(circuit.folder)]


def test_the_verb_attacks_a_real_circuit_over_recorded_epochs(recorded: list[str], capsys: pytest.CaptureFixture[str]):
    assert verb("redteam", *recorded, "--epochs", "1", "--step", "0.02", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["epochs_attacked"] >= 1 and len(found["epochs"]) == found["epochs_attacked"]
    costs = {(row["goal"], row["way"]): row["least"] for row in found["distribution"]}
    assert float(costs["step", "any"]) == min(
        float(cost) for (goal, _), cost in costs.items() if goal == "step" and cost
    )
    for epoch in found["epochs"]:
        for attack in epoch["attacks"]:
            moved = abs(attack["target"] - epoch["target"])
            assert moved >= (0.02 if attack["goal"] == "step" else 1e-9)
    assert verb("redteam", *recorded, "--epochs", "1", "--step", "0.02") == 0
    shown = capsys.readouterr().out
    assert "The cheapest step" in shown and BOUND in shown and found["bound"] == BOUND


def test_no_epochs_and_blocks_without_time_are_told_apart(recorded: list[str], capsys: pytest.CaptureFixture[str]):
    assert verb("redteam", *recorded, "--epochs", "0") != 0
    assert "fewer than one epoch" in (shown := "".join(capsys.readouterr())) and "Index more" not in shown
    assert verb("redteam", *recorded, "--attack-block-seconds", "0") != 0
    assert "takes no time" in (shown := "".join(capsys.readouterr())) and "longer" not in shown


def test_a_required_cost_refuses_what_is_cheaper_and_takes_what_is_not(vault: VaultSetup):
    found = search(vault, [vault.close_epoch()])
    cost = found.quantile(None, 0.05)
    assert cost is not None
    require_cost(found, cost, vault.book)
    with pytest.raises(DeployFailed, match=r"too cheap to flip or to move by 10%.*an upper bound of the true minimum"):
        require_cost(found, cost + 1, vault.book)


def test_a_required_cost_counts_flips_as_well_as_steps(vault: VaultSetup):
    found = search(vault, [vault.close_epoch()])
    flip, step = found.quantile("flip", 0.05), found.quantile("step", 0.05)
    assert flip is not None and step is not None and flip < step
    with pytest.raises(DeployFailed, match="too cheap"):
        require_cost(found, step, vault.book)
    blind = replace(
        found,
        epochs=tuple(replace(one, attacks=tuple(a for a in one.attacks if a.goal == "step")) for one in found.epochs),
    )
    require_cost(blind, step, vault.book)
