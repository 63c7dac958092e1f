"""``vaultkit credit``: score a lending history, have it attested and proven, and borrow on the proven score."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaultkit.cli.credit_chain import run, train
from vaultkit.cli.credit_line import open_line, status
from vaultkit.cli.credit_options import (
    BorrowerOption,
    CreditRpcOption,
    FolderOption,
    ModeName,
    ModeOption,
    WalletArgument,
    history_of,
    place_of,
    signer_of,
)
from vaultkit.cli.output import JsonFlag, emit, emit_rows, stderr
from vaultkit.cli.wallet import AccountOption, KeystoreOption, PassphraseOption

if TYPE_CHECKING:
    from vaultkit.credit.model import Explanation
    from vaultkit.credit.place import CreditPlace
    from vaultkit.protocols import Rpc

RequestArgument = Annotated[Path, typer.Argument(help="Sealed request, as `vaultkit credit seal` wrote it.")]
OutOption = Annotated[Path, typer.Option("--out", help="File to write.")]


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    group = typer.Typer(help="Credit on a local chain: score, explain, attest, prove, borrow.", no_args_is_help=True)
    group.command("train")(train)
    group.command("run")(run)
    group.command("score")(score)
    group.command("explain")(explain)
    group.command("seal")(seal)
    group.command("attest")(attest)
    group.command("prove")(prove)
    group.command("open")(open_line)
    group.command("status")(status)
    app.add_typer(group, name="credit")


def score(
    wallet: WalletArgument,
    mode: ModeOption = ModeName.private,
    rpc: CreditRpcOption = None,
    folder: FolderOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Score a wallet as of the newest block, exactly as a proof would show it, without one."""
    place = place_of(folder)
    endpoint = place.rpc(rpc)
    found, where = _explained(place, endpoint, mode, wallet)
    emit(
        {
            "wallet": wallet,
            "mode": str(mode),
            "score": found.score,
            "log_odds": round(found.log_odds, 4),
            "probability": round(found.probability, 6),
            **_tier(place, endpoint, mode, found.score),
            **where,
        },
        as_json=as_json,
        title="Credit score",
    )


