"""Many variants of a strategy on the same history, kept by content, and an honest account of the best of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np

from vaultkit.book import PoolBook
from vaultkit.errors import DataError, StrategyError, ToolMissing
from vaultkit.strategy.loader import load_strategy
from vaultkit.strategy.research import Study, fit_strategy
from vaultkit.strategy.validation import deflated_sharpe, probability_of_overfitting, trial_sharpes
from vaultkit.strategy.variant import Setting, variant

_FEWEST_PERIODS: Final = 20


@dataclass(frozen=True, slots=True)
class Inputs:
    """What every trial of a sweep shares.

    Parameters
    ----------
    strategy
        Python file of the strategy.
    frame, liquidity
        Tables of the pool, as `vaultkit.strategy.research.fit_strategy` takes them.
    study
        Its random-walk controls are left out of trials: a sweep is judged by deflation and overfitting.
    """

    strategy: Path
    frame: Any
    liquidity: Any
    pool: PoolBook
    study: Study

    def digest(self) -> str:
        """Return a hash of everything that a trial's result follows from, its setting apart."""
        found = hashlib.sha256(_code_digest().encode())
        found.update(self.strategy.read_bytes())
        found.update(self.pool.model_dump_json().encode())
        found.update(_study_text(self.study).encode())
        for table in (self.frame, self.liquidity):
            if table is not None:
                found.update(table.write_ipc(None, compression="uncompressed").getvalue())
        return found.hexdigest()


@dataclass(frozen=True, slots=True)
class Trial:
    """One variant's result: the setting, its returns per epoch out of sample, and its figures."""

    setting: dict[str, Any]
    returns: tuple[float, ...]
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sweep:
    """All trials, best Sharpe ratio first.

    Parameters
    ----------
    deflated
        Probability that the best trial's Sharpe ratio is more than the luck of so many trials.
    overfitting
        Probability that the best in one half of history is below the median in the other; None where trials or epochs
        are too few.
    computed
        Trials that were not found in the cache.
    """

    trials: tuple[Trial, ...]
    deflated: float
    overfitting: float | None
    computed: int


def run_trial(inputs: Inputs, setting: Setting, fits: dict[str, Any] | None = None) -> Trial:
    """Return the walk-forward result of one variant; ``fits`` keeps models that other variants of ``inputs`` share."""
    strategy = variant(load_strategy(inputs.strategy), setting)
    study = replace(inputs.study, controls=0)
    fitted = fit_strategy(
        strategy, inputs.frame, inputs.pool, study, liquidity=inputs.liquidity, refit=False, fits=fits
    )
    assert fitted.research is not None
    real = fitted.research.strategy
    return Trial(dict(setting), tuple(real.returns.tolist()), fitted.research.evidence.figures())


