"""The configuration file: the template works as it is, and what is wrong is named."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from vaultkit.cli import main
from vaultkit.errors import SettingsError
from vaultkit.keeper.config import TEMPLATE, KeeperConfig, load_config

GOOD = '[chain]\nrpcs = ["http://h:1/key"]\n[account]\nkeystore = "k.json"\n[[vault]]\nbook = "b.json"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "keeper.toml"
    path.write_text(text)
    return path


def test_the_template_is_valid_and_its_comments_are_the_defaults(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, TEMPLATE))
    lines = [line.partition("#")[2].partition("#")[0] for line in TEMPLATE.splitlines() if line.startswith("# ")]
    for line in lines:
        name, _, value = line.strip().partition(" = ")
        for table in (config.chain, config.limits, config.private, config.prover, config.economics):
            if name in type(table).model_fields and name not in ("quorum", "backend", "address"):
                told = tomllib.loads(f"x = {value}")["x"]
                found = getattr(table, name)
                assert found == (tuple(told) if isinstance(told, list) else told), name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "[limits]\nfee_cap_gwie = 3\n", "limits.fee_cap_gwie is not a setting.*Did you mean fee_cap_gwei"),
        (GOOD + "[limits]\nbumps = 0\n", "limits.bumps: input should be greater than 0"),
        (GOOD.replace('keystore = "k.json"', ""), "exactly one of keystore, ape and remote"),
        (GOOD.replace('rpcs = ["http://h:1/key"]', "rpcs = []"), "chain.rpcs"),
        (GOOD + "[private]\nfallback = 'perhaps'\n", "private.fallback: input should be 'none' or 'public'"),
        ("[chain", "is not TOML"),
    ],
)
def test_a_mistake_is_named_by_its_key_and_without_any_value_of_a_url(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        load_config(written(tmp_path, text))
    assert "http://h" not in str(refused.value)


def test_paths_start_at_the_files_folder_and_url_parts_are_secrets(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD))
    assert config.vault[0].book == tmp_path / "b.json"
    assert config.secrets() == ("key",)


def test_init_writes_a_file_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new.toml"
    with pytest.raises(SystemExit) as done:
        main(["keeper", "init", str(path)])
    assert done.value.code == 0 and isinstance(load_config(path), KeeperConfig)
    with pytest.raises(SystemExit) as refused:
        main(["keeper", "init", str(path)])
    assert refused.value.code == 2


def test_the_documented_unit_passes_systemds_own_check_where_there_is_one() -> None:
    import shutil

    unit = Path(__file__).parents[2] / "vaultkit" / "keeper" / "examples" / "vaultkit-keeper.service"
    text = unit.read_text()
    assert "keeper run --config" in text and "NoNewPrivileges=yes" in text
    checker = shutil.which("systemd-analyze")
    if checker:
        found = subprocess.run([checker, "verify", str(unit)], capture_output=True, text=True, check=False)
        assert "Unknown" not in found.stderr
