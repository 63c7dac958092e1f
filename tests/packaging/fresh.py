"""A release as its users meet it: ``make package`` builds it, checks it, and installs it into an empty environment.

`python -m build` makes source archive and wheel, the wheel from the archive. The wheel goes with all its extras into an
environment that has nothing else, in a folder that has no checkout. There `vaultkit doctor` must find nothing missing
but the project, a strictly typed program must pass mypy, and `vaultkit demo` must get an epoch accepted.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from vaultkit.settings import project_root

BUILD = "build==1.6.1"
"""Not of this environment, whose Ape wants an older `packaging`."""

USER = '''"""A user's own module, checked strictly."""

import polars as pl
from vaultkit import Bars, Strategy
from vaultkit.coprocessor.index import Index
from vaultkit.models import PriceRegressor


class Mine(Strategy):
    pair = "WETH/USDC"
    window = Bars("uniswap-v3", pair, fee_bps=5).every("5m").returns(16)
    period = "4h"
    model = PriceRegressor(hidden=16, horizon="4h")


def frame(index: Index) -> pl.DataFrame:
    return index.collect("0:+10", "blocks")
'''


def say(text: str) -> None:
    print(text, flush=True)


def run(*words: str | Path, cwd: Path) -> str:
    """Return what a command printed; it must succeed and sees nothing of this environment."""
    kept = ("HOME", "LANG", "PIP_INDEX_URL", "PIP_CONFIG_FILE")
    plain = {name: os.environ[name] for name in kept if name in os.environ}
    plain["PATH"] = os.pathsep.join(
        path for path in os.environ["PATH"].split(os.pathsep) if Path(path) != Path(sys.executable).parent
    )
    done = subprocess.run(words, cwd=cwd, env=plain, capture_output=True, text=True)
    if done.returncode:
        said = done.stdout[-3_000:] + done.stderr[-3_000:]
        raise SystemExit(f"{' '.join(map(str, words))}: exit {done.returncode}\n{said}")
    return done.stdout


def build(folder: Path) -> Path:
    """Return the wheel that is made from the source archive."""
    say("building source archive and wheel")
    run(sys.executable, "-m", "venv", folder / "builder", cwd=folder)
    builder = folder / "builder" / "bin" / "python"
    run(builder, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", BUILD, cwd=folder)
    run(builder, "-m", "build", "--outdir", folder, project_root(), cwd=folder)
    (archive,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    with tarfile.open(archive) as packed:
        inside = {name.partition("/")[2] for name in packed.getnames()}
    listed = subprocess.run(
        ["git", "ls-files", "vaultkit", "contracts", "strategies"], cwd=project_root(), capture_output=True, text=True
    ).stdout.split()
    if missing := sorted(set(listed) - inside):
        raise SystemExit(f"the source archive lacks {', '.join(missing[:5])}")
    if "vaultkit/py.typed" not in zipfile.ZipFile(wheel).namelist():
        raise SystemExit("the wheel is not marked as typed")
    return wheel


def install(wheel: Path, home: Path) -> Path:
    """Return the programs' folder of an environment that holds the wheel, its extras and nothing else."""
    say(f"installing {wheel.name} with all extras into an empty environment")
    run(sys.executable, "-m", "venv", home, cwd=home.parent)
    programs = home / "bin"
    pip = [programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    constraints = ["-c", project_root() / "constraints.txt"]
    run(*pip, *constraints, "torch", cwd=home.parent)
    run(*pip, *constraints, f"{wheel}[all]", cwd=home.parent)
    return programs


def check_types(programs: Path, home: Path) -> None:
    say("checking a user's module with mypy --strict")
    (home / "mine.py").write_text(USER)
    run(sys.executable, "-m", "mypy", "--strict", "--python-executable", programs / "python", "mine.py", cwd=home)


def main() -> int:
    """Build, install, check types, and run the demo in a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        programs = install(build(place), place / "environment")
        home = place / "home"
        home.mkdir()
        check_types(programs, home)
        shutil.rmtree(home)
        home.mkdir()
        say("running the demo where there is no checkout")
        ended = json.loads(run(programs / "vaultkit", "demo", "--epochs", "1", "--days", "4", "--json", cwd=home))
        verdicts = [epoch["verdict"] for epoch in ended["epochs"]]
        if verdicts != ["✓"]:
            raise SystemExit(f"the demo's epochs: got {verdicts}, expected one ✓")
        (home / "tell.py").write_text("import vaultkit\nprint(vaultkit.__file__)\n")
        found = run(programs / "python", "tell.py", cwd=home).strip()
        if not Path(found).is_relative_to(place):
            raise SystemExit(f"the demo ran from {found}, not from the wheel")
        run(programs / "vaultkit", "doctor", cwd=home)
    say("the wheel works")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
