from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from vaultkit import manifest_file
from vaultkit.book import AddressBook, PoolBook
from vaultkit.chain.devnet import Devnet, free_port
from vaultkit.cli import main
from vaultkit.coprocessor import checked
from vaultkit.coprocessor.check import verify_store
from vaultkit.coprocessor.index import Checkpoint, index_pool
from vaultkit.coprocessor.store import scan
from vaultkit.errors import AnchorTooWeak, ManifestMismatch, RangeMissing, StoreError
from vaultkit.manifest import DatasetManifest, sha256_of


@pytest.fixture
def store(tmp_path: Path, chain: Devnet, pool: PoolBook) -> Path:
    index_pool(chain.rpc, pool, tmp_path / "local", last=80, chunk_blocks=30)
    return tmp_path / "local"


@pytest.fixture
def book(tmp_path: Path, pool: PoolBook) -> Path:
    AddressBook(chain_id=31337, pool=pool).save(tmp_path / "book.json")
    return tmp_path / "book.json"


def run_cli(*words: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(words))
    return int(caught.value.code or 0)


def test_a_reader_can_require_a_stronger_anchor(store: Path, chain: Devnet, pool: PoolBook) -> None:
    for anchor in ("quorum", "checkpoint"):
        with pytest.raises(AnchorTooWeak, match="single"):
            scan(store, "blocks", anchor=anchor)
    trusted = Checkpoint(80, chain.rpc.call("eth_getBlockByNumber", [hex(80), False])["hash"])
    index_pool(chain.rpc, pool, store, anchor="checkpoint", checkpoint=trusted)
    assert len(scan(store, "blocks", anchor="checkpoint").collect()) == 80 - pool.from_block + 1


def test_a_range_that_is_not_held_is_refused(store: Path, pool: PoolBook) -> None:
    assert scan(store, "blocks", first=20, last=70).collect()["block_number"].to_list() == list(range(20, 71))
    for span in ({"first": pool.from_block - 1}, {"last": 81}):
        with pytest.raises(RangeMissing):
            scan(store, "blocks", **span)


def test_a_table_with_a_gap_is_not_read(store: Path) -> None:
    held = DatasetManifest.load(store)
    parts = {file.first_block: name for name, file in held.files.items() if file.table == "uniswap_v3_swaps"}
    middle = parts[sorted(parts)[1]]
    held.model_copy(update={"files": {name: file for name, file in held.files.items() if name != middle}}).save(store)
    assert scan(store, "blocks").collect().height == held.last_block - held.first_block + 1
    with pytest.raises(RangeMissing, match="gap"):
        scan(store, "uniswap_v3_swaps")


def test_a_changed_missing_or_linked_file_is_refused(store: Path) -> None:
    path = sorted(store.glob("uniswap_v3_swaps/*"))[0]
    content = path.read_bytes()
    for change in (lambda: path.write_bytes(content[:-1] + b"?"), path.unlink, lambda: path.symlink_to("/dev/null")):
        change()
        with pytest.raises(ManifestMismatch):
            scan(store, "blocks")


