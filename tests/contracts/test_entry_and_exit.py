"""Deposits and exits: never flattering, never free, and always possible. Numbers are those of contracts/README.md."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest

from tests.fixtures.vault import VaultSetup
from vaultkit.chain.abi import load_code
from vaultkit.errors import Reverted
from vaultkit.tickmath import price_x128_at_tick
from vaultkit.trade import risk_value
from vaultkit.vault.terms import Fees, Safeguards

NOBODY = "0x" + 40 * "0"

DOLLAR = 10**6
BOTH = pytest.mark.parametrize("which", ["vault", "flipped_vault"])


def refused(name: str):
    return pytest.raises(Reverted, match=f"refused with {name}[:.]")


def balances(vault: VaultSetup, account: str) -> tuple[int, int, int]:
    return tuple(token.call("balanceOf", account) for token in (vault.asset, vault.risk, vault.vault))


def half_invested(vault: VaultSetup, assets: int = 1_000_000 * DOLLAR) -> None:
    vault.deposit(vault.actors.alice, assets)
    vault.keep(50)


def redeploy(vault: VaultSetup, **changes) -> None:
    vault.vault = vault.create("InferenceVault", vault.config(**changes))
    for actor in (vault.actors.alice, vault.actors.bob):
        vault.transact(actor, vault.asset, "approve", vault.vault.address, 2**256 - 1)


def share_value(vault: VaultSetup) -> Fraction:
    """Return the exact value of one share at the mean price, virtual shares included."""
    idle, held, _ = balances(vault, vault.vault.address)
    worth = idle + Fraction(held * vault.venue.call("twapX128"), 2**128)
    return worth / (vault.vault.call("totalSupply") + 10**6)


@BOTH
def test_deposit_gives_what_was_previewed_and_redeem_at_least_that(which, request):
    vault = request.getfixturevalue(which)
    half_invested(vault)
    bob = vault.actors.bob
    promised = vault.vault.call("previewDeposit", 40_000 * DOLLAR)
    given = vault.events(vault.deposit(bob, 40_000 * DOLLAR))["Deposit"]["shares"]
    assert given == vault.vault.call("balanceOf", bob)
    assert given >= promised
    floor = vault.vault.call("previewRedeem", given)
    paid = vault.events(vault.transact(bob, vault.vault, "redeem", given, bob, bob))["Withdraw"]["assets"]
    assert floor <= paid <= 40_000 * DOLLAR
    assert floor > 39_000 * DOLLAR


@pytest.mark.parametrize("buy_risk", [True, False])
def test_previews_take_whichever_price_is_worse_for_the_caller(vault: VaultSetup, buy_risk):
    half_invested(vault)
    before = price_x128_at_tick(vault.pool.call("slot0")[1], risk_is_token0=vault.book.pool.risk_is_token0)
    vault.trade(buy_risk=buy_risk, amount=3_000_000 * DOLLAR if buy_risk else 1_000 * 10**18)
    spot, mean = vault.venue.call("spotX128"), vault.venue.call("twapX128")
    assert (spot > mean) is buy_risk
    assert vault.venue.call("highX128") == max(spot, before)
    idle, held, _ = balances(vault, vault.vault.address)
    supply = vault.vault.call("totalSupply") + 10**6
    fee, slippage = vault.book.pool.fee_pips, vault.terms.policy.slippage_pips

    shares = 10**17
    amount = held * shares // supply
    sold = risk_value(amount - -(-amount * fee // 10**6), min(spot, mean)) * (10**6 - slippage) // 10**6
    assert vault.vault.call("previewRedeem", shares) == idle * shares // supply + sold

    value = risk_value(held, max(spot, before, mean))
    spread = -(-value * 10**18 // (idle + value)) * (fee + slippage)
    net = 10**10 + (-(10**10) * spread // 10**24)
    assert vault.vault.call("previewDeposit", 10**10) == net * supply // (idle + value + 1)


def test_mint_takes_what_was_previewed_and_gives_no_more_than_a_deposit(vault: VaultSetup):
    half_invested(vault)
    bob = vault.actors.bob
    shares = vault.vault.call("previewDeposit", 10_000 * DOLLAR)
    cost = vault.vault.call("previewMint", shares)
    assert cost <= 10_000 * DOLLAR
    assert vault.vault.call("previewDeposit", cost) >= shares
    before = vault.asset.call("balanceOf", bob)
    vault.transact(bob, vault.vault, "mint", shares, bob)
    assert before - vault.asset.call("balanceOf", bob) == cost
    assert vault.vault.call("balanceOf", bob) == shares


def test_withdraw_pays_exactly_and_burns_what_was_previewed(vault: VaultSetup):
    half_invested(vault)
    alice, bob = vault.actors.alice, vault.actors.bob
    most = vault.vault.call("maxWithdraw", alice)
    for assets in (1, 12_345_678_901, most // 2):
        vault.devnet.mine(vault.now() + 4_000)  # so that the mean is the same in the next block
        shares, before = vault.vault.call("previewWithdraw", assets), balances(vault, alice)
        vault.transact(alice, vault.vault, "withdraw", assets, bob, alice)
        assert before[2] - vault.vault.call("balanceOf", alice) == shares
    vault.transact(alice, vault.vault, "withdraw", vault.vault.call("maxWithdraw", alice), alice, alice)
    with refused("ERC4626ExceededMaxWithdraw"):
        vault.transact(alice, vault.vault, "withdraw", 10**12, alice, alice)


def test_redeem_of_more_than_is_owned_is_refused(vault: VaultSetup):
    half_invested(vault)
    alice = vault.actors.alice
    shares = vault.vault.call("balanceOf", alice)
    with refused("ERC4626ExceededMaxRedeem"):
        vault.transact(alice, vault.vault, "redeem", shares + 1, alice, alice)


@pytest.mark.parametrize("name", ["redeem", "withdraw", "redeemInKind"])
def test_only_who_is_allowed_takes_another_owners_shares(vault: VaultSetup, name):
    half_invested(vault)
    alice, bob = vault.actors.alice, vault.actors.bob
    with refused("ERC20InsufficientAllowance"):
        vault.transact(bob, vault.vault, name, 10**6, bob, alice)
    vault.transact(alice, vault.vault, "approve", bob, 10**15)
    before = balances(vault, bob)
    vault.transact(bob, vault.vault, name, 10**6, bob, alice)
    assert balances(vault, bob)[0] >= before[0]
    assert vault.vault.call("allowance", alice, bob) < 10**15


@BOTH
def test_redeem_in_kind_pays_the_slice_of_each_balance(which, request):
    vault = request.getfixturevalue(which)
    half_invested(vault)
    alice, bob = vault.actors.alice, vault.actors.bob
    idle, held, _ = balances(vault, vault.vault.address)
    supply = vault.vault.call("totalSupply") + 10**6
    shares = vault.vault.call("balanceOf", alice) // 3
    before = balances(vault, bob)
    event = vault.events(vault.transact(alice, vault.vault, "redeemInKind", shares, bob, alice))["RedeemedInKind"]
    after = balances(vault, bob)
    assert event["assetAmount"] == after[0] - before[0] == idle * shares // supply
    assert event["riskAmount"] == after[1] - before[1] == held * shares // supply


def test_redeem_in_kind_of_more_than_is_owned_is_refused(vault: VaultSetup):
    half_invested(vault)
    with refused("ERC20InsufficientBalance"):
        vault.transact(vault.actors.bob, vault.vault, "redeemInKind", 1, vault.actors.bob, vault.actors.bob)


def test_invariant_2_deposit_and_exit_in_kind_is_no_free_swap(vault: VaultSetup):
    """Buying the risk token this way costs at least the pool's fee on it, at any price the caller can make."""
    half_invested(vault)
    bob, fee = vault.actors.bob, vault.book.pool.fee_pips
    for push in (0, 1_000_000, -300):
        if push > 0:
            vault.trade(buy_risk=True, amount=push * DOLLAR)
        elif push < 0:
            vault.trade(buy_risk=False, amount=-push * 10**18)
        price = max(vault.venue.call("spotX128"), vault.venue.call("twapX128"))
        before = balances(vault, bob)
        vault.deposit(bob, 100_000 * DOLLAR)
        shares = vault.vault.call("balanceOf", bob)
        vault.transact(bob, vault.vault, "redeemInKind", shares, bob, bob)
        after = balances(vault, bob)
        bought = after[1] - before[1]
        paid = before[0] - after[0]
        assert bought > 0
        assert paid * 10**6 >= risk_value(bought, price) * (10**6 + fee)


