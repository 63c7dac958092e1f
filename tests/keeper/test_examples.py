"""The documented examples: what they name exists, and what they run works."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vaultkit.cli import build_app
from vaultkit.keeper.facts import Miss

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "vaultkit" / "keeper" / "examples"


def test_the_unit_passes_systemds_own_check_where_there_is_one_and_stays_down_after_a_halt() -> None:
    unit = EXAMPLES / "vaultkit-keeper.service"
    lines = unit.read_text().splitlines()
    assert {"NoNewPrivileges=yes", "Environment=VAULTKIT_HOME=/srv/vaultkit", "RestartPreventExitStatus=9 2"} <= {
        *lines
    }
    checker = shutil.which("systemd-analyze")
    if checker:
        found = subprocess.run([checker, "verify", str(unit)], capture_output=True, text=True, check=False)
        complaints = [
            line for line in found.stderr.splitlines() if unit.name in line and "is not executable" not in line
        ]
        assert complaints == []


def test_the_container_copies_what_is_there_and_runs_the_keeper() -> None:
    lines = (EXAMPLES / "Containerfile").read_text().splitlines()
    copied = [source for line in lines if line.startswith("COPY") for source in line.split()[1:-1]]
    assert "vaultkit" in copied and all((ROOT / source).exists() for source in copied)
    (entry,) = [json.loads(line.removeprefix("ENTRYPOINT")) for line in lines if line.startswith("ENTRYPOINT")]
    assert entry[:4] == ["vaultkit", "keeper", "run", "--config"] and "STOPSIGNAL SIGTERM" in lines
    assert any(line.startswith("USER") for line in lines)


@pytest.mark.parametrize(
    ("health", "age_seconds", "code"), [("ready", 0, 0), ("degraded", 0, 1), ("halted", 0, 1), ("ready", 60, 1)]
)
def test_the_containers_health_check_believes_only_a_fresh_and_good_status(
    tmp_path: Path, health: str, age_seconds: int, code: int
) -> None:
    (line,) = [line for line in (EXAMPLES / "Containerfile").read_text().splitlines() if line.startswith("HEALTHCHECK")]
    program = json.loads(line.partition("CMD")[2])[2].replace("/state", str(tmp_path))
    status = {"health": health, "updated": int(time.time()) - age_seconds}
    (tmp_path / "v.status.json").write_text(json.dumps(status))
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == code


def test_the_guide_names_every_verb_and_every_reason() -> None:
    text = (ROOT / "docs" / "keeper.md").read_text()
    (group,) = [group.typer_instance for group in build_app().registered_groups if group.name == "keeper"]
    assert group is not None
    names = {str(command.name) for command in group.registered_commands} | {str(miss) for miss in Miss}
    assert {name for name in names if not re.search(rf"`{name}`|keeper {name}", text)} == set()
    linked = re.findall(r"\]\(([^)]+)\)", text)
    assert linked and all((ROOT / "docs" / link).exists() for link in linked)
