"""Brings a private and a public line to a local chain, with money to lend and accounts to borrow with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from vaultkit.chain.aave import RESERVES
from vaultkit.chain.abi import Contract, load_abi, load_code
from vaultkit.chain.account import Signer, send
from vaultkit.chain.borrowers import USDC, WETH
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.lending import OPERATOR
from vaultkit.chain.lending_cache import LendingManifest
from vaultkit.credit.model import CreditModel
from vaultkit.credit.terms import DEFAULT_TIERS, pins_of, tier_rows
from vaultkit.models.credit.tiers import TierTable
from vaultkit.vault.compile import compile_contracts
from vaultkit.vault.line_book import LineBook
from vaultkit.vault.line_client import LineClient
from vaultkit.vault.line_deploy import LineTerms, Market, deploy_line
from vaultkit.vault.verification import encode_arguments

LENDER: Final = 4
"""Published test account that lends."""

FRESH: Final = (5, 6, 7, 8, 9)
"""Published test accounts without a history, who are given collateral to borrow against."""

LENT_USD: Final = 1_000_000
_COLLATERAL_USD: Final = 100_000
_ETHER: Final = hex(10**21)

Progress = Callable[[str], None]


def bring_line(
    devnet: Devnet,
    manifest: LendingManifest,
    model: CreditModel,
    *,
    attester: str | None = None,
    tiers: TierTable = DEFAULT_TIERS,
    terms: LineTerms | None = None,
    progress: Progress = lambda text: None,
) -> LineBook:
    """Deploy a line of the model's mode that lends the pool's USDC against its WETH, and lend to it.

    Parameters
    ----------
    devnet
        With automine on; its clock is moved past the registry's delay.
    attester
        Of a private line.
    terms
        What the line fixes besides its tiers.

    Raises
    ------
    DeployFailed
        When the chain refuses a step.
    """
    compile_contracts()
    rpc, owner, aave = devnet.rpc, Signer.devnet(OPERATOR), manifest.aave
    rows = tier_rows(tiers, model.circuit.output_scale)
    fixed = LineTerms(rows) if terms is None else terms
    own: tuple[Any, ...] = (attester,)
    if model.manifest.mode == "public":
        progress("deploy InputAnchor")
        anchor = load_code("InputAnchor").bytecode + encode_arguments("InputAnchor", ()).hex()
        own = (send(rpc, owner, None, anchor)["contractAddress"], aave.pool)
    market = Market(aave.tokens[USDC], aave.tokens[WETH], aave.oracle)
    book = deploy_line(rpc, owner, market, pins_of(model), fixed, own, wait=devnet.mine, progress=progress)
    progress("lend to it")
    endow(devnet, manifest, Signer.devnet(LENDER), USDC, LENT_USD)
    LineClient(rpc, book).lend(Signer.devnet(LENDER), LENT_USD * 10 ** RESERVES[USDC].decimals)
    return book


def endow(devnet: Devnet, manifest: LendingManifest, account: Signer, asset: int, usd: float = _COLLATERAL_USD) -> None:
    """Give an account ether for gas, and as much of an asset as was worth so many dollars when the history began."""
    rpc, terms = devnet.rpc, RESERVES[asset]
    rpc.call("anvil_setBalance", [account.address, _ETHER])
    token = Contract(rpc, manifest.aave.tokens[asset], load_abi("MintableERC20"))
    amount = int(usd / terms.price_usd * 10**terms.decimals)
    send(rpc, Signer.devnet(OPERATOR), token.address, token.encode("mint(address,uint256)", account.address, amount))
