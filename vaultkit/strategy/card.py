"""`model_card`: what a fitted model is, what it was fitted on, how it scored, and what it is not for."""

from __future__ import annotations

from datetime import UTC, datetime

from vaultkit.strategy.research import Fitted

_LIMITS = (
    "Past prices of one pool; nothing here promises a profit. An interval that holds 50 % is no evidence of skill. Do "
    "not use it on another pool, bar length or horizon, nor beyond the clip bound of its window."
)


def model_card(fitted: Fitted) -> str:
    """Return a card in Markdown about a fitted strategy's model.

    Parameters
    ----------
    fitted
        As `vaultkit.strategy.research.fit_strategy` gives it; without a study the card says that there was none.
    """
    strategy, samples, window = fitted.strategy, fitted.samples, fitted.strategy.window.shape()
    first, last = (datetime.fromtimestamp(int(samples.times[place]), UTC).strftime("%Y-%m-%d") for place in (0, -1))
    module = getattr(fitted.model, "module_", None)
    size = "none that a circuit proves" if module is None else f"{sum(part.numel() for part in module.parameters()):,}"
    parameters = ", ".join(f"{name}={value!r}" for name, value in sorted(fitted.model.get_params(deep=False).items()))
    facts = {
        "Model": f"`{type(fitted.model).__name__}` ({parameters})",
        "Predicts": f"log-return of {strategy.pair} over {strategy.model.horizon}, from the price that holds "
        f"{fitted.costs.latency_seconds} s after the window's end",
        "Inputs": f"{window.count} differences of means over {window.bar_seconds} s, clipped at {window.clip} ticks",
        "Pool": f"`{fitted.pool.pool}`",
        "Fitted on": f"{len(samples.times):,} rows, {first} to {last}",
        "Numbers in its layers": size,
    }
    lines = [f"# Model of {strategy.name()}", "", *(f"- {name}: {value}" for name, value in facts.items()), ""]
    if fitted.research is None:
        return "\n".join([*lines, "It was not studied out of sample.", "", _LIMITS, ""])
    research = fitted.research
    scores = {
        "direction right": (research.accuracy, research.accuracy.effective),
        "the same on random walks": (research.control, research.control.effective),
    }
    lines += ["| out of sample | share | 95 % interval | independent labels |", "|---|---:|---:|---:|"]
    lines += [
        f"| {name} | {score.value:.1%} | {score.low:.1%} to {score.high:.1%} | {count:,} |"
        for name, (score, count) in scores.items()
    ]
    real, hold = research.strategy, research.hold
    lines += [
        "",
        f"Replayed over {len(real.values)} epochs: {real.return_after_gas:+.2%} after gas; half held throughout "
        f"{hold.return_after_gas:+.2%}.",
        "",
        _LIMITS,
        "",
    ]
    return "\n".join(lines)
