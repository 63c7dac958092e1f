"""The whole path on real parts: market, deployment through Ape, keeper process with real proofs, audit.

Every verb is a process of its own, as a user runs it. The market mines slowly only while an epoch is open and not yet
kept, so that the test takes chain hours in seconds and still leaves a prover the time it has in real life.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from vaultkit.book import AddressBook
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.market import Market
from vaultkit.chain.market_cache import open_market
from vaultkit.errors import Reverted
from vaultkit.statement import instances

ROOT = Path(__file__).parents[2]
PASSPHRASE = "canary-of-the-keystore"
EPOCHS = 2
SLOW_SECONDS, QUICK_SECONDS = 0.3, 0.01


class Clock:
    """Mines the market's blocks in a thread: quickly, but slowly while an epoch waits for its proof."""

    def __init__(self, market: Market, book_path: Path) -> None:
        self._market, self._book_path = market, book_path
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.error: Exception | None = None

    def _pause(self) -> float:
        vault = AddressBook.load(self._book_path).vault
        if vault is None:
            return 0.05
        contract = Contract(self._market.devnet.rpc, vault.vault, load_abi("InferenceVault"))
        epoch, period = contract.call("latestClosedEpoch"), contract.call("period")
        age = self._market.devnet.timestamp() - epoch * period
        open_now = age < contract.call("maxAge") and contract.call("lastEpoch") < epoch
        return SLOW_SECONDS if open_now else QUICK_SECONDS

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._pause()):
                self._market.step()
        except Exception as error:  # reported by the test that waits on this clock
            self.error = error

    def __enter__(self) -> Clock:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@dataclass
