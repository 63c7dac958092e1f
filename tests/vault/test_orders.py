"""Orders: explained before they are signed, filled as explained, and bounded where they say so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from tests.contracts.test_client import book_of, verb
from tests.contracts.test_deploy import mining
from tests.fixtures.vault import ALICE, BOB, VaultSetup, forget_prices
from vaultkit.chain.account import Signer
from vaultkit.errors import DataError, Reverted, RpcRefused, SettingsError
from vaultkit.vault.client import VaultClient
from vaultkit.vault.line_book import LineBook
from vaultkit.vault.line_client import LineClient
from vaultkit.vault.orders import Orders
from vaultkit.vault.quote import Amount, Filled, Quote
from vaultkit.vault.terms import Fees
from vaultkit.vault.verification import recompiled, standard_input

DOLLAR = 10**6
ALICES = Signer.devnet(ALICE)


@pytest.fixture
def orders(vault: VaultSetup) -> Orders:
    """Alice's orders at a vault half in WETH, an hour after its trade, so that spot and mean price agree."""
    vault.deposit(vault.actors.alice, 1_000_000 * DOLLAR)
    vault.keep(50)
    vault.devnet.mine(vault.now() + 3_600)
    return orders_of(vault)


def orders_of(vault: VaultSetup) -> Orders:
    book = book_of(vault)
    assert book.vault is not None
    router = vault.create("ExitRouter").address
    return Orders(
        VaultClient(vault.rpc, book.model_copy(update={"vault": book.vault.model_copy(update={"exit_router": router})}))
    )


def fill(vault: VaultSetup, orders: Orders, quote: Quote, signer: Signer = ALICES) -> Filled:
    with mining(vault.devnet, seconds=12):
        return orders.fill(signer, quote)


def units(amounts: tuple[Amount, ...]) -> dict[str, int]:
    return {one.symbol: one.units for one in amounts}


def test_every_order_is_filled_as_it_was_quoted(vault: VaultSetup, orders: Orders):
    me = ALICES.address
    slice_ = 10**17
    asked = {
        "deposit": lambda: orders.deposit(me, 1_000 * DOLLAR),
        "redeem": lambda: orders.redeem(me, slice_),
        "withdraw": lambda: orders.withdraw(me, 1_234 * DOLLAR),
        "in kind": lambda: orders.redeem_in_kind(me, slice_),
        "router": lambda: orders.cash_out(me, slice_, slippage_bps=50),
    }
    for name, quote in ((name, make()) for name, make in asked.items()):
        filled = fill(vault, orders, quote)
        assert (units(filled.leaves), units(filled.arrives)) == (units(quote.leaves), units(quote.arrives)), name
        for least in quote.least or ():
            assert units(filled.arrives)[least.symbol] >= least.units, name
        assert filled.gas_used <= quote.gas_used * 1.2, name


def test_what_leaves_and_arrives_is_what_balances_change_by(vault: VaultSetup, orders: Orders):
    before = [token.call("balanceOf", ALICES.address) for token in (vault.asset, vault.risk, vault.vault)]
    filled = fill(vault, orders, orders.redeem_in_kind(ALICES.address, 10**17))
    after = [token.call("balanceOf", ALICES.address) for token in (vault.asset, vault.risk, vault.vault)]
    paid = units(filled.arrives)
    assert [new - old for new, old in zip(after, before, strict=True)] == [paid["USDC"], paid["WETH"], -(10**17)]


def test_a_deposit_allows_the_vault_exactly_what_it_takes(vault: VaultSetup, orders: Orders):
    bob = Signer.devnet(BOB)
    vault.transact(vault.actors.bob, vault.asset, "approve", vault.vault.address, 0)
    quote = orders.deposit(bob.address, 77 * DOLLAR)
    assert [call.says.split()[0] for call in quote.calls] == ["allow", "call"]
    filled = fill(vault, orders, quote, bob)
    assert units(filled.leaves) == {"USDC": 77 * DOLLAR} and len(filled.transactions) == 2
    assert vault.asset.call("allowance", bob.address, vault.vault.address) == 0


def test_a_deposit_says_what_its_shares_are_worth_once_it_has_paid_for_their_risk(vault: VaultSetup, orders: Orders):
    for _ in range(3):
        vault.keep(60)
    bob = Signer.devnet(BOB)
    quote = orders.deposit(bob.address, 10_000 * DOLLAR)
    (shares,) = [one.units for one in fill(vault, orders, quote, bob).arrives]
    worth = vault.vault.call("convertToAssets", shares)
    assert 9_900 * DOLLAR < worth < 9_990 * DOLLAR
    assert f"The shares are worth {orders.asset(worth)} at the mean price" in quote.worst_case