def test_invariant_2_a_sandwich_of_the_price_does_not_pay(vault: VaultSetup):
    half_invested(vault)
    bob, trader = vault.actors.bob, vault.actors.trader
    before = [balances(vault, who)[0] for who in (bob, trader)]
    trader_risk = balances(vault, trader)[1]
    # Push the price down, enter, let it return, leave.
    vault.trade(buy_risk=False, amount=2_000 * 10**18)
    vault.deposit(bob, 500_000 * DOLLAR)
    sold = trader_risk - balances(vault, trader)[1]
    vault.trade(buy_risk=True, amount=balances(vault, trader)[0] - before[1])
    vault.transact(bob, vault.vault, "redeem", vault.vault.call("balanceOf", bob), bob, bob)
    missing = sold - (balances(vault, trader)[1] - (trader_risk - sold))
    after = [balances(vault, who)[0] for who in (bob, trader)]
    assert sum(after) - risk_value(max(missing, 0), vault.venue.call("twapX128")) < sum(before)


def test_invariant_3_no_user_action_lowers_the_value_of_a_share(vault: VaultSetup):
    """At one price: the mean is pinned by not trading, and each action's block comes twelve seconds later."""
    half_invested(vault)
    alice, bob = vault.actors.alice, vault.actors.bob
    vault.devnet.mine(vault.now() + 4_000)  # so that mean and spot are one price
    random = Random(7)
    value = share_value(vault)
    actions = 0
    while actions < 25:
        kind = random.choice(["deposit", "mint", "redeemInKind", "donate", "donate risk"])
        actor, shares = random.choice([alice, bob]), random.randint(1, 10**16)
        owned = vault.vault.call("balanceOf", actor)
        if kind == "deposit":
            vault.deposit(actor, random.randint(1, 100_000 * DOLLAR))
        elif kind == "mint":
            vault.transact(actor, vault.vault, "mint", shares, actor)
        elif kind == "redeemInKind" and owned:
            vault.transact(actor, vault.vault, "redeemInKind", min(owned, shares), actor, actor)
        elif kind == "donate":
            vault.transact(actor, vault.asset, "transfer", vault.vault.address, random.randint(1, 10**9))
        elif kind == "donate risk":
            vault.transact(vault.actors.trader, vault.risk, "transfer", vault.vault.address, random.randint(1, 10**17))
        else:
            continue
        found = share_value(vault)
        assert found >= value, kind
        value, actions = found, actions + 1


