"""What README and pages tell a reader to type works as it stands there."""

import os
import re
import subprocess

import pytest
import typer

from tests.docs.blocks import ROOT, Block, blocks, verbs
from vaultkit.cli import build_app

BLOCKS = blocks()
PYTHON = [block for block in BLOCKS if block.language == "python"]
TYPED = [(block.name, words) for block in BLOCKS for words in verbs(block)]


def test_there_are_blocks_of_both_kinds():
    assert len(PYTHON) >= 3 and len(TYPED) >= 20


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.name)
def test_python_block_runs(block: Block):
    source = f"__name__ = 'block'\n{block.text}"
    exec(compile(source, block.name, "exec"), {"__name__": "block"})


@pytest.mark.parametrize(("name", "words"), TYPED, ids=[" ".join(words)[:40] for _, words in TYPED])
def test_command_line_is_one_that_the_program_takes(name: str, words: list[str]):
    command = typer.main.get_command(build_app())
    context, rest = command.make_context("vaultkit", list(words)), list(words)
    while hasattr(command, "commands"):
        verb, *rest = rest
        assert verb in command.commands, f"{name}: there is no {verb}"
        command = command.commands[verb]
    command.make_context(verb, rest, parent=context)


def test_make_targets_that_pages_name_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {target for block in BLOCKS for target in re.findall(r"^(?:\$ )?make ([a-z-]+)", block.text, re.MULTILINE)}
    assert named and named <= targets


@pytest.mark.slow
def test_pages_build_without_a_warning(tmp_path):
    done = subprocess.run(
        ["make", "docs", f"DOCS={tmp_path / 'site'}"],
        cwd=ROOT,
        env={**os.environ, "MAKEFLAGS": ""},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    assert (tmp_path / "site" / "index.html").is_file()