class Place:
    """Where the path is walked."""

    folder: Path
    artefact: Path
    market: Market

    @property
    def book_path(self) -> Path:
        return self.folder / "devnet" / "book.json"

    @property
    def book(self) -> AddressBook:
        return AddressBook.load(self.book_path)

    def words(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "vaultkit.cli", *words, "--rpc", self.market.devnet.url]

    def run(self, *words: str, rpc: bool = True) -> subprocess.CompletedProcess[str]:
        command = self.words(*words) if rpc else self.words(*words)[:-2]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)

    def keeper_words(self, journal: str = "keeper.sqlite", artefact: Path | None = None) -> list[str]:
        return [
            "keeper", "run", "--book", str(self.book_path), "--artefact", str(artefact or self.artefact),
            "--keystore", str(self.folder / "keeper.json"), "--passphrase-file", str(self.folder / "pass"),
            "--journal", str(self.folder / "journal" / journal), "--json",
        ]  # fmt: skip

    @contextmanager
    def keeper(self, *more: str, journal: str = "keeper.sqlite") -> Iterator[subprocess.Popen[str]]:
        log = (self.folder / "keeper.stderr").open("a")
        process = subprocess.Popen(
            self.words(*self.keeper_words(journal), *more), cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
            log.close()


def answer(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


@pytest.fixture(scope="module")
def place(market_folder: Path, circuit: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("path")
    shutil.copytree(market_folder, folder / "devnet")
    (folder / "pass").write_text(PASSPHRASE + "\n")
    (folder / "pass").chmod(0o600)
    with open_market(folder / "devnet") as market, Clock(market, folder / "devnet" / "book.json") as clock:
        place = Place(folder, circuit.folder, market)
        answer(place.run("deploy", str(circuit.folder), "--book", str(place.book_path), "--yes", "--json"))
        answer(place.run("deposit", "250000", "--mint", "--yes", "--book", str(place.book_path), "--json"))
        made = place.run(
            "keeper", "init-key", "--keystore", str(folder / "keeper.json"), "--passphrase-file", str(folder / "pass"),
            "--fund-rpc", market.devnet.url, "--json", rpc=False,
        )  # fmt: skip
        answer(made)
        yield place
        assert clock.error is None


@pytest.fixture(scope="module")
def kept(place: Place) -> list[dict[str, Any]]:
    """What a keeper process printed while it kept its epochs."""
    with place.keeper("--epochs", str(EPOCHS)) as process:
        assert process.stdout is not None
        rows = [json.loads(line) for line in process.stdout]
        code = process.wait(60)
    assert code == 0, (rows, (place.folder / "keeper.stderr").read_text()[-2000:])
    return rows


def accepted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["event"] == "epoch" and row["accepted"]]


def test_a_keeper_process_keeps_its_epochs_with_real_proofs_and_exits(kept: list[dict[str, Any]]) -> None:
    assert kept[0]["event"] == "ready"
    assert kept[-1]["event"] == "stopped"
    assert len(accepted(kept)) == EPOCHS
    for row in accepted(kept):
        assert row["prover"] == "local" and row["proof_seconds"] > 0 and row["gas"] > 300_000


def test_the_audit_shows_every_epoch_to_be_the_models(place: Place, kept: list[dict[str, Any]]) -> None:
    words = ("audit", "--book", str(place.book_path), "--artefact", str(place.artefact), "--json")
    report = answer(place.run(*words))
    assert report["passed"], report["verdict"]
    assert [epoch["epoch"] for epoch in report["epochs"]] == [row["epoch"] for row in accepted(kept)]
    for epoch in report["epochs"]:
        passed = {check["name"] for check in epoch["checks"] if check["passed"]}
        assert {"inputs", "proof", "proof by ezkl", "commitments", "weight", "amounts", "mean price"} <= passed


def test_an_audit_for_people_prints_a_table_and_one_verdict(place: Place, kept: list[dict[str, Any]]) -> None:
    done = place.run("audit", "--book", str(place.book_path))
    assert done.returncode == 0, done.stderr
    assert f"All of {EPOCHS} accepted epochs were the model's" in " ".join(done.stdout.split())
    rows = [line.split() for line in done.stdout.splitlines() if line.split()[:1] == [str(accepted(kept)[0]["epoch"])]]
    assert rows[0][1:4] == ["equal", "verified", "pinned"] and rows[0][-1] == "✓"


def rebalance_of(place: Place, kept: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Return the call, its transaction and the block before it, for the first epoch that was kept."""
    rpc = place.market.devnet.rpc
    transaction = rpc.call("eth_getTransactionByHash", [accepted(kept)[0]["transaction"]])
    assert place.book.vault is not None
    vault = Contract(rpc, place.book.vault.vault, load_abi("InferenceVault"))
    _, call = vault.decode_input(transaction["input"])
    return call, transaction, int(transaction["blockNumber"], 16) - 1


@pytest.mark.parametrize("at", [0, 63, 64, 700, 1500, -33, -1])
def test_one_changed_proof_byte_is_refused_where_the_honest_proof_passes(
    place: Place, kept: list[dict[str, Any]], at: int
) -> None:
    call, transaction, block = rebalance_of(place, kept)
    assert place.book.vault is not None
    vault = Contract(place.market.devnet.rpc, place.book.vault.vault, load_abi("InferenceVault"))
    forged = bytearray(call["proof"])
    forged[at] ^= 1
    rest = (call["epoch"], call["beneficiary"], list(call["outputs"]))
    honest = vault.call("rebalance", *rest, call["proof"], call["hints"], block=block, sender=transaction["from"])
    assert honest in range(4)
    with pytest.raises(Reverted) as refused:
        vault.call("rebalance", *rest, bytes(forged), call["hints"], block=block, sender=transaction["from"])
    assert refused.value.name in ("ProofRefused", "CommitmentsMismatch")


def test_another_beneficiary_or_output_under_the_same_proof_is_refused(
    place: Place, kept: list[dict[str, Any]]
) -> None:
    call, transaction, block = rebalance_of(place, kept)
    assert place.book.vault is not None
    vault = Contract(place.market.devnet.rpc, place.book.vault.vault, load_abi("InferenceVault"))
    thief = "0x" + "12" * 20
    for beneficiary, outputs in ((thief, call["outputs"]), (call["beneficiary"], [call["outputs"][0] + 1])):
        arguments = (call["epoch"], beneficiary, list(outputs), call["proof"], call["hints"])
        with pytest.raises(Reverted) as refused:
            vault.call("rebalance", *arguments, block=block, sender=transaction["from"])
        assert refused.value.name == "ProofRefused"


def test_the_verifier_contract_itself_accepts_the_statement(place: Place, kept: list[dict[str, Any]]) -> None:
    call, _, _ = rebalance_of(place, kept)
    rpc, book = place.market.devnet.rpc, place.book
    assert book.vault is not None
    receipt = rpc.call("eth_getTransactionReceipt", [accepted(kept)[0]["transaction"]])
    vault = Contract(rpc, book.vault.vault, load_abi("InferenceVault"))
    events = [event for event in map(vault.decode_log, receipt["logs"]) if event and event.name == "Rebalanced"]
    public = instances(events[0].args["inputs"], call["beneficiary"], call["outputs"])
    verifier = Contract(rpc, book.vault.verifier, load_abi("IVerifier"))
    assert verifier.call("verifyProof", call["proof"], list(public)) is True


def test_the_status_tells_what_was_kept(place: Place, kept: list[dict[str, Any]]) -> None:
    journal = place.folder / "journal" / "keeper.sqlite"
    words = ("keeper", "status", "--book", str(place.book_path), "--journal", str(journal), "--json")
    status = answer(place.run(*words, rpc=False))
    assert status["accepted"] == EPOCHS and status["halted"] == "no"


def test_the_journal_replays_offline_to_the_same_actions_and_outputs(place: Place, kept: list[dict[str, Any]]) -> None:
    journal = str(place.folder / "journal" / "keeper.sqlite")
    found = answer(place.run("keeper", "replay", journal, "--artefact", str(place.artefact), "--json", rpc=False))
    assert found["decisions"] == found["same"] > 5 * EPOCHS
    costs = answer(place.run("keeper", "economics", journal, "--json", rpc=False))
    assert [row["gas_wei"] > 0 for row in costs["epochs"] if row["accepted"]] == [True] * EPOCHS


def test_a_keeper_runs_from_one_file_that_the_doctor_has_passed(place: Place, kept: list[dict[str, Any]]) -> None:
    config = place.folder / "keeper.toml"
    config.write_text(
        f'[chain]\nrpcs = ["{place.market.devnet.url}"]\n[account]\nkeystore = "keeper.json"\n'
        f'passphrase_file = "pass"\n[[vault]]\nbook = "{place.book_path}"\nartefact = "{place.artefact}"\n'
        '[operation]\nfolder = "state"\nport = 0\n'
    )
    checks = place.run("keeper", "doctor", "--config", str(config), "--json", rpc=False)
    assert checks.returncode == 0, checks.stdout
    assert json.loads(checks.stdout)["passed"]
    words = place.words("keeper", "run", "--config", str(config), "--json")[:-2]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "ready"
        process.terminate()
        assert process.wait(60) == 0
    (status,) = (place.folder / "state").glob("*.status.json")
    assert json.loads(status.read_text())["health"] == "stopped"


def test_sigterm_stops_a_keeper_gracefully_and_a_second_one_is_locked_out(place: Place) -> None:
    with place.keeper(journal="other.sqlite") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "ready"
        second = place.run("keeper", "once", *place.keeper_words("third.sqlite")[2:])
        assert second.returncode == 9 and "KeeperLocked" in second.stdout
        process.terminate()
        assert process.wait(60) == 0


def test_a_changed_artefact_byte_is_refused_at_the_start(place: Place) -> None:
    broken = place.folder / "broken"
    shutil.copytree(place.artefact, broken)
    key = bytearray((broken / "pk.key").read_bytes())
    key[len(key) // 2] ^= 1
    (broken / "pk.key").write_bytes(key)
    done = place.run(*place.keeper_words("broken.sqlite", broken))
    assert done.returncode == 7 and "ArtefactMismatch" in done.stdout


def test_an_artefact_with_other_weights_is_refused_by_the_registrys_pin(place: Place, rotated_circuit: Any) -> None:
    done = place.run(*place.keeper_words("rotated.sqlite", rotated_circuit.folder))
    assert done.returncode == 7 and "weight commitments" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("--rpc", "http://127.0.0.1:9"), 4, "RpcUnavailable"),
        (("--passphrase-file", "absent"), 2, "SettingsError"),
        (("--keystore", "absent"), 2, "SettingsError"),
        (("--book", "absent"), 2, "SettingsError"),
    ],
)
def test_bad_input_is_one_typed_sentence(place: Place, words: tuple[str, ...], code: int, error: str) -> None:
    done = place.run(*place.keeper_words("bad.sqlite"), "--rpc", place.market.devnet.url, *words, rpc=False)
    assert done.returncode == code
    said = json.loads(done.stdout)
    assert said["error"] == error and said["message"].endswith(".")


def test_no_output_of_the_keeper_holds_its_secrets(place: Place, kept: list[dict[str, Any]]) -> None:
    from vaultkit.chain.account import Signer

    key = Signer.from_keystore(place.folder / "keeper.json", PASSPHRASE)._account.key.hex()
    written = [path for path in (place.folder / "journal").iterdir() if path.is_file()]
    written.append(place.folder / "keeper.stderr")
    assert any(path.suffix == ".log" and path.stat().st_size for path in written)
    texts = [path.read_bytes() for path in written] + [json.dumps(kept).encode()]
    for secret in (PASSPHRASE, key, key.removeprefix("0x")):
        assert not any(secret.encode() in text or bytes.fromhex(key.removeprefix("0x")) in text for text in texts)
