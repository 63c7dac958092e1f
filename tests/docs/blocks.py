"""Fenced code blocks of the README and the pages."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs").glob("*/*.md")))
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One block; ``name`` is the page and the block's place in it."""

    name: str
    language: str
    text: str


def blocks() -> list[Block]:
    """Return every block of every page, made pages left out."""
    found = []
    for page in PAGES:
        if page.name == "command_line.md":
            continue
        for place, match in enumerate(_FENCE.finditer(page.read_text()), 1):
            found.append(Block(f"{page.stem}-{place}", match[1], match[2]))
    return found


def verbs(block: Block) -> list[list[str]]:
    """Return the words of every ``vaultkit`` line, prompt, comment and background mark left out."""
    lines = (line.removeprefix("$ ").split("#")[0].strip().removesuffix("&") for line in block.text.splitlines())
    return [line.split()[1:] for line in lines if line.startswith("vaultkit ")]