def test_invariant_4_a_redemption_keeps_the_others_slices_and_costs(vault: VaultSetup):
    half_invested(vault)
    alice, bob = vault.actors.alice, vault.actors.bob
    vault.deposit(bob, 300_000 * DOLLAR)
    before = balances(vault, vault.vault.address)
    supply, shares = vault.vault.call("totalSupply") + 10**6, vault.vault.call("balanceOf", bob)
    vault.transact(bob, vault.vault, "redeem", shares, bob, bob)
    after = balances(vault, vault.vault.address)
    left = supply - shares
    for index in (0, 1):
        assert after[index] * supply >= before[index] * left
        assert after[index] - before[index] * left // supply <= 1
    assert vault.vault.call("balanceOf", alice) > 0


def test_inflation_by_donation_costs_the_attacker_and_not_the_victim(vault: VaultSetup):
    alice, bob = vault.actors.alice, vault.actors.bob
    vault.deposit(bob, 1)
    vault.transact(bob, vault.asset, "transfer", vault.vault.address, 10_000 * DOLLAR)
    vault.deposit(alice, 1_000 * DOLLAR)
    shares = vault.vault.call("balanceOf", alice)
    assert vault.vault.call("previewRedeem", shares) >= 990 * DOLLAR


def test_deposit_cap_bounds_deposits_and_mints(vault: VaultSetup):
    redeploy(vault, deposit_cap=1_000 * DOLLAR)
    alice = vault.actors.alice
    vault.deposit(alice, 400 * DOLLAR)
    assert vault.vault.call("maxDeposit", alice) == 600 * DOLLAR
    with refused("ERC4626ExceededMaxDeposit"):
        vault.deposit(alice, 600 * DOLLAR + 1)
    with refused("ERC4626ExceededMaxMint"):
        vault.transact(alice, vault.vault, "mint", vault.vault.call("maxMint", alice) + 1, alice)
    vault.deposit(alice, 600 * DOLLAR)
    assert vault.vault.call("maxDeposit", alice) == vault.vault.call("maxMint", alice) == 0


