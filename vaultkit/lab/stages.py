"""Steps as they run: a spinner on a terminal, a line that changes in a notebook, an outcome and a time at the end."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel, ConfigDict
from rich.console import Console


class Step(BaseModel):
    """One step that ended well, and its wall-clock time."""

    model_config = ConfigDict(extra="forbid")

    name: str
    seconds: float
    outcome: str


class Stage:
    """One running step: say what it does now, and at its end what came of it."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self.outcome = ""

    def say(self, text: str) -> None:
        """Show what the step is doing."""
        self._show(text)

    def share(self, done: int, total: int) -> None:
        """Show how far it has come."""
        self.say(f"{done / max(total, 1):.0%}")


class Stages:
    """All steps of a run on a terminal, numbered, in order."""

    def __init__(self, console: Console, count: int) -> None:
        self._console, self._count = console, count
        self.steps: list[Step] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """Run one step; it is recorded only where it succeeds."""
        title = f"[bold]{len(self.steps) + 1}/{self._count}[/] {name}"
        with on_terminal(self._console, title) as stage:
            begun = time.monotonic()
            yield stage
            self.steps.append(Step(name=name, seconds=round(time.monotonic() - begun, 2), outcome=stage.outcome))


@contextmanager
def on_terminal(console: Console, title: str) -> Iterator[Stage]:
    """Show one step on a console."""
    begun = time.monotonic()
    with console.status(title) as status:
        stage = Stage(lambda text: status.update(f"{title}: {text}"))
        yield stage
    seconds = time.monotonic() - begun
    console.print(f"{title}  [green]✓[/] {stage.outcome} [dim]{seconds:.1f} s[/]", highlight=False, soft_wrap=True)


@contextmanager
def in_cell(title: str) -> Iterator[Stage]:
    """Show one step as a line of a notebook cell's output, which is changed in place."""
    from IPython.display import HTML, display

    begun, shown = time.monotonic(), 0.0
    handle: Any = display(HTML(_line("…", title, "")), display_id=True)

    def show(text: str) -> None:
        nonlocal shown
        if time.monotonic() - shown > _EVERY_SECONDS:
            shown = time.monotonic()
            handle.update(HTML(_line("…", title, text)))

    stage = Stage(show)
    try:
        yield stage
    except BaseException as error:
        handle.update(HTML(_line("✗", title, type(error).__name__)))
        raise
    handle.update(HTML(_line("✓", title, f"{stage.outcome} ({time.monotonic() - begun:.1f} s)")))


def shown(title: str) -> Any:
    """Return a context that shows one step where the user looks: in the notebook's cell, else on the terminal."""
    return in_cell(title) if in_kernel() else on_terminal(Console(stderr=True), title)


def in_kernel() -> bool:
    """Return whether this runs in a notebook's kernel."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return shell is not None and hasattr(shell, "kernel")


_EVERY_SECONDS = 0.2


def _line(mark: str, title: str, text: str) -> str:
    return f"<div>{mark} <b>{html.escape(title)}</b> {html.escape(text)}</div>"