def sweep(
    inputs: Inputs,
    settings: Sequence[Setting],
    cache_dir: Path,
    *,
    workers: int = 1,
    ray: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Sweep:
    """Return the result of every setting, from the cache where it is there.

    Parameters
    ----------
    cache_dir
        One file a trial, named by the hash of all that it follows from.
    workers
        Processes; one runs in this one.
    ray
        Run on the Ray cluster that is configured, or a local one.

    Raises
    ------
    StrategyError
        When there is no setting, or one names no parameter.
    ToolMissing
        When Ray is asked for and not installed.
    """
    if not settings:
        raise StrategyError("a sweep has no setting to try")
    for setting in settings:
        variant(load_strategy(inputs.strategy), setting)
    digest = inputs.digest()
    paths = [cache_dir / f"{trial_key(digest, setting)}.json" for setting in settings]
    found = [_kept(path) for path in paths]
    waiting = [index for index, trial in enumerate(found) if trial is None]
    done = len(settings) - len(waiting)
    progress(done, len(settings))
    for index, trial in zip(waiting, _run(inputs, [settings[i] for i in waiting], workers, ray), strict=True):
        found[index] = trial
        _keep(paths[index], trial)
        done += 1
        progress(done, len(settings))
    return judged([trial for trial in found if trial is not None], len(waiting))


def bayesian(
    inputs: Inputs,
    axes: Mapping[str, Sequence[Any]],
    count: int,
    cache_dir: Path,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Sweep:
    """Return ``count`` trials, each chosen by what the ones before showed: optuna's tree of Parzen estimators.

    Parameters
    ----------
    axes
        By name, two numbers as the ends of a range, or more values as choices.

    Raises
    ------
    ToolMissing
        When optuna is not installed.
    """
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise ToolMissing("optuna is not installed", next_step="pip install 'vaultkit[research]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    trials: dict[str, Trial] = {}
    computed = 0
    for number in range(count):
        ask = study.ask()
        setting = {name: _suggested(ask, name, values) for name, values in axes.items()}
        one = sweep(inputs, [setting], cache_dir)
        computed += one.computed
        trials[json.dumps(setting, sort_keys=True)] = one.trials[0]
        study.tell(ask, float(trial_sharpes([one.trials[0].returns])[0]))
        progress(number + 1, count)
    return judged(list(trials.values()), computed)


def judged(trials: list[Trial], computed: int) -> Sweep:
    """Return trials best first, and how far the best one can be told from luck."""
    sharpes = trial_sharpes([trial.returns for trial in trials])
    order = np.argsort(-sharpes, kind="stable")
    best = trials[int(order[0])]
    deflated = deflated_sharpe(best.returns, sharpes) if len(best.returns) > 2 else 0.5
    overfitting = None
    lengths = {len(trial.returns) for trial in trials}
    if len(trials) > 1 and len(lengths) == 1 and min(lengths) >= _FEWEST_PERIODS:
        overfitting = probability_of_overfitting(np.array([trial.returns for trial in trials]).T)
    return Sweep(tuple(trials[index] for index in order.tolist()), deflated, overfitting, computed)


def trial_key(digest: str, setting: Setting) -> str:
    """Return the name under which a trial is kept."""
    return hashlib.sha256(f"{digest}:{json.dumps(dict(setting), sort_keys=True)}".encode()).hexdigest()


_SHARED: list[tuple[Inputs, dict[str, Any]]] = []


def _share(inputs: Inputs) -> None:
    """Hold the inputs in a worker process, so that they travel once; it uses one thread, as it has one core."""
    import torch

    torch.set_num_threads(1)
    _SHARED[:] = [(inputs, {})]


def _shared_trial(setting: Setting) -> Trial:
    inputs, fits = _SHARED[0]
    return run_trial(inputs, setting, fits)


def _run(inputs: Inputs, settings: list[Setting], workers: int, ray: bool) -> Iterator[Trial]:
    if ray:
        yield from _run_on_ray(inputs, settings)
    elif workers <= 1 or len(settings) < 2:
        fits: dict[str, Any] = {}
        yield from (run_trial(inputs, setting, fits) for setting in settings)
    else:
        with ProcessPoolExecutor(workers, get_context("spawn"), _share, (inputs,)) as pool:
            # Neighbours in a grid share a model: in one process it is fitted once.
            yield from pool.map(_shared_trial, settings, chunksize=max(1, len(settings) // (20 * workers)))


def _run_on_ray(inputs: Inputs, settings: list[Setting]) -> Iterator[Trial]:
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ToolMissing("Ray is not installed", next_step="pip install 'vaultkit[cluster]'") from error
    started = not ray.is_initialized()
    if started:
        ray.init(log_to_driver=False, include_dashboard=False, configure_logging=False)
    try:
        shared, remote = ray.put(inputs), ray.remote(run_trial)
        yield from (ray.get(answer) for answer in [remote.remote(shared, setting) for setting in settings])
    finally:
        if started:
            ray.shutdown()


def _suggested(ask: Any, name: str, values: Sequence[Any]) -> Any:
    if len(values) == 2 and all(isinstance(value, int) for value in values):
        return ask.suggest_int(name, *sorted(values))
    if len(values) == 2 and all(isinstance(value, int | float) for value in values):
        return ask.suggest_float(name, *sorted(values))
    return ask.suggest_categorical(name, list(values))


def _kept(path: Path) -> Trial | None:
    """Return a kept trial; one that cannot be read is computed again."""
    try:
        fields = json.loads(path.read_text())
        return Trial(fields["setting"], tuple(fields["returns"]), fields["figures"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(path: Path, trial: Trial) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(json.dumps(asdict(trial)))
    partial.replace(path)


def _study_text(study: Study) -> str:
    fees = study.costs.base_fees
    plain = replace(study, costs=replace(study.costs, base_fees=None))
    told = "" if fees is None else hashlib.sha256(fees.times.tobytes() + fees.wei.tobytes()).hexdigest()
    return f"{plain!r}:{told}"


@cache
def _code_digest() -> str:
    """Return a hash of the package's own research code: a cache of another version is not this version's."""
    root = Path(__file__).parents[1]
    files = sorted(path for folder in ("strategy", "models", "circuits") for path in (root / folder).glob("*.py"))
    files += sorted(root.glob("*.py"))
    if not files:
        raise DataError("the package's own files cannot be read", where=root.name)
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