@pytest.fixture
def zero_first(vault: VaultSetup) -> None:
    """An asset that refuses to replace an allowance by another; Bob has given the vault one of a dollar."""
    vault.transact(vault.actors.bob, vault.asset, "approve", vault.vault.address, DOLLAR)
    source = Path(__file__).parent / "sources" / "ZeroFirstToken.sol"
    code = recompiled("ZeroFirstToken", standard_input("ZeroFirstToken", source))[1]
    honest = recode(vault, vault.asset.address, code)
    recode(vault, "0x" + f"{0xC0DE:040x}", honest)
    with pytest.raises(Reverted):
        vault.transact(vault.actors.bob, vault.asset, "approve", vault.vault.address, 2 * DOLLAR)


def test_a_smaller_allowance_is_taken_back_before_a_deposit_allows_more(
    vault: VaultSetup, orders: Orders, zero_first: None
):
    bob = Signer.devnet(BOB)
    quote = orders.deposit(bob.address, 77 * DOLLAR)
    assert "3 transactions: take a smaller allowance back, then allow the vault 77 USDC, then" in quote.sentences()[-1]
    filled = fill(vault, orders, quote, bob)
    assert units(filled.leaves) == {"USDC": 77 * DOLLAR} and len(filled.transactions) == 3
    vault.transact(vault.actors.bob, vault.asset, "approve", vault.vault.address, DOLLAR)
    with mining(vault.devnet, seconds=12):
        assert orders._client.deposit(bob, 77 * DOLLAR) > 0
    vault.transact(vault.actors.bob, vault.asset, "approve", vault.vault.address, 78 * DOLLAR)
    assert [call.says.split()[0] for call in orders.deposit(bob.address, 78 * DOLLAR).calls] == ["call"]


def test_a_lender_s_smaller_allowance_is_taken_back_too(vault: VaultSetup, zero_first: None):
    """A line takes deposits as the vault does, which stands in for it here."""
    bob, pool = Signer.devnet(BOB), vault.book.pool
    book = LineBook.model_construct(
        mode="public", line=vault.vault.address, asset=pool.asset, collateral=pool.risk, oracle=pool.pool
    )
    with mining(vault.devnet, seconds=12):
        LineClient(vault.rpc, book).lend(bob, 77 * DOLLAR)
    assert vault.vault.call("totalAssets") == 77 * DOLLAR


def test_an_exit_that_the_pool_fell_under_is_refused_by_its_own_limit(vault: VaultSetup, orders: Orders):
    me, slice_ = ALICES.address, 10**17
    quoted = {
        "AssetsTooFew": orders.redeem(me, slice_),
        "SharesTooMany": orders.withdraw(me, 90_000 * DOLLAR),
        "AssetsTooLow": orders.cash_out(me, slice_, slippage_bps=50),
    }
    generous = orders.redeem(me, slice_, slippage_bps=1_000), orders.withdraw(me, 1_000 * DOLLAR, slippage_bps=1_000)
    vault.trade(buy_risk=False, amount=3_000 * 10**18)
    for name, quote in quoted.items():
        with pytest.raises(Reverted, match=name):
            fill(vault, orders, quote)
    for quote in generous:
        fill(vault, orders, quote)


def test_a_deposit_that_the_pool_rose_over_is_refused_by_its_own_limit(vault: VaultSetup, orders: Orders):
    bob = Signer.devnet(BOB)
    tight, generous = (orders.deposit(bob.address, 1_000 * DOLLAR, slippage_bps=bps) for bps in (50, 1_000))
    vault.trade(buy_risk=True, amount=3_000_000 * DOLLAR)
    with pytest.raises(Reverted, match="SharesTooFew"):
        fill(vault, orders, tight, bob)
    filled = fill(vault, orders, generous, bob)
    assert tight.least is not None and units(filled.arrives)["iVAULT"] < tight.least[0].units


@pytest.mark.parametrize("bps", [-1, 10_000])
def test_a_slippage_that_is_none_is_refused(orders: Orders, bps: int):
    me = ALICES.address
    for ask in (orders.deposit, orders.redeem, orders.withdraw, orders.cash_out):
        with pytest.raises(DataError, match="0 to 9999 bps"):
            ask(me, 10**6, slippage_bps=bps)


def test_the_router_takes_one_transaction_and_keeps_no_allowance(vault: VaultSetup, orders: Orders):
    quote = orders.cash_out(ALICES.address, 10**17, slippage_bps=50)
    filled = fill(vault, orders, quote)
    router = orders._client.addresses.exit_router
    assert len(filled.transactions) == 1
    assert vault.vault.call("allowance", ALICES.address, router) == 0


