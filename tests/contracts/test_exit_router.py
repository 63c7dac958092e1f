"""`ExitRouter`, EIP-2612 permits, and how much of an exit `maxRedeem` promises."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account import Account

from tests.fixtures.vault import VaultSetup
from vaultkit.errors import Reverted

DOLLAR = 10**6
NO_PERMIT = (0, bytes(32), bytes(32))


def refused(name: str):
    return pytest.raises(Reverted, match=f"refused with {name}[:.]")


@pytest.fixture
def invested(vault: VaultSetup) -> VaultSetup:
    vault.deposit(vault.actors.alice, 1_000_000 * DOLLAR)
    vault.keep(50)
    vault.router = vault.create("ExitRouter")
    return vault


def cash_out(vault: VaultSetup, shares: int, least: int = 0, *, deadline: int = 2**63, permit=NO_PERMIT, venue=None):
    alice = vault.actors.alice
    arguments = (vault.vault.address, venue or vault.venue.address, shares, least, alice, deadline, permit)
    return vault.transact(alice, vault.router, "cashOut", *arguments)


def test_router_pays_at_least_what_the_leaver_asked_and_keeps_nothing(invested: VaultSetup):
    vault, alice = invested, invested.actors.alice
    shares = vault.vault.call("balanceOf", alice) // 4
    vault.transact(alice, vault.vault, "approve", vault.router.address, shares)
    floor, before = vault.vault.call("previewRedeem", shares), vault.asset.call("balanceOf", alice)
    event = vault.events(cash_out(vault, shares, floor), vault.router)["CashedOut"]
    assert vault.asset.call("balanceOf", alice) - before == event["assets"] >= floor
    for token in (vault.asset, vault.risk, vault.vault):
        assert token.call("balanceOf", vault.router.address) == 0
    assert vault.risk.call("allowance", vault.router.address, vault.venue.address) == 0


def test_router_goes_through_where_redeem_cannot_meet_its_floor(vault: VaultSetup):
    vault.redeploy(policy=replace(vault.terms.policy, slippage_pips=20, deviation_pips=1_000_000, max_step_wad=10**16))
    vault.router, alice = vault.create("ExitRouter"), vault.actors.alice
    vault.deposit(alice, 1_000_000 * DOLLAR)
    vault.transact(vault.actors.trader, vault.risk, "transfer", vault.vault.address, 1_000 * 10**18)
    shares = vault.vault.call("balanceOf", alice)
    with refused("OutputTooLow"):
        vault.transact(alice, vault.vault, "redeem", shares, alice, alice)
    vault.transact(alice, vault.vault, "approve", vault.router.address, shares)
    policyless = vault.vault.call("previewRedeem", shares)
    with refused("AssetsTooLow"):
        cash_out(vault, shares, 2 * policyless)
    cash_out(vault, shares, policyless * 9 // 10)
    assert vault.vault.call("balanceOf", alice) == 0


def test_router_refuses_a_late_call_and_a_venue_of_other_tokens(invested: VaultSetup):
    vault = invested
    with refused("DeadlinePassed"):
        cash_out(vault, 10**9, deadline=vault.now() - 1)
    pool = vault.book.pool
    flipped = vault.create("UniswapV3Venue", pool.factory, pool.pool, pool.risk, 900)
    with refused("VenueOfOtherTokens"):
        cash_out(vault, 10**9, venue=flipped.address)


def test_router_refuses_an_exit_that_would_be_owed_to_it(invested: VaultSetup):
    vault, alice = invested, invested.actors.alice
    vault.transact(alice, vault.vault, "approve", vault.router.address, 2**256 - 1)
    frozen = vault.create("FrozenToken")
    vault.rpc.call("anvil_setCode", [vault.asset.address, vault.rpc.call("eth_getCode", [frozen.address, "latest"])])
    with refused("NotPaid"):
        cash_out(vault, 10**12)


def test_a_permit_lets_the_router_burn_in_one_transaction(invested: VaultSetup):
    vault = invested
    owner = Account.create()
    vault.rpc.call("anvil_setBalance", [owner.address, hex(10**24)])
    shares = 10**15
    vault.transact(vault.actors.alice, vault.vault, "transfer", owner.address, shares)
    types = {
        "Permit": [
            {"name": name, "type": kind}
            for name, kind in (
                ("owner", "address"), ("spender", "address"), ("value", "uint256"), ("nonce", "uint256"),
                ("deadline", "uint256"),
            )
        ]
    }  # fmt: skip
    domain = {"name": "Inference Vault", "version": "1", "chainId": 31337, "verifyingContract": vault.vault.address}
    message = {
        "owner": owner.address, "spender": vault.router.address, "value": shares, "nonce": 0, "deadline": 2**40
    }  # fmt: skip
    signed = Account.sign_typed_data(owner.key, domain, types, message)
    permit = (signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big"))
    arguments = (vault.vault.address, vault.venue.address, shares, 1, owner.address, 2**40, permit)
    with vault.impersonated(owner.address):
        vault.transact(owner.address, vault.router, "cashOut", *arguments)
    assert vault.vault.call("balanceOf", owner.address) == 0
    assert vault.asset.call("balanceOf", owner.address) > 0


@pytest.mark.parametrize("which", ["vault", "flipped_vault"])
def test_what_max_redeem_promises_goes_through_and_depth_bounds_it(which, request):
    vault = request.getfixturevalue(which)
    alice = vault.actors.alice
    vault.transact(alice, vault.asset, "mint", alice, 500_000_000 * DOLLAR)
    vault.deposit(alice, 1_000_000 * DOLLAR)
    vault.keep(50)
    shares = vault.vault.call("balanceOf", alice)
    depth = vault.venue.call("sellable", vault.terms.policy.slippage_pips)
    held, supply = vault.risk.call("balanceOf", vault.vault.address), vault.vault.call("totalSupply") + 10**6
    most = vault.vault.call("maxRedeem", alice)
    assert most == min(shares, depth * supply // held)
    assert most > 0
    vault.devnet.mine(vault.now() + 4_000)
    vault.transact(alice, vault.vault, "redeem", vault.vault.call("maxRedeem", alice), alice, alice)


@pytest.mark.parametrize("which", ["vault", "flipped_vault"])
def test_selling_what_the_venue_says_moves_its_price_by_no_more(which, request):
    vault = request.getfixturevalue(which)
    for pips in (100, 1_000, 10_000):
        amount, before = vault.venue.call("sellable", pips), vault.venue.call("spotX128")
        assert amount > 0
        vault.trade(buy_risk=False, amount=amount)
        moved = (before - vault.venue.call("spotX128")) / before
        assert 0 <= moved <= pips / 10**6