def kill_pool(vault: VaultSetup) -> None:
    """Take the pool's code, so that price, history and swap all revert."""
    vault.rpc.call("anvil_setCode", [vault.pool.address, "0xfe"])


def test_views_answer_and_nothing_enters_when_the_pool_is_dead(vault: VaultSetup):
    half_invested(vault)
    alice = vault.actors.alice
    worth = vault.vault.call("totalAssets")
    kill_pool(vault)
    assert abs(vault.vault.call("totalAssets") - worth) < worth // 50
    assert vault.vault.call("convertToShares", DOLLAR) > 0
    assert vault.vault.call("convertToAssets", 10**12) > 0
    assert vault.vault.call("riskWeightWad") > 0
    assert vault.vault.call("maxWithdraw", alice) == vault.vault.call("maxRedeem", alice) == 0
    assert vault.vault.call("maxDeposit", alice) == vault.vault.call("maxMint", alice) == 0
    with refused("ERC4626ExceededMaxDeposit"):
        vault.deposit(alice, DOLLAR)


def test_invariant_11_exit_in_kind_needs_no_pool_model_verifier_or_owner(vault: VaultSetup):
    half_invested(vault)
    alice = vault.actors.alice
    vault.transact(vault.actors.owner, vault.registry, "retire", vault.pins.model_id())
    vault.transact(vault.actors.owner, vault.registry, "renounceOwnership")
    for contract in (vault.pool, vault.verifier, vault.gate, vault.source, vault.venue, vault.registry):
        vault.rpc.call("anvil_setCode", [contract.address, "0xfe"])
    shares = vault.vault.call("balanceOf", alice)
    before = balances(vault, alice)
    receipt = vault.transact(alice, vault.vault, "redeemInKind", shares, alice, alice)
    after = balances(vault, alice)
    assert after[0] > before[0]
    assert after[1] > before[1]
    assert int(receipt["gasUsed"], 16) < 200_000


def test_invariant_11_a_frozen_token_does_not_hold_the_other_and_is_owed(vault: VaultSetup):
    half_invested(vault)
    alice, bob = vault.actors.alice, vault.actors.bob
    vault.deposit(bob, 200_000 * DOLLAR)
    healthy = vault.rpc.call("eth_getCode", [vault.asset.address, "latest"])
    frozen = vault.create("FrozenToken")
    vault.rpc.call("anvil_setCode", [vault.asset.address, vault.rpc.call("eth_getCode", [frozen.address, "latest"])])
    shares, before = vault.vault.call("balanceOf", alice), balances(vault, alice)
    event = vault.events(vault.transact(alice, vault.vault, "redeemInKind", shares, alice, alice))
    after = balances(vault, alice)
    assert after[1] - before[1] == event["RedeemedInKind"]["riskAmount"] > 0
    owed = vault.vault.call("owed", vault.asset.address, alice)
    assert after[0] == before[0]
    assert owed == event["Owed"]["amount"] == event["RedeemedInKind"]["assetAmount"]
    # What is owed is no longer part of the vault: bob's shares are worth his own slice.
    worth = vault.vault.call("previewRedeem", vault.vault.call("balanceOf", bob))
    assert worth <= vault.vault.call("totalAssets") + 1 < 202_000 * DOLLAR
    with refused("Frozen"):
        vault.transact(bob, vault.vault, "claim", vault.asset.address, alice)
    vault.rpc.call("anvil_setCode", [vault.asset.address, healthy])
    vault.transact(bob, vault.vault, "claim", vault.asset.address, alice)
    assert balances(vault, alice)[0] - before[0] == owed
    assert vault.vault.call("totalOwed", vault.asset.address) == 0
    vault.transact(bob, vault.vault, "claim", vault.asset.address, alice)
    assert balances(vault, alice)[0] - before[0] == owed


