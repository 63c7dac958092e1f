"""What a proven score costs in both modes: circuit, proof on the borrower's machine, attestation, gas of each call."""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from vaultkit.chain.account import Signer
from vaultkit.chain.borrowers import WETH
from vaultkit.chain.lending_cache import LendingSettings, build_lending, open_lending
from vaultkit.circuits.private_proof import prove_private
from vaultkit.circuits.public_score import prove_public
from vaultkit.credit.accept import accept_score
from vaultkit.credit.lines import bring_line, endow
from vaultkit.credit.model import CreditModel, train_model
from vaultkit.credit.place import ATTESTER_ACCOUNT, CreditPlace
from vaultkit.credit.proof_file import ProofFile
from vaultkit.credit.request import seal_wallet
from vaultkit.models.credit.catalogue import CATALOGUE, LINE_FEATURES
from vaultkit.models.credit.encode import encoded
from vaultkit.vault.line_client import LineClient

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "credit_line.md"
HORIZON_DAYS, PROOFS = 30, 5
COLLATERAL, BORROWED = 10 * 10**18, 1_000 * 10**6

Row = dict[str, str]


def main() -> None:
    """Train both models on a year of the local Aave, open both lines, and write the table."""
    place = CreditPlace(ROOT / "build" / "credit")
    place.folder.mkdir(parents=True, exist_ok=True)
    build_lending(place.aave, LendingSettings())
    with open_lending(place.aave) as (devnet, manifest):
        devnet.set_automine(True)
        history = place.history(devnet.rpc)
        frame = history.panel(first_day=45, every_days=15, horizon_days=HORIZON_DAYS)
        rows: dict[str, Row] = {}
        for mode, features in (("private", CATALOGUE), ("public", LINE_FEATURES)):
            model = train_model(
                frame, place.folder / "models" / mode, mode=mode, horizon_days=HORIZON_DAYS, features=features,
                srs_dir=place.srs, on_chain=True,
            )  # fmt: skip
            attester = Signer.devnet(ATTESTER_ACCOUNT)
            book = bring_line(devnet, manifest, model, attester=attester.address if mode == "private" else None)
            place.write_down(book)
            client, borrower = LineClient(devnet.rpc, book), Signer.devnet(5)
            endow(devnet, manifest, borrower, WETH)
            deposit = gas(client.add_collateral(borrower, COLLATERAL))
            devnet.mine(devnet.timestamp() + 3_600)
            own = (
                private(place, client, model, history, borrower)
                if mode == "private"
                else public(client, model, borrower)
            )
            rows[mode] = {
                **circuit(model),
                **own,
                "gas: post collateral": f"{deposit:,}",
                "gas: borrow": f"{gas(client.borrow(borrower, BORROWED)):,}",
            }
    write(rows)


def circuit(model: CreditModel) -> Row:
    """Return what a model's circuit weighs, and how its score did on later borrowers."""
    made, held = model.circuit, model.manifest
    return {
        "features": str(len(held.features)),
        "AUC on later moments": "none was liquidated" if held.auc is None else f"{held.auc:.3f}",
        "rows, logrows": f"{made.rows:,}, {made.logrows}",
        "proving key": f"{made.pk_bytes / 1e6:.1f} MB",
        "verifier": f"{made.verifier_bytes:,} bytes",
        "proof": f"{made.proof_bytes:,} bytes",
        "gas: verification alone": f"{made.verify_gas:,}",
    }


def private(place: CreditPlace, client: LineClient, model: CreditModel, history: Any, borrower: Signer) -> Row:
    """Seal the best wallet's features for a fresh account, have them attested, prove and have the score accepted."""
    scored = model.scores(encoded(history.features(history.last_block), model.features))
    best = f"0x{history.features(history.last_block)['wallet'][int(scored.argmin())].hex()}"
    people = (Signer.devnet(10 + number) for number in range(place.manifest().settings.borrowers))
    owner = next(one for one in people if one.address.lower() == best)
    history = place.history(client.rpc)
    begun = time.perf_counter()
    request = seal_wallet(owner, history, model, client.book, borrower.address)
    sealed = time.perf_counter()
    attestation = place.attester(Signer.devnet(ATTESTER_ACCOUNT), history).attest_for(client, request)
    attested = time.perf_counter()
    proofs = [prove_private(model.circuit_folder, request.sealed) for _ in range(PROOFS)]
    receipt = accept_score(client, borrower, ProofFile.of(proofs[0], client.book.model_id), attestation)
    return {
        "seal, here": f"{sealed - begun:.2f} s",
        "attest, features computed again": f"{attested - sealed:.2f} s",
        "prove, here": spread([one.seconds for one in proofs]),
        "gas: snapshot": "none",
        "gas: accept the score": f"{gas(receipt):,}",
    }


def public(client: LineClient, model: CreditModel, borrower: Signer) -> Row:
    """Have the line write its counters down, prove the score of them and have it accepted."""
    snapshot = gas(client.take_snapshot(borrower, borrower.address))
    codes = client.snapshot(borrower.address)[1]
    proofs = [prove_public(model.circuit_folder, codes, borrower.address) for _ in range(PROOFS)]
    receipt = accept_score(client, borrower, ProofFile.of(proofs[0], client.book.model_id))
    return {
        "seal, here": "none",
        "attest, features computed again": "none",
        "prove, here": spread([one.seconds for one in proofs]),
        "gas: snapshot": f"{snapshot:,}",
        "gas: accept the score": f"{gas(receipt):,}",
    }


def spread(seconds: list[float]) -> str:
    """Return a median and the range."""
    return f"{statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f}, {len(seconds)} proofs)"


def gas(receipt: dict[str, Any]) -> int:
    """Return what a transaction used."""
    return int(receipt["gasUsed"], 16)


def write(rows: dict[str, Row]) -> None:
    """Write the table and print it."""
    lines = [
        "# Credit lines",
        "",
        "Written by `benchmarks/bench_credit_line.py`: one score of each mode, on the local Aave's year of simulated",
        "borrowers. Proofs are made on this machine, with an unsafe local reference string; features and salt of a",
        "private one leave it in nothing.",
        "",
        "| | private: attested, hidden | public: counted by the line |",
        "|---|---|---|",
        *(f"| {name} | {rows['private'][name]} | {rows['public'][name]} |" for name in rows["private"]),
    ]
    RESULT.write_text("\n".join(lines) + "\n")
    print(RESULT.read_text())


if __name__ == "__main__":
    main()
