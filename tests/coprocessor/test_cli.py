"""``index`` and ``collect`` as a person at a terminal uses them, wrong inputs included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.coprocessor.test_store import run_cli
from vaultkit.book import PoolBook
from vaultkit.chain.devnet import Devnet, free_port
from vaultkit.chain.market import Market
from vaultkit.coprocessor.index import Index
from vaultkit.coprocessor.store import scan
from vaultkit.coprocessor.tables import SCHEMAS
from vaultkit.manifest import DatasetManifest


@pytest.fixture
def ask(chain: Devnet, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a verb on the chain without an address book; return its exit code and what it says in JSON."""
    monkeypatch.delenv("VAULTKIT_RPC", raising=False)

    def run(*words: str) -> tuple[int, Any]:
        code = run_cli(*words, "--rpc", chain.url, "--json")
        return code, json.loads(capsys.readouterr().out)

    return run


def test_a_table_is_collected_into_a_file_and_onto_the_screen_without_a_book(
    ask: Any, chain: Devnet, pool: PoolBook, tmp_path: Path
) -> None:
    words = ["collect", "--table", "uniswap_v3_swaps", "--address", pool.pool, "--blocks", "10:60"]
    frame = Index(chain.rpc, ["uniswap_v3_swaps"], [pool.pool]).collect("10:60")
    assert ask(*words, "--out", str(tmp_path / "swaps.parquet")) == (
        0,
        {"file": str(tmp_path / "swaps.parquet"), "rows": frame.height, "columns": frame.width},
    )
    assert pl.read_parquet(tmp_path / "swaps.parquet").equals(frame)
    assert ask(*words, "--out", str(tmp_path / "swaps.csv"))[0] == 0
    assert pl.read_csv(tmp_path / "swaps.csv")["sender"].to_list() == [f"0x{who.hex()}" for who in frame["sender"]]
    code, rows = ask(*words, "--column", "tick", "--column", "pool")
    assert (code, rows["error"]) == (2, "UsageError")
    code, rows = ask(*words, "--column", "block_number", "--column", "tick")
    assert rows == frame.select("block_number", "tick").rows(named=True)


def test_a_file_is_not_written_over_and_has_a_known_kind(ask: Any, pool: PoolBook, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("mine")
    for name in ("a.csv", "a.xlsx"):
        code, said = ask("collect", "--table", "logs", "--blocks", "1:2", "--out", str(tmp_path / name))
        assert (code, said["error"]) == (2, "SettingsError")
    assert (tmp_path / "a.csv").read_text() == "mine"
    code, said = ask("collect", "--table", "logs", "--blocks", "1:2", "--out", str(tmp_path / "none" / "a.csv"))
    assert (code, said["error"]) == (6, "StoreError")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--table", "log", "--blocks", "1:2"], 2, "logs"),
        (["--table", "logs", "--blocks", "9:1"], 2, "reversed"),
        (["--table", "logs", "--blocks", "5:+0"], 2, "reversed"),
        (["--table", "logs", "--blocks", "soon"], 2, "no range"),
        (["--table", "logs", "--blocks", "1:99M"], 6, "reach"),
        (["--table", "logs", "--address", "0x12", "--blocks", "1:2"], 2, "20 bytes"),
        (["--table", "logs", "--table", "receipts", "--blocks", "1:2"], 2, "several tables"),
        (["--table", "slots", "--address", "0x" + "11" * 20, "--blocks", "1:2"], 2, "slots"),
        (["--table", "slots", "--address", "0x" + "11" * 20, "--slot", "zero", "--blocks", "1:2"], 2, "slot"),
        (["--table", "logs", "--chain-id", "1", "--blocks", "1:2"], 4, "another chain"),
    ],
)
def test_what_cannot_be_collected_is_one_sentence_and_an_exit_code(
    ask: Any, words: list[str], code: int, said: str
) -> None:
    found, answer = ask("collect", *words)
    assert found == code
    assert said in answer["message"]


def test_slots_are_indexed_from_the_command_line_and_shown(
    ask: Any, chain: Devnet, market: Market, pool: PoolBook, tmp_path: Path
) -> None:
    first = chain.block_number() + 1
    for _ in range(4):
        market.step()
    store = ["--store", str(tmp_path / "local")]
    words = ["index", *store, "--table", "slots", "--address", pool.pool, "--slot", "0", "--slot", "0x4"]
    code, answer = ask(*words, "--blocks", f"{first}:+4", "--every", "2")
    assert (code, answer["rows_slots"]) == (0, 4)
    frame = scan(tmp_path / "local", "slots").collect()
    assert set(frame["slot"]) == {bytes(32), bytes(31) + b"\x04"}
    code, answer = ask(*words, "--blocks", f"{first}:+4", "--every", "2", "--dry")
    assert answer["blocks"] == "none is missing"
    assert run_cli("data", "verify", *store) == 0
    assert run_cli("data", "show", *store) == 0


def test_a_dry_run_changes_nothing_in_a_damaged_store(ask: Any, pool: PoolBook, tmp_path: Path) -> None:
    words = ["index", "--store", str(tmp_path / "local"), "--table", "logs", "--address", pool.pool]
    assert ask(*words, "--blocks", "5:40")[0] == 0
    path = next((tmp_path / "local" / "logs").iterdir())
    path.write_bytes(b"torn")
    before = {path: path.read_bytes() for path in (tmp_path / "local").rglob("*") if path.is_file()}
    code, plan = ask(*words, "--blocks", "5:60", "--dry")
    assert (code, plan["headers"]) == (0, 20)
    assert {path: path.read_bytes() for path in (tmp_path / "local").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("proven", [True, False])
def test_a_store_says_which_columns_of_which_table_are_proven(
    chain: Devnet, pool: PoolBook, tmp_path: Path, capsys: pytest.CaptureFixture[str], proven: bool
) -> None:
    store = tmp_path / "local"
    index = Index(chain.rpc, ["uniswap_v3_swaps", "receipts"], [pool.pool], transaction_hashes=proven)
    manifest = index.index(store, "10:60")
    missing = {table: set(SCHEMAS[table]) - set(names) for table, names in manifest.proven.items()}
    word = set() if proven else {"transaction_hash"}
    assert missing == {"blocks": set(), "uniswap_v3_swaps": word, "receipts": word}
    assert DatasetManifest.load(store) == manifest
    assert run_cli("data", "show", "--store", str(store), "--json") == 0
    expected = "none" if proven else "uniswap_v3_swaps.transaction_hash, receipts.transaction_hash"
    assert json.loads(capsys.readouterr().out)["columns_not_proven"] == expected
    grown = Index(chain.rpc, ["uniswap_v3_swaps", "receipts"], [pool.pool]).index(store, "10:80")
    assert grown.proven == manifest.proven


@pytest.mark.parametrize("verb", ["index", "collect"])
def test_a_dead_endpoint_does_not_hide_a_mistyped_table(
    verb: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    place = ["--store", str(tmp_path / "local")] if verb == "index" else []
    words = [verb, "--table", "uniswap_v3_swap", "--blocks", "1:2", "--rpc", f"http://127.0.0.1:{free_port()}", *place]
    assert run_cli(*words, "--json") == 2
    said = json.loads(capsys.readouterr().out)
    assert said["error"] == "UsageError"
    assert "uniswap_v3_swaps" in said["message"]