def test_an_unknown_table_an_absent_and_an_empty_folder_are_refused(store: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such table"):
        scan(store, "transfers")
    with pytest.raises(StoreError, match="no such folder"):
        scan(tmp_path / "nothing", "blocks")
    with pytest.raises(StoreError, match="no manifest"):
        scan(tmp_path, "blocks")


def test_index_reports_what_it_verified(
    chain: Devnet, book: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "other"
    words = ["index", "--rpc", chain.url, "--book", str(book), "--store", str(target), "--last", "90", "--json"]
    assert run_cli(*words) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["headers_verified"] == answer["receipts_verified_blocks"] + answer["proven_empty_blocks"]
    assert answer["swaps"] > 30
    assert run_cli("data", "show", "--store", str(target), "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["last_block"], shown["anchor"]) == (90, "single")
    assert run_cli("data", "files", "--store", str(target), "--json") == 0
    assert {row["table"] for row in json.loads(capsys.readouterr().out)} == {"blocks", "uniswap_v3_swaps"}


def test_a_wrong_endpoint_is_exit_code_4(book: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://user:pa55@127.0.0.1:{free_port()}/key"
    assert run_cli("index", "--rpc", url, "--book", str(book), "--store", str(tmp_path / "x")) == 4
    said = capsys.readouterr().err
    assert "RpcUnavailable" in said
    assert "pa55" not in said


def test_a_wrong_chain_is_exit_code_4(
    chain: Devnet, pool: PoolBook, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    AddressBook(chain_id=1, pool=pool).save(tmp_path / "mainnet.json")
    words = ["index", "--rpc", chain.url, "--book", str(tmp_path / "mainnet.json"), "--store", str(tmp_path / "x")]
    assert run_cli(*words) == 4
    assert "WrongChain" in capsys.readouterr().err


@pytest.mark.parametrize("checkpoint", ["80", "x:0x12", "80:0x12", f"80:0x{'zz' * 32}"])
def test_a_checkpoint_that_is_none_is_exit_code_2(chain: Devnet, book: Path, tmp_path: Path, checkpoint: str) -> None:
    words = ["--rpc", chain.url, "--book", str(book), "--store", str(tmp_path / "x"), "--checkpoint", checkpoint]
    assert run_cli("index", *words) == 2


def test_a_missing_book_is_exit_code_2(chain: Devnet, tmp_path: Path) -> None:
    assert run_cli("index", "--rpc", chain.url, "--book", str(tmp_path / "none.json")) == 2


def test_a_changed_store_is_exit_code_6(store: Path) -> None:
    path = sorted(store.glob("blocks/*"))[0]
    path.write_bytes(path.read_bytes() + b"x")
    assert run_cli("data", "show", "--store", str(store)) == 6


def test_indexing_without_a_market_or_an_endpoint_says_what_to_do(
    book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "package.json").write_text("{}")
    monkeypatch.setenv("VAULTKIT_HOME", str(tmp_path))
    monkeypatch.delenv("VAULTKIT_RPC", raising=False)
    assert run_cli("index", "--book", str(book)) == 2
    assert "market run" in capsys.readouterr().err


def test_dry_says_what_would_be_fetched_and_writes_nothing(
    chain: Devnet, book: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["index", "--rpc", chain.url, "--book", str(book), "--store", str(tmp_path / "x"), "--json"]
    assert run_cli(*words, "--blocks", "10:+100", "--dry") == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["blocks"], plan["headers"]) == ("10 to 109", 100)
    assert not (tmp_path / "x").exists()


def test_other_tables_are_indexed_and_verified_from_the_command_line(
    chain: Devnet, book: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = str(tmp_path / "x")
    tables = ["--table", "erc20_transfers", "--table", "receipts"]
    words = ["index", "--rpc", chain.url, "--rpc", chain.url, "--book", str(book), "--store", target, "--json"]
    assert run_cli(*words, *tables, "--blocks", "0:90") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["rows_erc20_transfers"] > 30
    assert run_cli("data", "verify", "--store", target, "--json") == 0
    assert json.loads(capsys.readouterr().out)["rows_erc20_transfers"] == answer["rows_erc20_transfers"]
    assert run_cli(*words, "--table", "erc20_transfer", "--blocks", "0:90") == 2
    assert "erc20_transfers" in capsys.readouterr().out
    assert run_cli(*words, *tables, "--blocks", "90:10") == 2
    assert run_cli(*words, "--table", "logs", "--blocks", "0:95") == 6


def settle(store: Path) -> None:
    """Let a store look as if it had been written a while ago, as far as a program can."""
    for path in store.glob("*/*.parquet"):
        os.utime(path, (1_000_000_000, 1_000_000_000))


def test_a_file_is_hashed_once_while_it_does_not_change(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked, "_SETTLED_SECONDS", -1.0)
    settle(store)
    hashed: list[Path] = []
    monkeypatch.setattr(manifest_file, "sha256_of", lambda path: hashed.append(path) or sha256_of(path))
    rows = scan(store, "uniswap_v3_swaps").collect()
    assert sorted(hashed) == sorted(store.glob("*/*.parquet"))
    assert scan(store, "uniswap_v3_swaps").collect().equals(rows)
    assert len(hashed) == len(list(store.glob("*/*.parquet")))
    verify_store(store)
    assert len(hashed) == 2 * len(list(store.glob("*/*.parquet")))


def test_a_file_changed_under_its_old_size_and_time_is_refused(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked, "_SETTLED_SECONDS", -1.0)
    settle(store)
    scan(store, "blocks")
    path = sorted(store.glob("uniswap_v3_swaps/*"))[0]
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    settle(store)
    with pytest.raises(ManifestMismatch, match="not the one"):
        scan(store, "blocks")


def test_a_file_that_changed_a_moment_ago_is_not_remembered(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked, "_seen", {})
    scan(store, "blocks")
    assert checked._seen == {}
