"""What an operator does wrong is said in one sentence, before anything is signed."""

from __future__ import annotations

import io
import socket
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.keeper import KeeperBench, ScriptedProver
from vaultkit.cli import keeper_settings
from vaultkit.cli.keeper_settings import ask_passphrase, settings_of
from vaultkit.errors import ProverFailed, SettingsError
from vaultkit.keeper.config import AccountTable, ChainTable, KeeperConfig, OperationTable, PrivateTable, VaultTable
from vaultkit.keeper.doctor import examine
from vaultkit.keeper.fleet import Fleet
from vaultkit.keeper.journal import Journal
from vaultkit.keeper.process import books_of, journal_name, make_folder
from vaultkit.protocols import Proof, ProofJob


class CrashingProver(ScriptedProver):
    def prove(self, job: ProofJob) -> Proof:
        raise ProverFailed("the worker died")


def config_of(bench: KeeperBench, folder: Path, vaults: int = 1, **tables: Any) -> KeeperConfig:
    bench.book.save(folder / "book.json")
    return KeeperConfig(
        chain=ChainTable(rpcs=(bench.setup.devnet.url,)),
        account=AccountTable(ape="unused", passphrase_file=tables.pop("passphrase_file", None)),
        vault=(VaultTable(book=folder / "book.json", store=tables.pop("store", None)),) * vaults,
        **tables,
    )


@pytest.mark.parametrize("good", [True, False])
def test_once_ends_after_the_epoch_at_hand_whether_it_was_accepted_or_missed(bench: KeeperBench, good: bool) -> None:
    keeper = bench.keeper(ScriptedProver if good else CrashingProver)
    keeper.turn()
    bench.close_epoch()
    done = threading.Event()

    def mine() -> None:
        while not done.wait(0.05):
            bench.mine(1, 12)

    miner = threading.Thread(target=mine)
    miner.start()
    try:
        Fleet([keeper]).run(1, threading.Event(), accepted=False)
    finally:
        done.set()
        miner.join()
    assert (keeper.state.accepted, keeper.state.missed) == (int(good), int(not good))
    shown = keeper.monitor.shown()
    assert (shown["accepted"], shown["missed"], shown["stage"]) == (int(good), int(not good), "waiting")


def test_a_vault_that_stands_twice_and_a_folder_that_cannot_be_written_are_refused(
    bench: KeeperBench, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="kept twice"):
        books_of(config_of(bench, tmp_path, vaults=2))
    blocked = OperationTable(folder=tmp_path / "book.json" / "keeper")
    with pytest.raises(SettingsError, match="cannot be written to: got Not a directory"):
        make_folder(config_of(bench, tmp_path, operation=blocked))


def test_a_doctor_names_a_dead_relay_an_open_passphrase_a_taken_port_and_a_broken_store(
    bench: KeeperBench, tmp_path: Path
) -> None:
    (tmp_path / "pass").write_text("secret\n")
    (tmp_path / "pass").chmod(0o644)
    (tmp_path / "store").mkdir()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = config_of(
            bench,
            tmp_path,
            passphrase_file=tmp_path / "pass",
            store=tmp_path / "store",
            private=PrivateTable(endpoints=("http://127.0.0.1:9/key", bench.setup.devnet.url)),
            operation=OperationTable(folder=tmp_path / "keeper", port=taken.getsockname()[1]),
        )
        found = {name: (ok, said) for name, ok, said in examine(config, lambda: bench.signer.address)}
    bad = {"private endpoint 1", "passphrase file", "port", "store 1", "artefact 1", "window 1"}
    assert {name for name, (ok, _) in found.items() if not ok} == bad
    assert "chmod 600 pass" in found["passphrase file"][1]
    assert not list((tmp_path / "keeper").glob("*.sqlite"))


def test_options_beside_a_file_and_a_passphrase_without_a_terminal_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match="got --rpc, --metrics-port"):
        settings_of(tmp_path / "keeper.toml", "http://h:1", None, None, None, None, None, 1)
    monkeypatch.delenv(keeper_settings.PASSPHRASE_VARIABLE, raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(SettingsError, match="no terminal to ask"):
        ask_passphrase(None)


@pytest.mark.parametrize(
    ("rpc", "beneficiary", "port", "said"),
    [
        ("ftp://u:canary@h", None, None, "chain.rpcs.0: not a URL like http://host:8545"),
        ("http://h:1", "canary", None, "vault.0.beneficiary: not an address"),
        ("http://h:1", None, 99_999, "operation.port: input should be less than or equal to 65535"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_in_a_sentence_that_does_not_repeat_it(
    bench: KeeperBench, tmp_path: Path, rpc: str, beneficiary: str | None, port: int | None, said: str
) -> None:
    bench.book.save(tmp_path / "book.json")
    with pytest.raises(SettingsError, match="the command's options") as refused:
        settings_of(None, rpc, tmp_path / "k.json", tmp_path / "book.json", None, None, beneficiary, port)
    assert said in str(refused.value) and "canary" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_a_doctor_names_a_journal_that_the_keeper_would_refuse(bench: KeeperBench, tmp_path: Path) -> None:
    config = config_of(bench, tmp_path, operation=OperationTable(folder=tmp_path))
    path = tmp_path / journal_name(bench.book, bench.binding.anchor)
    Journal(path, bench.binding).close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE binding SET value = '2' WHERE name = 'format'")
    found = {name: (ok, said) for name, ok, said in examine(config, lambda: bench.signer.address)}
    assert not found["journal 1"][0] and "another format: got 2" in found["journal 1"][1]
