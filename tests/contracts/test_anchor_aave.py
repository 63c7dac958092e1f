"""The anchor and the real Aave: debts out of its tokens' storage, events out of its blocks' receipts."""

from __future__ import annotations

import pytest

from tests.contracts.conftest import Harness
from tests.fixtures.aave import lending_index
from vaultkit.chain.aave import RESERVES
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.borrowers import WBTC, WETH
from vaultkit.chain.hashing import keccak
from vaultkit.chain.lending import LIQUIDATOR, OPERATOR
from vaultkit.chain.lending_cache import open_lending
from vaultkit.chain.uniswap import transact_unlocked
from vaultkit.coprocessor.store import scan
from vaultkit.errors import Reverted
from vaultkit.vault.anchor import AnchorClient
from vaultkit.vault.compile import compile_contracts

USER_STATE_SLOT = 56
"""Where Aave's scaled balance token keeps its mapping of users: balance in the low 128 bits, index above."""


@pytest.fixture(scope="module")
def aave(lending_folder):
    """The local Aave, going on where its history ends, with an anchor on it."""
    compile_contracts()
    with open_lending(lending_folder) as (devnet, manifest):
        devnet.set_automine(True)
        anchor = AnchorClient(devnet.rpc, Harness(devnet, "InputAnchor").contract.address)
        devnet.set_automine(False)
        devnet.mine()
        yield devnet, manifest, anchor


@pytest.fixture(scope="module")
def liquidation(aave):
    """The log of a liquidation that a fall of ether's price brings about."""
    devnet, manifest, _ = aave
    pool, feed = (
        Contract(devnet.rpc, address, load_abi(name))
        for address, name in ((manifest.aave.pool, "Pool"), (manifest.aave.feed, "PriceOracle"))
    )
    accounts, tokens = devnet.accounts(), manifest.aave.tokens
    for asset in (WETH, WBTC):
        price = feed.call("getAssetPrice", tokens[asset]) // 3
        data = feed.encode("setAssetPrice", tokens[asset], price)
        transact_unlocked(devnet, accounts[OPERATOR], feed.address, data, mine=devnet.mine)
    poor = [a for a in manifest.habits if pool.call("getUserAccountData", a)[5] < 10**18]
    for borrower in poor:
        for asset in (WETH, WBTC):
            arguments = (tokens[asset], tokens[2], borrower, 2**256 - 1, False)
            data = pool.encode("liquidationCall", *arguments)
            try:
                pool.call("liquidationCall", *arguments, sender=accounts[LIQUIDATOR])
            except Reverted:
                continue
            receipt = transact_unlocked(devnet, accounts[LIQUIDATOR], pool.address, data, mine=devnet.mine)
            devnet.mine()
            return pool, borrower, receipt["logs"][-1]
    raise AssertionError("nobody is liquidated")


def test_a_liquidation_that_the_indexer_verified_is_one_that_a_contract_can_know(aave, liquidation, tmp_path):
    devnet, manifest, anchor = aave
    pool, borrower, log = liquidation
    lending_index(devnet, manifest).index(tmp_path, start=int(log["blockNumber"], 16))
    (row,) = scan(tmp_path, "aave_v3_events").collect().rows(named=True)
    header, found, proof = anchor.log(row["block_number"], row["log_index"])
    assert (row["event"], f"0x{row['user'].hex()}") == ("liquidation", borrower)
    assert (header.timestamp, proof.transaction_index) == (row["timestamp"], row["transaction_index"])
    assert found.emitter == row["address"]
    told = {"topics": [f"0x{topic.hex()}" for topic in found.topics], "data": f"0x{found.data.hex()}"}
    event = pool.decode_log({**log, **told})
    assert event.name == "LiquidationCall"
    for argument, column in (("user", "user"), ("debtAsset", "debt_asset"), ("collateralAsset", "collateral_asset")):
        assert bytes.fromhex(event.args[argument][2:]) == row[column]
    assert event.args["debtToCover"] == int.from_bytes(row["debt_to_cover"], "big") > 0


def test_a_wallets_debt_is_shown_and_so_is_that_it_has_none(aave):
    devnet, manifest, anchor = aave
    data = Contract(devnet.rpc, manifest.aave.data_provider, load_abi("AaveProtocolDataProvider"))
    number = devnet.block_number()
    devnet.mine()
    owing = 0
    for asset in range(len(RESERVES)):
        debt = data.call("getReserveTokensAddresses", manifest.aave.tokens[asset])[2]
        token = Contract(devnet.rpc, debt, load_abi("VariableDebtToken"))
        people = list(manifest.habits)[:12]
        slots = [_slot_of(person) for person in people]
        _, values = anchor.slots(number, debt, slots)
        balances = [token.call("scaledBalanceOf", person, block=number) for person in people]
        assert [value % 2**128 for value in values] == balances
        owing += sum(balance > 0 for balance in balances)
    assert 0 < owing < 12 * len(RESERVES)


def _slot_of(person: str) -> int:
    return int.from_bytes(keccak(bytes.fromhex(person[2:]).rjust(32, b"\0") + USER_STATE_SLOT.to_bytes(32, "big")))
