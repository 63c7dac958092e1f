"""Numbered steps on the terminal: a spinner while one runs, its outcome and time when it is done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from vaultkit.demo.result import Step


class Stage:
    """One running step: say what it does now, and at its end what came of it."""

    def __init__(self, console: Console, title: str) -> None:
        self._status = console.status(title)
        self._title = title
        self.outcome = ""

    def say(self, text: str) -> None:
        """Show what the step is doing."""
        self._status.update(f"{self._title}: {text}")

    def share(self, done: int, total: int) -> None:
        """Show how far it has come."""
        self.say(f"{done / max(total, 1):.0%}")


class Stages:
    """All steps of a run, in order."""

    def __init__(self, console: Console, count: int) -> None:
        self._console, self._count = console, count
        self.steps: list[Step] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """Run one step; it is recorded only where it succeeds."""
        title = f"[bold]{len(self.steps) + 1}/{self._count}[/] {name}"
        stage, begun = Stage(self._console, title), time.monotonic()
        with stage._status:
            yield stage
        seconds = time.monotonic() - begun
        self.steps.append(Step(name=name, seconds=round(seconds, 2), outcome=stage.outcome))
        self._console.print(
            f"{title}  [green]✓[/] {stage.outcome} [dim]{seconds:.1f} s[/]", highlight=False, soft_wrap=True
        )
