"""Named actors do as they like; each step keeps its promise and no share loses by it (invariants 1 to 4)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.fixtures.vault import VaultSetup

DOLLAR = 10**6
ACTORS = st.sampled_from(["alice", "bob"])
PARTS = st.integers(1, 100)


class Machine(RuleBasedStateMachine):
    """The vault of the fixture, from the same chain state in every run."""

    def __init__(self, vault: VaultSetup) -> None:
        super().__init__()
        self.setup, self.devnet = vault, vault.devnet
        self.snapshot = self.devnet.snapshot()
        self.contract = vault.vault

    def teardown(self) -> None:
        self.devnet.revert(self.snapshot)

    def address(self, actor: str) -> str:
        return getattr(self.setup.actors, actor)

    def settle(self) -> None:
        """Let the mean reach spot, so that a preview and the call after it see one price."""
        self.devnet.mine(self.setup.now() + 2_000)

    def holdings(self) -> tuple[int, int]:
        own = self.contract.address
        return self.setup.asset.call("balanceOf", own), self.setup.risk.call("balanceOf", own)

    def shares(self, actor: str) -> int:
        return int(self.contract.call("balanceOf", self.address(actor)))

    def share_value(self, price: Fraction) -> Fraction:
        idle, risk = self.holdings()
        return (idle + risk * price) / (self.contract.call("totalSupply") + 10**6)

    def transact(self, actor: str, name: str, *args) -> dict:
        """Return the events of a user's action, which must not lower the value of a share at the price before it."""
        price = Fraction(self.setup.venue.call("twapX128"), 2**128)
        before = self.share_value(price)
        events = self.setup.events(self.setup.transact(self.address(actor), self.contract, name, *args))
        assert self.share_value(price) >= before, name
        return events

    @rule(actor=ACTORS, dollars=st.integers(1, 300_000))
    def deposit(self, actor, dollars) -> None:
        self.settle()
        risk = self.holdings()[1]
        promised = self.contract.call("previewDeposit", dollars * DOLLAR)
        event = self.transact(actor, "deposit", dollars * DOLLAR, self.address(actor))["Deposit"]
        assert event["shares"] == promised
        assert self.holdings()[1] == risk

    @rule(actor=ACTORS, part=PARTS)
    def redeem(self, actor, part) -> None:
        shares = self.shares(actor) * part // 100
        if shares == 0:
            return
        self.settle()
        idle, risk = self.holdings()
        supply = self.contract.call("totalSupply") + 10**6
        promised = self.contract.call("previewRedeem", shares)
        event = self.transact(actor, "redeem", shares, self.address(actor), self.address(actor))["Withdraw"]
        assert event["assets"] >= promised
        assert risk - self.holdings()[1] == risk * shares // supply
        assert idle - self.holdings()[0] == idle * shares // supply

    @rule(actor=ACTORS, part=PARTS)
    def withdraw(self, actor, part) -> None:
        self.settle()
        assets = self.contract.call("maxWithdraw", self.address(actor)) * part // 100
        if assets == 0:
            return
        promised = self.contract.call("previewWithdraw", assets)
        event = self.transact(actor, "withdraw", assets, self.address(actor), self.address(actor))["Withdraw"]
        assert event["assets"] == assets
        assert event["shares"] == promised

    @rule(actor=ACTORS, part=PARTS)
    def redeem_in_kind(self, actor, part) -> None:
        shares = self.shares(actor) * part // 100
        if shares == 0:
            return
        self.settle()
        idle, risk = self.holdings()
        supply = self.contract.call("totalSupply") + 10**6
        event = self.transact(actor, "redeemInKind", shares, self.address(actor), self.address(actor))
        found = event["RedeemedInKind"]
        assert found["assetAmount"] == idle * shares // supply
        assert found["riskAmount"] == risk * shares // supply

    @rule(percent=st.integers(0, 100))
    def rebalance(self, percent) -> None:
        """Keep an epoch; what its trade costs is every holder's."""
        self.setup.keep(percent)

    @invariant()
    def holdings_cover_what_views_say_and_shares_sum_up(self) -> None:
        idle, risk = self.holdings()
        worth = idle + Fraction(risk * self.setup.venue.call("twapX128"), 2**128)
        assert self.contract.call("totalAssets") <= worth < self.contract.call("totalAssets") + 1
        assert self.shares("alice") + self.shares("bob") == self.contract.call("totalSupply")


def run(vault: VaultSetup, examples: int, steps: int) -> None:
    run_state_machine_as_test(
        lambda: Machine(vault),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("which", ["vault", "flipped_vault"])
def test_invariants_hold_whatever_the_actors_do(which, request):
    run(request.getfixturevalue(which), examples=6, steps=12)


@pytest.mark.slow
def test_invariants_hold_over_many_histories(vault: VaultSetup):
    run(vault, examples=150, steps=30)