def test_an_exit_advises_the_router_only_where_there_is_one(vault: VaultSetup, orders: Orders):
    said = orders.redeem(ALICES.address, 10**17).worst_case
    assert "--router, or Orders.cash_out in Python" in said
    plain = Orders(VaultClient(vault.rpc, book_of(vault)))
    assert "router" not in plain.redeem(ALICES.address, 10**17).worst_case


def test_an_order_whose_means_are_gone_is_refused_in_human_units_when_it_is_sent(vault: VaultSetup, orders: Orders):
    me, stranger = ALICES.address, vault.actors.keeper
    shares, dollars = vault.vault.call("balanceOf", me), vault.asset.call("balanceOf", me)
    leave, enter = orders.redeem(me, shares), orders.deposit(me, dollars)
    vault.transact(me, vault.vault, "transfer", stranger, shares - 10**12)
    with pytest.raises(Reverted, match=r"ERC4626ExceededMaxRedeem: got .* iVAULT, where the account has 1 iVAULT"):
        fill(vault, orders, leave)
    vault.transact(me, vault.asset, "transfer", stranger, dollars - 5 * DOLLAR)
    with pytest.raises(Reverted, match=r"ERC20InsufficientBalance: got .* has 5 USDC of .* USDC"):
        fill(vault, orders, enter)


def test_a_receiver_gets_what_arrives(vault: VaultSetup, orders: Orders):
    quote = orders.redeem(ALICES.address, 10**17, vault.actors.keeper)
    before = vault.asset.call("balanceOf", vault.actors.keeper)
    filled = fill(vault, orders, quote)
    assert vault.asset.call("balanceOf", vault.actors.keeper) - before == units(filled.arrives)["USDC"]
    assert any(to_checksum_address(vault.actors.keeper) in sentence for sentence in quote.sentences())


def test_withdraw_says_what_its_exactness_costs(orders: Orders):
    exact = orders.withdraw(ALICES.address, 10_000 * DOLLAR)
    (shares,) = exact.leaves
    best = orders.redeem(ALICES.address, shares.units)
    assert units(best.arrives)["USDC"] > 10_000 * DOLLAR
    assert "stays in the vault" in exact.worst_case


def test_an_order_that_would_revert_is_refused_by_name_before_signing(vault: VaultSetup, orders: Orders):
    bob = Signer.devnet(BOB).address
    with pytest.raises(
        Reverted, match=r"ERC4626ExceededMaxRedeem.*0.000000000001 iVAULT, where the account has 0 iVAULT"
    ):
        orders.redeem(bob, 1)
    with pytest.raises(Reverted, match=r"ERC20InsufficientBalance.* has 10,000,000 USDC of 1,000,000,000,000 USDC"):
        orders.deposit(bob, 10**18)
    with pytest.raises(Reverted, match=r"ERC4626ExceededMaxWithdraw.*5 USDC, where at most 0 USDC can be"):
        orders.withdraw(bob, 5 * DOLLAR)
    with pytest.raises(Reverted, match=r"ERC20InsufficientBalance.* has 0 iVAULT of 100,000 iVAULT"):
        orders.cash_out(bob, 10**17, slippage_bps=0)
    vault.transact(vault.actors.guardian, vault.vault, "stopTrading")
    with pytest.raises(Reverted, match="takes no deposits now: it is stopped, at its cap, withdraw-only"):
        orders.deposit(bob, 10**6)


def test_a_deposit_is_refused_in_words_while_the_pool_cannot_tell_a_price(vault: VaultSetup, orders: Orders):
    vault.trade(buy_risk=True, amount=100_000 * DOLLAR)
    forget_prices(vault)
    with pytest.raises(Reverted, match=r"ERC4626ExceededMaxDeposit.*or a price of its pool cannot be read"):
        orders.deposit(Signer.devnet(BOB).address, DOLLAR)
    orders.redeem(ALICES.address, 10**15)


def test_a_mistyped_receiver_is_refused_and_so_is_one_of_the_vault_s_own_contracts(vault: VaultSetup, orders: Orders):
    me, keeper = ALICES.address, to_checksum_address(vault.actors.keeper)
    assert orders.redeem(me, 10**17, keeper.lower()).receiver == keeper
    for receiver, said in (
        ("keeper", "not an address"),
        (keeper.swapcase().replace("X", "x"), "do not fit"),
        ("0x" + 40 * "0", "zero address"),
        (vault.vault.address, "own contracts"),
        (vault.asset.address, "own contracts"),
        (vault.pool.address.lower(), "own contracts"),
    ):
        for ask in (orders.deposit, orders.withdraw, orders.redeem, orders.redeem_in_kind):
            with pytest.raises(DataError, match=said):
                ask(me, 10**6, receiver)
        with pytest.raises(DataError, match=said):
            orders.cash_out(me, 10**6, slippage_bps=50, receiver=receiver)


