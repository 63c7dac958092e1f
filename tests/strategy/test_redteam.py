"""The red team: what it finds works on a real pool, at the cost it says, and nothing cheaper of its kind does."""

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
from vaultkit.strategy.redteam import Attack, Redteam, redteam
from vaultkit.strategy.redteam_artefact import require_cost
from vaultkit.tickmath import price_x128
from vaultkit.trade import risk_value
from vaultkit.units import WAD
from vaultkit.vault.manipulation import Manipulator
from vaultkit.vault.terms import DEFAULT_POLICY

SECONDS = 12
BAR = 6
"""The bar that `decide` listens to: no outsider trades within it in `VaultSetup.close_epoch`."""


def decide(windows: Any) -> Sequence[int]:
    """Stand in for a circuit: half the vault, and 1 % more for every tick that bar 6 stands above its neighbours."""
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


def attack_for_real(vault: VaultSetup, epoch: int, attack: Attack) -> int:
    """Close the epoch as before with the attack in it, and return what it cost the attacker at the fair price."""
    attacker, arbitrageur = vault.actors.trader, vault.actors.bob
    for who in (attacker, arbitrageur):
        enrich(vault, who)
    start = epoch * PERIOD - (attack.first_bar + attack.bars) * vault.spec.bar_seconds
    end = start + attack.bars * vault.spec.bar_seconds
    trades = {4_700: 300_000, 3_500: -500_000, 2_300: 250_000, 1_100: 40_000}
    lost = [0, 0]

    def swap(target: int, at: int, who: str = attacker) -> None:
        moved = swap_to(vault, target, at, who)
        if who == attacker:
            lost[0], lost[1] = lost[0] - moved[0], lost[1] - moved[1]

    def outside(until: int) -> None:
        for age in [age for age in trades if epoch * PERIOD - age < until]:
            dollars = trades.pop(age)
            amount = dollars * 10**6 if dollars > 0 else -dollars * 10**18 // 3_000
            vault.trade(buy_risk=dollars > 0, amount=amount, at=epoch * PERIOD - age)

    outside(start)
    depth = depth_of(vault)
    fair, high = depth.sqrt_price_x96, depth.displaced(attack.ticks)
    made = Manipulator(depth, block_seconds=SECONDS, bar_seconds=vault.spec.bar_seconds)
    if attack.way.name == "own order":
        swap(high, start + 60)
        swap(fair, start + 60 + SECONDS)
    elif abs(attack.ticks) <= made.band:
        swap(high, start)
        swap(fair, end)
    else:
        edge = depth.displaced(made.band if attack.ticks > 0 else -made.band)
        for push in range(attack.way.pushes):
            at = start + push * (SECONDS + 1)
            swap(high, at)
            swap(edge, at + SECONDS, arbitrageur)
        swap(fair, end)
    outside(2**63)
    vault.devnet.mine(epoch * PERIOD + 30)
    price = price_x128(fair, risk_is_token0=vault.book.pool.risk_is_token0)
    return lost[0] + (risk_value(lost[1], price) if lost[1] >= 0 else -risk_value(-lost[1], price))


@pytest.mark.parametrize("way", ["own order", "one block", "several blocks", "held"])
@pytest.mark.parametrize("goal", ["flip", "step"])
def test_a_found_attack_moves_the_decision_on_a_real_pool_at_its_cost(vault: VaultSetup, way: str, goal: Any):
    snapshot = vault.devnet.snapshot()
    epoch = vault.close_epoch()
    vault.devnet.mine(vault.now() + 60)
    (risk,) = search(vault, [epoch]).epochs
    attack = risk.cheapest(goal, way)
    assert attack is not None and attack.bars == 1 and attack.first_bar == BAR
    vault.devnet.revert(snapshot)
    cost = attack_for_real(vault, epoch, attack)
    inputs = vault.inputs(epoch)
    assert vault.source.call("read", epoch * PERIOD, vault.hints(epoch)) == inputs
    (target,) = decide([inputs])
    assert target == attack.target_wad != risk.target_wad
    if goal == "step":
        assert abs(target - risk.target_wad) >= WAD // 10
    # The price stands elsewhere within its tick by then: the tolerance is one tick of displacement.
    made = Manipulator(depth_of(vault), block_seconds=SECONDS, bar_seconds=vault.spec.bar_seconds)
    sign = 1 if attack.ticks > 0 else -1
    assert made.price(attack.way, attack.ticks - sign).cost < cost < made.price(attack.way, attack.ticks + sign).cost


def test_one_tick_less_does_not_reach_the_step(vault: VaultSetup):
    snapshot = vault.devnet.snapshot()
    epoch = vault.close_epoch()
    vault.devnet.mine(vault.now() + 60)
    (risk,) = search(vault, [epoch]).epochs
    attack = risk.cheapest("step", "own order")
    assert attack is not None
    vault.devnet.revert(snapshot)
    attack_for_real(vault, epoch, replace(attack, ticks=attack.ticks - (1 if attack.ticks > 0 else -1)))
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
    assert verb("redteam", *recorded, "--step", "0.02", "--json") == 0
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
    assert verb("redteam", *recorded, "--step", "0.02") == 0
    assert "The cheapest step" in capsys.readouterr().out


def test_a_required_cost_refuses_what_is_cheaper_and_takes_what_is_not(vault: VaultSetup):
    found = search(vault, [vault.close_epoch()])
    cost = found.quantile("step", 0.05)
    assert cost is not None
    require_cost(found, cost, vault.book)
    with pytest.raises(DeployFailed, match="too cheap to move by 10%"):
        require_cost(found, cost + 1, vault.book)
