"""The whole path by verbs, each a process of its own, as a borrower, an attester and a reader would type them."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vaultkit.chain.account import Signer

WALLETS = [Signer.devnet(10 + number).address for number in range(4)]
BORROWER, COUNTED = Signer.devnet(5).address, Signer.devnet(6).address
SHORT = "--days 48 --borrowers 36 --horizon-days 10 --every-days 2 --first-day 8 --hidden 8"
COMMAND = [sys.executable, "-m", "vaultkit.cli", "credit"]


def verb(folder: Path, words: str, *, code: int = 0) -> Any:
    command = [*COMMAND, *words.split(), "--folder", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("words", [f"score {BORROWER}", "status", "seal --out request.json"])
def test_without_a_chain_a_verb_says_what_to_run(tmp_path: Path, words: str) -> None:
    said = verb(tmp_path, words, code=2)
    assert said["error"] == "SettingsError" and "vaultkit credit run" in said["message"]


def test_a_private_proof_wants_a_request_and_a_model(tmp_path: Path) -> None:
    said = verb(tmp_path, "prove --out proof.json", code=7)
    assert "vaultkit credit train" in said["message"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A trained folder whose chain runs."""
    place = tmp_path_factory.mktemp("cli") / "credit"
    rows = verb(place, f"train {SHORT}")
    assert [(row["mode"], row["features"]) for row in rows] == [("private", 26), ("public", 18)]
    assert all(300_000 < row["verify_gas"] < 700_000 for row in rows)
    with subprocess.Popen([*COMMAND, "run", "--folder", str(place)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "ready"
        yield place
        process.terminate()
        assert process.wait(60) == 0
    assert not (place / "running.json").exists()


@pytest.mark.slow
def test_a_wallet_is_scored_explained_sealed_attested_proven_and_lent_to(folder: Path, tmp_path: Path) -> None:
    scored = {}
    for number, wallet in enumerate(WALLETS):
        done = subprocess.run(
            [*COMMAND, "score", wallet, "--folder", str(folder), "--json"], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            scored[10 + number] = json.loads(done.stdout)
    account, best = min(scored.items(), key=lambda pair: pair[1]["score"])
    assert best["tier"] != "none: nothing is lent"
    parts = verb(folder, f"explain {best['wallet']}")
    total = sum(float(part["log_odds"]) for part in parts[:-1])
    assert total == pytest.approx(float(parts[-1]["log_odds"]), abs=0.002)
    assert float(parts[-1]["log_odds"]) == pytest.approx(best["log_odds"], abs=1e-4)

    request, attestation, proof = (tmp_path / f"{name}.json" for name in ("request", "attestation", "proof"))
    verb(folder, f"seal --account {account} --borrower {BORROWER} --out {request}")
    assert stat.S_IMODE(request.stat().st_mode) == 0o600
    verb(folder, f"attest {request} --out {attestation}")
    made = verb(folder, f"prove --request {request} --out {proof}")
    assert made["score"] == best["score"]
    for public in (attestation, proof):
        assert best["wallet"].lower() not in public.read_text().lower()
        assert str(json.loads(request.read_text())["salt"][0]) not in public.read_text().split('"')
    opening = f"open --proof {proof} --collateral 10 --borrow 1000"
    assert "attester's signature" in verb(folder, f"{opening} --yes", code=2)["message"]
    opening += f" --attestation {attestation}"
    would = verb(folder, opening)
    assert would["sent"] is False and len(would["would"]) == 3
    assert verb(folder, f"status {BORROWER}")["collateral"] == "0.000000000000000000"
    lent = verb(folder, f"{opening} --yes")
    assert lent["can_borrow"] and float(lent["debt"]) == pytest.approx(1_000, abs=0.01)
    assert 500_000 < lent["gas_score"] < 900_000
    assert verb(folder, f"{opening} --yes", code=8)["message"].startswith("the contract refused with ScoreNotFresher")


@pytest.mark.slow
def test_a_public_line_scores_what_it_counted(folder: Path, tmp_path: Path) -> None:
    proof = tmp_path / "public.json"
    verb(folder, "open --mode public --account 6 --collateral 5 --yes")
    before = verb(folder, f"score {COUNTED} --mode public")
    made = verb(folder, f"prove --mode public --account 6 --out {proof}")
    assert made["score"] == before["score"]
    shown = json.loads(proof.read_text())
    assert len(shown["features"]) == 18 and shown["commitment"] is None
    opened = verb(folder, f"open --mode public --account 6 --proof {proof} --yes")
    assert opened["score"] == made["score"]
    told = verb(folder, f"prove --mode public --account 6 --out {proof}", code=8)
    assert "SnapshotTooSoon" in told["message"]
