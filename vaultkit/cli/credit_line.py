"""``vaultkit credit open`` and ``status``: a loan on a proven score, and what a line and a borrower look like."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaultkit.cli.credit_options import CreditRpcOption, FolderOption, ModeName, ModeOption, place_of, signer_of
from vaultkit.cli.output import JsonFlag, emit, stdout
from vaultkit.cli.wallet import AccountOption, KeystoreOption, PassphraseOption, YesFlag

if TYPE_CHECKING:
    from vaultkit.chain.account import Signer
    from vaultkit.credit.proof_file import ProofFile
    from vaultkit.vault.line_client import BorrowerStatus, LineClient

_USD = 10**8


def open_line(
    collateral: Annotated[
        str, typer.Option(help="Amount of the collateral to post, in whole tokens; 0 for none.")
    ] = "0",
    borrow: Annotated[str, typer.Option(help="Amount to borrow, in whole tokens; 0 for none.")] = "0",
    proof: Annotated[
        Path | None, typer.Option("--proof", help="Proof to have accepted first, as `vaultkit credit prove` wrote it.")
    ] = None,
    attestation: Annotated[
        Path | None, typer.Option("--attestation", help="The attester's signature; private mode.")
    ] = None,
    mode: ModeOption = ModeName.private,
    rpc: CreditRpcOption = None,
    keystore: KeystoreOption = None,
    passphrase_file: PassphraseOption = None,
    account: AccountOption = 5,
    yes: YesFlag = False,
    folder: FolderOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Have a proven score accepted, post collateral, and borrow; what nothing is given for is left out."""
    from vaultkit.credit.proof_file import ProofFile
    from vaultkit.errors import SettingsError
    from vaultkit.units import to_units

    place = place_of(folder)
    client, signer = place.client(place.rpc(rpc), mode.value), signer_of(keystore, passphrase_file, account)
    book = client.book
    posted, lent = to_units(collateral, book.collateral_decimals), to_units(borrow, book.asset_decimals)
    shown = ProofFile.load(proof) if proof else None
    if not yes:
        what = _sentences(client, shown, collateral if posted else "", borrow if lent else "")
        if as_json:
            print(json.dumps({"sent": False, "would": what}))
            return
        for sentence in what:
            stdout.print(sentence, highlight=False, soft_wrap=True)
        if not sys.stdin.isatty():
            raise SettingsError("nothing was sent, since nobody can be asked", next_step="Give --yes once you agree")
        typer.confirm("Sign and send?", abort=True)
    gas: dict[str, int] = {}
    if shown is not None:
        gas["gas_score"] = _gas(_accept(client, signer, shown, attestation))
    if posted:
        gas["gas_collateral"] = _gas(client.add_collateral(signer, posted))
    if lent:
        gas["gas_borrow"] = _gas(client.borrow(signer, lent))
    emit({**_account(client, client.borrower(signer.address)), **gas}, as_json=as_json, title="Credit line")


def status(
    borrower: Annotated[
        str | None, typer.Argument(help="Whose account to show; the line alone where left out.")
    ] = None,
    mode: ModeOption = ModeName.private,
    rpc: CreditRpcOption = None,
    folder: FolderOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show a line: what it holds and lends, its tiers, whom it trusts; and a borrower's score, debt and terms."""
    from vaultkit.address import parse_address
    from vaultkit.models.credit.tiers import probability_of
    from vaultkit.units import from_units

    client = place_of(folder).client(place_of(folder).rpc(rpc), mode.value)
    book, line = client.book, client.status()
    shown: dict[str, Any] = {
        "line": book.line,
        "mode": book.mode,
        "lends": f"{book.asset_symbol} against {book.collateral_symbol}",
        "total_assets": f"{from_units(line.total_assets, book.asset_decimals):f}",
        "lent": f"{from_units(line.total_debt, book.asset_decimals):f}",
        "cash": f"{from_units(line.cash, book.asset_decimals):f}",
        "model": line.model_id,
        "score_lasts_seconds": line.max_score_age_seconds,
        "attester": book.attester or "nobody: the line counts the features itself",
    }
    for place, tier in enumerate(line.tiers):
        shown[f"tier_{place}"] = (
            f"up to {probability_of(tier.max_score, book.output_scale):.2%}: LTV {tier.ltv_bps / 100:g} %, "
            f"liquidated above {tier.threshold_bps / 100:g} %, {tier.rate_bps / 100:g} % a year"
        )
    if borrower is not None:
        shown |= _account(client, client.borrower(parse_address(borrower, where="borrower")))
    emit(shown, as_json=as_json, title="Credit line")


def _accept(client: LineClient, signer: Signer, shown: ProofFile, attestation: Path | None) -> dict[str, Any]:
    from vaultkit.credit.accept import accept_score
    from vaultkit.vault.attestation import Attestation

    return accept_score(client, signer, shown, Attestation.load(attestation) if attestation else None)


def _sentences(client: LineClient, shown: ProofFile | None, collateral: str, borrow: str) -> list[str]:
    """Return in words what would be sent."""
    from vaultkit.models.credit.tiers import probability_of

    book, said = client.book, []
    if shown is not None:
        chance = probability_of(shown.score, book.output_scale)
        tier = client.line.call("tierOf", shown.score)
        terms = client.status().tiers
        opens = (
            f"tier {tier}, LTV {terms[tier].ltv_bps / 100:g} %" if tier < len(terms) else "no tier and lends nothing"
        )
        said.append(f"The score {shown.score} of {shown.borrower} ({chance:.2%}) becomes public; it opens {opens}.")
    if collateral:
        said.append(f"{collateral} {book.collateral_symbol} leave your account and secure your debt.")
    if borrow:
        said.append(
            f"{borrow} {book.asset_symbol} arrive. Above the threshold anybody may take your collateral at a bonus."
        )
    return said or ["Nothing: give --proof, --collateral or --borrow."]


def _account(client: LineClient, found: BorrowerStatus) -> dict[str, Any]:
    from vaultkit.models.credit.tiers import probability_of
    from vaultkit.units import from_units

    book = client.book
    return {
        "borrower": found.borrower,
        "score": found.score,
        "probability": None if found.score is None else round(probability_of(found.score, book.output_scale), 6),
        "as_of": found.as_of,
        "tier": found.tier,
        "can_borrow": found.lends,
        "collateral": f"{from_units(found.collateral, book.collateral_decimals):f}",
        "debt": f"{from_units(found.debt, book.asset_decimals):f}",
        "debt_usd": found.debt_value / _USD,
        "may_owe_usd": found.limit_value / _USD,
        "liquidated_above_usd": found.liquidation_value / _USD,
    }


def _gas(receipt: dict[str, Any]) -> int:
    return int(receipt["gasUsed"], 16)