def test_redeem_is_refused_below_its_floor_rather_than_paid_less(vault: VaultSetup):
    """A slice larger than the pool absorbs at the floor does not go through; in kind it does."""
    policy = replace(vault.terms.policy, slippage_pips=0)
    redeploy(vault, policy=policy)
    vault.deposit(vault.actors.alice, 1_000_000 * DOLLAR)
    alice = vault.actors.alice
    vault.transact(vault.actors.trader, vault.risk, "transfer", vault.vault.address, 300 * 10**18)
    shares = vault.vault.call("balanceOf", alice)
    with refused("OutputTooLow"):
        vault.transact(alice, vault.vault, "redeem", shares, alice, alice)
    vault.transact(alice, vault.vault, "redeemInKind", shares, alice, alice)


@pytest.mark.parametrize(
    "change",
    [
        {"min_weight_wad": 6 * 10**17, "max_weight_wad": 5 * 10**17},
        {"max_weight_wad": 10**18 + 1},
        {"deadband_wad": 10**18 + 1},
        {"max_step_wad": 0},
        {"max_step_wad": 10**18 + 1},
        {"max_notional": 0},
        {"slippage_pips": 100_001},
        {"deviation_pips": 1_000_001},
    ],
)
def test_vault_refuses_a_policy_out_of_range(vault: VaultSetup, change):
    with refused("PolicyInvalid"):
        vault.create("InferenceVault", vault.config(policy=replace(vault.terms.policy, **change)))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"period": 0}, "PeriodZero"),
        ({"max_age": 0}, "MaxAgeInvalid"),
        ({"max_age": 14_401}, "MaxAgeInvalid"),
        ({"deposit_cap": 0}, "DepositCapZero"),
        ({"registry": NOBODY}, "RegistryHasNoCode"),
        ({"safeguards": Safeguards(turnover_wad=0)}, "SafeguardsInvalid"),
        ({"safeguards": Safeguards(turnover_wad=1_000 * 10**18 + 1)}, "SafeguardsInvalid"),
        ({"safeguards": Safeguards(drawdown_wad=10**18)}, "SafeguardsInvalid"),
        ({"safeguards": Safeguards(outage_epochs=2**64)}, "SafeguardsInvalid"),
        ({"fees": Fees(performance_pips=300_001, performance_recipient="0x" + 40 * "1")}, "FeesInvalid"),
        ({"fees": Fees(performance_pips=1)}, "FeesInvalid"),
        ({"fees": Fees(reward_per_epoch=1)}, "FeesInvalid"),
        ({"fees": Fees(reward_year_pips=1)}, "FeesInvalid"),
        ({"fees": Fees(reward_per_epoch=1, reward_year_pips=50_001)}, "FeesInvalid"),
    ],
)
def test_vault_refuses_terms_out_of_range_by_name(vault: VaultSetup, change, name):
    with refused(name):
        vault.create("InferenceVault", vault.config(**change))


def test_invariant_10_vault_has_no_function_that_moves_value_or_policy_but_these():
    allowed = {
        "rebalance", "deposit", "mint", "withdraw", "redeem", "redeemInKind", "claim", "transfer", "transferFrom",
        "approve", "permit", "stopTrading", "scheduleResume", "resumeTrading",
    }  # fmt: skip
    abi = load_code("InferenceVault").abi
    writing = {
        item["name"] for item in abi if item["type"] == "function" and item["stateMutability"] not in ("view", "pure")
    }
    assert writing == allowed