def test_an_exit_in_kind_tells_what_arrives_where_a_stranger_settles_the_gains_first(vault: VaultSetup):
    recipient = vault.actors.trader
    vault.redeploy(fees=Fees(performance_pips=300_000, performance_recipient=recipient))
    vault.deposit(ALICES.address, 1_000 * DOLLAR)
    vault.transact(vault.actors.bob, vault.asset, "transfer", vault.vault.address, 500 * DOLLAR)
    orders, shares = orders_of(vault), vault.vault.call("balanceOf", ALICES.address)
    quote = orders.redeem_in_kind(ALICES.address, shares)
    assert units(quote.arrives)["USDC"] == pytest.approx(1_500 * DOLLAR, abs=5)
    assert "0.3 of them" in quote.worst_case and "reward" not in quote.worst_case and quote.least is None
    stranger = vault.actors.keeper
    vault.transact(stranger, vault.vault, "redeem", 0, stranger, stranger)
    filled = fill(vault, orders, quote)
    assert units(filled.arrives)["USDC"] == pytest.approx(1_350 * DOLLAR, abs=5)
    assert f"settled now, {filled.arrives[0]}, and less after further gains" in quote.worst_case


def test_an_exit_in_kind_is_quoted_where_a_frozen_token_hides_what_gains_cost(vault: VaultSetup):
    fees = Fees(DOLLAR, 50_000, performance_pips=300_000, performance_recipient=vault.actors.trader)
    vault.redeploy(fees=fees)
    vault.deposit(ALICES.address, 1_000 * DOLLAR)
    vault.keep(50)
    orders = orders_of(vault)
    frozen = vault.rpc.call("eth_getCode", [vault.create("FrozenToken").address, "latest"])
    recode(vault, vault.asset.address, frozen)
    quote = orders.redeem_in_kind(ALICES.address, 10**14)
    assert set(units(quote.arrives)) == {"WETH"}
    assert "how far cannot be told now" in quote.worst_case and "reward lowers the USDC" in quote.worst_case


@pytest.mark.parametrize("name", ["deposit", "redeem", "withdraw", "redeem_in_kind"])
def test_an_order_of_nothing_or_less_is_refused_as_people_read_it(orders: Orders, name: str):
    symbol, one = ("USDC", DOLLAR) if name in ("deposit", "withdraw") else ("iVAULT", 10**12)
    for amount in (0, -5):
        with pytest.raises(DataError, match=f"is not positive: got {amount} {symbol}"):
            getattr(orders, name)(ALICES.address, amount * one)


def test_the_router_refuses_what_it_cannot_bound(vault: VaultSetup, orders: Orders):
    with pytest.raises(DataError, match="slippage"):
        orders.cash_out(ALICES.address, 1, slippage_bps=10_000)
    with pytest.raises(SettingsError, match="no exit router"):
        Orders(VaultClient(vault.rpc, book_of(vault))).cash_out(ALICES.address, 1, slippage_bps=50)


def test_a_node_that_cannot_simulate_is_named(vault: VaultSetup, orders: Orders, monkeypatch: pytest.MonkeyPatch):
    call = type(vault.rpc).call

    def without(self, method, params=()):
        if method == "eth_simulateV1":
            raise RpcRefused("the node refused", got="method not found", code=-32601)
        return call(self, method, params)

    monkeypatch.setattr(type(vault.rpc), "call", without)
    with pytest.raises(RpcRefused, match="cannot simulate"):
        orders.redeem(ALICES.address, 10**17)


def test_amounts_are_written_for_people():
    assert str(Amount(1_234_500_000, 6, "USDC")) == "1,234.5 USDC"
    assert str(Amount(10**21, 18, "WETH")) == "1,000 WETH"
    assert str(Amount(1, 18, "WETH")) == "0.000000000000000001 WETH"


def recode(vault: VaultSetup, token: str, code: str) -> str:
    """Give a token other code, in a block of its own since simulations begin from the last one; return what it had."""
    had = vault.rpc.call("eth_getCode", [token, "latest"])
    vault.rpc.call("anvil_setCode", [token, code])
    vault.devnet.mine()
    return str(had)


