"""Find a strategy by its name or file: plain files in ``strategies/``, no registration."""

from __future__ import annotations

import difflib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from vaultkit.errors import StrategyError
from vaultkit.settings import project_root
from vaultkit.strategy.base import Strategy


def strategies_dir() -> Path:
    """Return ``strategies/`` of the project."""
    return project_root() / "strategies"


def load_strategy(name_or_path: str | Path) -> Strategy:
    """Return an instance of the one strategy in a file; it bears the file's name.

    Parameters
    ----------
    name_or_path
        ``momentum`` for ``strategies/momentum.py``, or a path to a Python file.

    Raises
    ------
    StrategyError
        When there is no such file, it cannot be imported, or it does not define exactly one strategy.
    """
    path = path_of(name_or_path)
    module = _import(path)
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Strategy) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise StrategyError(
            "a strategy file must define one strategy",
            got=", ".join(cls.__name__ for cls in found) or "none",
            where=path.name,
        )
    found[0].file_name = path.stem
    return found[0]()


def path_of(name_or_path: str | Path) -> Path:
    """Return the file of a strategy's name or path.

    Raises
    ------
    StrategyError
        When there is none; the message names a near miss.
    """
    given = Path(name_or_path)
    if given.suffix == ".py":
        if given.is_file():
            return given
        raise StrategyError("there is no such strategy file", got=given.name, where=given.parent.name or ".")
    path = strategies_dir() / f"{name_or_path}.py"
    if path.is_file():
        return path
    known = sorted(file.stem for file in strategies_dir().glob("*.py") if not file.stem.startswith("test_"))
    near = difflib.get_close_matches(str(name_or_path), known, n=1)
    raise StrategyError(
        "there is no such strategy",
        got=repr(name_or_path),
        expected=", ".join(known) or "a file in strategies/",
        next_step=f"Did you mean {near[0]}?" if near else "Give the path of a Python file",
    )


def _import(path: Path) -> ModuleType:
    name = f"_vaultkit_strategy_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise StrategyError("a strategy file cannot be imported", where=path.name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except StrategyError:
        raise
    except Exception as error:
        raise StrategyError(
            "a strategy file cannot be imported", got=f"{type(error).__name__}: {error}", where=path.name
        ) from error
    return module