def explain(
    wallet: WalletArgument,
    mode: ModeOption = ModeName.private,
    rpc: CreditRpcOption = None,
    folder: FolderOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what each feature adds to a wallet's log-odds; base, contributions and rounding sum to the score."""
    place = place_of(folder)
    found, _ = _explained(place, place.rpc(rpc), mode, wallet)
    rows: list[tuple[str, str, str]] = [("base (the mean borrower)", "", f"{found.base:+.4f}")]
    rows += [(name, str(found.codes[name]), f"{added:+.4f}") for name, added in found.contributions.items()]
    rows += [("rounding", "", f"{found.rounding:+.4f}"), ("log-odds", "", f"{found.log_odds:+.4f}")]
    emit_rows(("part", "code", "log_odds"), rows, as_json=as_json, title=f"Score {found.score} of {wallet}")


def seal(
    out: OutOption,
    borrower: BorrowerOption = None,
    rpc: CreditRpcOption = None,
    keystore: KeystoreOption = None,
    passphrase_file: PassphraseOption = None,
    account: AccountOption = 10,
    folder: FolderOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Seal the signer's features and fresh salt for a borrower, who may be another account, and consent to it."""
    from vaultkit.address import parse_address
    from vaultkit.credit.request import seal_wallet

    place = place_of(folder)
    endpoint, owner = place.rpc(rpc), signer_of(keystore, passphrase_file, account)
    model, history = place.model("private"), history_of(place, endpoint)
    book = place.client(endpoint, "private").book
    request = seal_wallet(owner, history, model, book, parse_address(borrower or owner.address, where="borrower"))
    request.save(out)
    said = request.statement
    emit(
        {"borrower": said.borrower, "block": request.block, "commitment": said.commitment, "file": str(out)},
        as_json=as_json,
        title="Sealed: show it to the attester and to nobody else",
    )


def attest(
    request: RequestArgument,
    out: OutOption,
    rpc: CreditRpcOption = None,
    keystore: KeystoreOption = None,
    passphrase_file: PassphraseOption = None,
    account: AccountOption = 3,
    folder: FolderOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Sign a sealed request, as the attester, after computing its features again from an index verified here."""
    from vaultkit.credit.request import SealedRequest

    place = place_of(folder)
    endpoint, asked = place.rpc(rpc), SealedRequest.load(request)
    client = place.client(endpoint, "private")
    attester = place.attester(signer_of(keystore, passphrase_file, account), history_of(place, endpoint))
    signed = attester.attest_for(client, asked)
    signed.save(out)
    emit(
        {
            "attester": signed.attester,
            "borrower": signed.statement.borrower,
            "commitment": signed.statement.commitment,
            "as_of": signed.statement.as_of,
            "deadline": signed.deadline,
            "file": str(out),
        },
        as_json=as_json,
        title="Attested",
    )


def prove(
    out: OutOption,
    request: Annotated[
        Path | None, typer.Option("--request", help="Sealed request; private mode. It does not leave this machine.")
    ] = None,
    borrower: BorrowerOption = None,
    mode: ModeOption = ModeName.private,
    rpc: CreditRpcOption = None,
    keystore: KeystoreOption = None,
    passphrase_file: PassphraseOption = None,
    account: AccountOption = 5,
    folder: FolderOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Prove a score on this machine: of a sealed request, or of the snapshot that a public line takes of a borrower."""
    from vaultkit.circuits.private_proof import prove_private
    from vaultkit.circuits.public_score import PublicProof, prove_public
    from vaultkit.circuits.sealed import PrivateProof
    from vaultkit.credit.proof_file import ProofFile
    from vaultkit.credit.request import SealedRequest
    from vaultkit.errors import SettingsError

    place = place_of(folder)
    model = place.model(mode.value)
    made: PrivateProof | PublicProof
    if mode is ModeName.private:
        if request is None:
            raise SettingsError("a private proof is of a sealed request", next_step="Give --request FILE")
        asked = SealedRequest.load(request)
        model_id = asked.statement.model_id
        with stderr.status("Proving"):
            made = prove_private(model.circuit_folder, asked.sealed)
    else:
        signer = signer_of(keystore, passphrase_file, account)
        client = place.client(place.rpc(rpc), "public")
        model_id, whose = client.book.model_id, borrower or signer.address
        client.take_snapshot(signer, whose)
        with stderr.status("Proving"):
            made = prove_public(model.circuit_folder, client.snapshot(whose)[1], whose)
    written = ProofFile.of(made, model_id)
    written.save(out)
    emit(
        {
            "borrower": made.borrower,
            "score": made.score,
            "seconds": written.seconds,
            "proof_bytes": len(made.proof),
            "file": str(out),
        },
        as_json=as_json,
        title="Proven",
    )


def _explained(place: CreditPlace, rpc: Rpc, mode: ModeName, wallet: str) -> tuple[Explanation, dict[str, Any]]:
    from vaultkit.address import parse_address

    address, model = parse_address(wallet, where="wallet"), place.model(mode.value)
    if mode is ModeName.public:
        return model.explain(place.client(rpc, "public").features(address)), {"of": "what the line counted, as of now"}
    history = history_of(place, rpc)
    block = history.last_block
    return model.explain(history.codes(address, block, model.features)), {"block": block}


def _tier(place: CreditPlace, rpc: Rpc, mode: ModeName, score: int) -> dict[str, Any]:
    """Return the terms that the line gives for a score."""
    tiers = place.client(rpc, mode.value).status().tiers
    opened = next((number for number, tier in enumerate(tiers) if score <= tier.max_score), None)
    if opened is None:
        return {"tier": "none: nothing is lent"}
    tier = tiers[opened]
    terms = {"ltv_bps": tier.ltv_bps, "threshold_bps": tier.threshold_bps, "rate_bps": tier.rate_bps}
    return {"tier": opened, **terms}
