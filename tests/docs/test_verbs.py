"""The README's list of verbs, typed line by line in the order it has them, in a project that holds nothing yet."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, blocks, verbs
from vaultkit.project import lay_out

LISTED = next(block for block in blocks() if "vaultkit market build" in block.text)
PROGRAM = [sys.executable, "-m", "vaultkit.cli"]
ASKS = {"deploy", "deposit"}
"""Verbs that show what would happen and ask a person; a test is none, and says so beforehand."""

SECONDS = 300


class Reader:
    """A newcomer's shell: it types what README says, keeps what shall go on running, and ends it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {**os.environ, "VAULTKIT_HOME": str(home), "VAULTKIT_PASSPHRASE": "of a test"}
        self.running: list[subprocess.Popen[str]] = []

    def types(self, *words: str) -> str:
        """Return what a verb printed; it must succeed."""
        done = subprocess.run(
            [*PROGRAM, *words], cwd=self.home, env=self.environment, capture_output=True, text=True, timeout=SECONDS,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-1_500:]}\n{done.stderr[-1_500:]}"
        return done.stdout

    def starts(self, *words: str) -> subprocess.Popen[str]:
        log = (self.home / f"{words[0]}.log").open("w")
        self.running.append(
            subprocess.Popen([*PROGRAM, *words], cwd=self.home, env=self.environment, stdout=log, stderr=log)
        )
        return self.running[-1]

    def waits_until(self, what: str, ready: "list[str]", key: str) -> dict[str, object]:
        """Ask a verb with ``--json`` again and again until its answer has a value under ``key``."""
        for _ in range(SECONDS):
            done = subprocess.run(
                [*PROGRAM, *ready, "--json"], cwd=self.home, env=self.environment, capture_output=True, text=True
            )
            if done.returncode == 0 and (answer := json.loads(done.stdout)).get(key):
                return dict(answer)
            assert all(process.poll() is None for process in self.running), self.told()
            time.sleep(1)
        raise AssertionError(f"{what} did not come about\n{self.told()}")

    def told(self) -> str:
        return "\n".join(path.read_text()[-1_500:] for path in self.home.glob("*.log"))

    def leaves(self) -> list[int]:
        """End what still runs, the last started first; return exit codes."""
        codes = []
        for process in reversed(self.running):
            process.send_signal(signal.SIGTERM)
            codes.append(process.wait(timeout=60))
        self.running.clear()
        return codes


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    lay_out(tmp_path)
    (tmp_path / "contracts" / "node_modules").symlink_to(ROOT / "contracts" / "node_modules")
    reader = Reader(tmp_path)
    yield reader
    reader.leaves()


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_verbs_work_in_the_order_of_the_readme(reader: Reader) -> None:
    typed = []
    for words in verbs(LISTED):
        if words[:2] == ["market", "run"]:
            reader.starts(*words)
            url = str(reader.waits_until("the market", ["market", "status"], "url")["url"])
        elif words[:2] == ["keeper", "run"]:
            reader.starts(*[url if word == "URL" else word for word in words])
            reader.waits_until("an accepted epoch", ["status"], "last_epoch")
        else:
            agrees = ["--yes"] if words[0] in ASKS else []
            reader.types(*[url if word == "URL" else word for word in words], *agrees)
        typed.append(words[0] if words[0] not in ("market", "keeper") else " ".join(words[:2]))
    assert typed == [
        "market build", "market run", "index", "train", "compile", "keeper init-key", "deploy", "deposit", "keeper run",
        "status", "redeem", "audit",
    ]  # fmt: skip
    assert re.search(r"accepted epochs? \w+ the model", (reader.home / "build" / "audit.html").read_text())
    assert reader.leaves() == [0, 0]
