"""The configuration file: the template works as it is, and what is wrong is named."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from vaultkit.cli import main
from vaultkit.errors import SettingsError
from vaultkit.keeper.config import KeeperConfig, load_config
from vaultkit.keeper.redact import HIDDEN, Redactor
from vaultkit.keeper.template import TEMPLATE

GOOD = '[chain]\nrpcs = ["http://h:1/key"]\n[account]\nkeystore = "k.json"\n[[vault]]\nbook = "b.json"\n'


CHECKSUMMED = "0x262aF152338dC2C81432CFABdb50D4037a86b854"


def test_addresses_are_taken_with_a_right_checksum_or_without_one(tmp_path: Path) -> None:
    for address in (CHECKSUMMED, CHECKSUMMED.lower()):
        config = load_config(written(tmp_path, GOOD + f'beneficiary = "{address}"\n'))
        assert config.vault[0].beneficiary == address


def written(folder: Path, text: str) -> Path:
    path = folder / "keeper.toml"
    path.write_text(text)
    return path


def test_the_template_is_valid_and_its_comments_are_the_defaults(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, TEMPLATE))
    lines = [line.partition("#")[2].partition("#")[0] for line in TEMPLATE.splitlines() if line.startswith("# ")]
    for line in lines:
        name, _, value = line.strip().partition(" = ")
        for table in (config.chain, config.limits, config.private, config.prover, config.inference, config.economics):
            if name in type(table).model_fields and name not in ("quorum", "backend", "address"):
                told = tomllib.loads(f"x = {value}")["x"]
                found = getattr(table, name)
                assert found == (tuple(told) if isinstance(told, list) else told), name
    assert config.operation.folder is None and "build/keeper of the project where left out" in TEMPLATE


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "[limits]\nfee_cap_gwie = 3\n", "limits.fee_cap_gwie is not a setting.*Did you mean fee_cap_gwei"),
        (GOOD + "[limits]\nbumps = 0\n", "limits.bumps: input should be greater than 0"),
        (GOOD.replace('keystore = "k.json"', ""), "exactly one of keystore, ape and remote"),
        (GOOD.replace('rpcs = ["http://h:1/key"]', "rpcs = []"), "chain.rpcs"),
        (GOOD + "[private]\nfallback = 'perhaps'\n", "private.fallback: input should be 'none' or 'public'"),
        ("[chain", "is not TOML"),
        (GOOD.replace("http://h:1/key", "h:1/key"), "chain.rpcs.0: not a URL like"),
        (GOOD.replace("http://h:1/key", "ftp://h:1/key"), "chain.rpcs.0: not a URL like"),
        (GOOD.replace("http://h:1/key", "http://h:port/key"), "chain.rpcs.0: not a URL like"),
        (GOOD.replace('"http://h:1/key"', '"http://h:1/key", "http://h:1/key"'), "chain: an endpoint stands twice"),
        (GOOD.replace("[account]", "quorum = 2\n[account]"), "chain: a quorum of 2 does not fit 1 rpcs"),
        (GOOD + '[operation]\nwebhooks = ["nowhere"]\n', "operation.webhooks.0: not a URL like"),
        (GOOD.replace("[[vault]]", "[vault]"), "vault: one of several tables: write .*double brackets"),
        (GOOD + 'beneficiary = "0x12"\n', "vault.0.beneficiary: not an address: 0x and forty"),
        (GOOD + f'beneficiary = "{CHECKSUMMED.replace("d", "D")}"\n', "the address is mistyped"),
        (GOOD + f'beneficiary = "0x{"0" * 40}"\n', "zero address"),
    ],
)
def test_a_mistake_is_named_by_its_key_and_without_any_value_of_a_url(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        load_config(written(tmp_path, text))
    assert "/key" not in str(refused.value)


def test_paths_start_at_the_files_folder_and_url_parts_are_secrets(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD))
    assert config.vault[0].book == tmp_path / "b.json"
    assert config.secrets() == ("key",)


def test_a_key_is_hidden_wherever_it_stands_in_a_url_also_when_a_node_repeats_it_alone(tmp_path: Path) -> None:
    urls = ("https://h/v3/0123456789abcdef", "https://me:p%40ss-word@h/", "https://h/rpc?k=canary-in-query&n=1")
    config = load_config(written(tmp_path, GOOD.replace('"http://h:1/key"', ", ".join(map(repr, urls)))))
    redactor = Redactor(*config.secrets())
    for secret in ("0123456789abcdef", "p@ss-word", "p%40ss-word", "canary-in-query"):
        assert redactor.text(f"invalid key {secret}, see rpc") == f"invalid key {HIDDEN}, see rpc"


def test_init_writes_a_file_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new.toml"
    with pytest.raises(SystemExit) as done:
        main(["keeper", "init", str(path)])
    assert done.value.code == 0 and isinstance(load_config(path), KeeperConfig)
    with pytest.raises(SystemExit) as refused:
        main(["keeper", "init", str(path)])
    assert refused.value.code == 2