def test_what_a_token_refused_is_claimed_later_by_anybody_and_one_token_does_not_hold_the_other(
    vault: VaultSetup, orders: Orders
):
    me = ALICES.address
    frozen = vault.rpc.call("eth_getCode", [vault.create("FrozenToken").address, "latest"])
    with pytest.raises(DataError, match="owes this account nothing"):
        orders.claim(me)
    healthy = recode(vault, vault.asset.address, frozen)
    filled = fill(vault, orders, orders.redeem_in_kind(me, 10**17))
    assert set(units(filled.arrives)) == {"WETH"}
    with pytest.raises(Reverted, match="Frozen"):
        orders.claim(me)
    for slot, keys in ((6, (vault.risk.address, me)), (7, (vault.risk.address,))):  # as if WETH had refused too
        place = slot.to_bytes(32, "big")
        for key in keys:
            place = keccak(int(key, 16).to_bytes(32, "big") + place)
        vault.rpc.call("anvil_setStorageAt", [vault.vault.address, f"0x{place.hex()}", f"0x{10**15:064x}"])
    vault.devnet.mine()
    quote = orders.claim(me)
    assert "still cannot be paid (Frozen)" in quote.worst_case
    assert units(fill(vault, orders, quote).arrives) == {"WETH": 10**15}
    recode(vault, vault.asset.address, healthy)
    owed = vault.vault.call("owed", vault.asset.address, me)
    before = vault.asset.call("balanceOf", me)
    filled = fill(vault, orders, orders.claim(Signer.devnet(BOB).address, me), Signer.devnet(BOB))
    assert units(filled.arrives) == {"USDC": owed} and vault.asset.call("balanceOf", me) - before == owed > 0
    assert vault.vault.call("totalOwed", vault.asset.address) == 0


# -- verbs


@pytest.fixture
def words(vault: VaultSetup, tmp_path: Path) -> list[str]:
    place = tmp_path / "book.json"
    client = orders_of(vault)._client
    client.book.save(place)
    return ["--rpc", vault.devnet.url, "--book", str(place), "--account", str(ALICE)]


def test_verbs_move_money_in_human_units(vault: VaultSetup, words: list[str], capsys: pytest.CaptureFixture[str]):
    def run(*asked: str) -> dict:
        assert verb(*asked, *words, "--yes", "--json") == 0
        return json.loads(capsys.readouterr().out)

    with mining(vault.devnet, seconds=12):
        entered = run("deposit", "2500.5", "--mint")
        assert entered["left"] == {"USDC": "2500.500000"} and entered["sent"]
        assert run("withdraw", "500.25")["arrived"] == {"USDC": "500.250000"}
        assert run("redeem", "100")["left"] == {"iVAULT": "100.000000000000"}
        assert run("redeem", "100", "--router", "--slippage-bps", "10")["arrived"] == {"USDC": "100.000000"}
        left = run("redeem-in-kind", "all")
        assert verb("redeem", "all", *words, "--yes") == DataError.exit_code
        assert "no shares" in capsys.readouterr().err
        assert verb("claim", *words, "--yes", "--json") == DataError.exit_code
        assert "owes this account nothing" in capsys.readouterr().out
    assert vault.vault.call("balanceOf", ALICES.address) == 0
    assert float(left["arrived"]["USDC"]) == pytest.approx(2500.5 - 500.25 - 200, abs=1e-4)


def test_nothing_is_sent_without_a_yes(vault: VaultSetup, words: list[str], capsys: pytest.CaptureFixture[str]):
    block = vault.rpc.call("eth_blockNumber")
    assert verb("deposit", "1000", *words, "--json") == 0
    quote = json.loads(capsys.readouterr().out)
    assert quote["sent"] is False and quote["leaves"] == {"USDC": "1000.000000"} and "transactions" not in quote
    assert verb("deposit", "1000", *words) == 2
    out, err = capsys.readouterr()
    assert "Leaves" in out and "Arrives" in out and "Worst case" in out and "--yes" in err
    vault.devnet.mine()
    assert int(vault.rpc.call("eth_blockNumber"), 16) == int(block, 16) + 1
    assert vault.vault.call("totalSupply") == 0
    held = vault.asset.call("balanceOf", ALICES.address)
    much = f"{held // DOLLAR + 1}"
    assert verb("deposit", much, "--mint", *words, "--json") == 0
    assert json.loads(capsys.readouterr().out)["leaves"] == {"USDC": f"{much}.000000"}
    vault.devnet.mine()
    assert vault.asset.call("balanceOf", ALICES.address) == held
