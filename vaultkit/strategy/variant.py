"""A strategy with some of its numbers changed: ``model.hidden=8`` or ``gain=20``."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from sklearn.base import clone

from vaultkit.errors import StrategyError
from vaultkit.strategy.base import PARTS, Strategy

Setting = Mapping[str, Any]


def variant(strategy: Strategy, setting: Setting) -> Strategy:
    """Return a strategy with parameters of its model (``model.NAME``) or numbers of its class replaced.

    Raises
    ------
    StrategyError
        When there is no such parameter; the message names a near miss.
    """
    model = clone(strategy.model)
    changes: dict[str, Any] = {}
    for name, value in setting.items():
        if name.startswith("model."):
            own = name.removeprefix("model.")
            known = model.get_params()
            _require(own, list(known), strategy)
            model.set_params(**{own: _alike(name, value, known[own])})
        else:
            known = _numbers(strategy)
            _require(name, [*known, *(f"model.{own}" for own in model.get_params())], strategy)
            changes[name] = _alike(name, value, known[name])
    cls = type(strategy)
    made = type(cls.__name__, (cls,), {**changes, "model": model, "__module__": cls.__module__})
    result: Strategy = made()
    return result


def _numbers(strategy: Strategy) -> dict[str, Any]:
    """Return the class's own numbers, which a sweep may change."""
    found = vars(type(strategy)).items()
    return {n: v for n, v in found if n not in PARTS and isinstance(v, int | float) and not isinstance(v, bool)}


def _alike(name: str, value: Any, present: Any) -> Any:
    """Return a value that can stand in the place of the present one: text for text, a number for a number."""
    is_number, was_number = (isinstance(v, int | float) and not isinstance(v, bool) for v in (value, present))
    if present is not None and is_number != was_number:
        raise StrategyError(
            "a parameter cannot have this value", got=f"{name}={value}", expected=f"one such as {present}"
        )
    return value


def _require(name: str, known: list[str], strategy: Strategy) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise StrategyError(
            "a strategy has no such parameter",
            got=name,
            expected=", ".join(known) or "none",
            where=strategy.name(),
            next_step=f"Did you mean {near[0]}?" if near else None,
        )


def parse_axis(text: str) -> tuple[str, list[Any]]:
    """Return name and values of ``model.hidden=8,16,32``.

    Raises
    ------
    StrategyError
        When it is not of that form.

    Examples
    --------
    >>> parse_axis("model.hidden=8,16")
    ('model.hidden', [8, 16])
    """
    name, _, values = text.partition("=")
    parts = [part.strip() for part in values.split(",") if part.strip()]
    if not name.strip() or not parts:
        raise StrategyError("an axis of a sweep cannot be read", got=repr(text), expected="model.hidden=8,16,32")
    return name.strip(), [_value(part) for part in parts]


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def grid(axes: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return every combination of the axes' values once, in order.

    Examples
    --------
    >>> len(grid({"a": [1, 2], "b": [3, 4, 5]}))
    6
    """
    names = list(axes)
    once = [list(dict.fromkeys(values)) for values in axes.values()]
    return [dict(zip(names, values, strict=True)) for values in itertools.product(*once)]
