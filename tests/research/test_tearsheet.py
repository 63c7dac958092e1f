from __future__ import annotations

import base64
import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

from tests.fixtures.circuit import made_pool, made_swaps
from vaultkit.coprocessor.bars import TickSeries
from vaultkit.errors import DataError
from vaultkit.strategy.costs import Costs
from vaultkit.strategy.evidence import Decisions, gather
from vaultkit.strategy.loader import load_strategy
from vaultkit.strategy.pool_path import PoolPath
from vaultkit.strategy.research import fit_strategy
from vaultkit.strategy.tearsheet import Tearsheet, comparison
from vaultkit.units import WAD

PERIOD = 14_400
SPEC = load_strategy("momentum").window.spec(made_pool().pool, 1)


@pytest.fixture(scope="module")
def evidence():
    frame = made_swaps(4, days=20)
    ticks = TickSeries.from_swaps(frame)
    ends = np.arange(ticks.start_time // PERIOD + 2, ticks.end_time // PERIOD) * PERIOD
    windows = ticks.windows(SPEC, ends)
    floating = [int(WAD * w) for w in np.random.default_rng(0).uniform(0.2, 0.8, len(ends))]
    weights = [weight + WAD // 1_000 for weight in floating]
    return gather(
        PoolPath.from_swaps(frame), ticks, made_pool(), Decisions(ends, windows, weights, floating), Costs(), PERIOD
    )


def test_evidence_replays_the_same_epochs_in_every_way(evidence):
    others = [evidence.instant, evidence.floating, *evidence.baselines.values()]
    assert all(other.epoch_ends == evidence.real.epoch_ends for other in others)
    assert set(evidence.baselines) == {"hold", "momentum", "mean_reversion", "random"}
    assert evidence.costs.quantization != 0 != evidence.costs.latency
    turnover = [sum(t.notional for t in run.swaps) for run in (evidence.real, evidence.baselines["random"])]
    assert turnover[1] == pytest.approx(turnover[0], rel=0.1)


def test_figures_count_every_epoch_by_its_outcome(evidence):
    figures = evidence.figures()
    counted = sum(value for name, value in figures.items() if name.startswith("epochs_"))
    assert counted == figures["epochs"] == len(evidence.real.values)
    assert figures["total_return_low"] < figures["total_return"] < figures["total_return_high"]
    assert figures["depth"] == "range"


class Outside(HTMLParser):
    """Collects whatever a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attributes):
        links = [value for name, value in attributes if name in ("src", "href", "xlink:href") and value]
        self.found += [link for link in links if not link.startswith(("#", "data:"))]
        self.found += ["script"] if tag == "script" else []


def test_page_is_self_contained_and_says_what_was_measured(evidence, tmp_path):
    sheet = Tearsheet("momentum <1>", evidence, "Direction right 51%.", ("prices are unverified",))
    text = sheet.save(tmp_path / "sheets" / "momentum.html").read_text()
    parser = Outside()
    parser.feed(text)
    assert parser.found == []
    assert "momentum &lt;1&gt;" in text and "<1>" not in text
    for claim in ("prices are unverified", "Direction right 51%.", "liquidity in range alone", "Nothing here promises"):
        assert claim in text
    assert f"{evidence.performance.total_return:.2%}" in text
    (picture,) = re.findall(r'<img alt="[^"]+" src="data:image/svg\+xml;base64,([^"]+)"', text)
    assert b"Held in the risk token" in base64.b64decode(picture)
    assert [path.name for path in (tmp_path / "sheets").iterdir()] == ["momentum.html"]


def test_notebook_shows_the_same_as_the_page(evidence):
    sheet = Tearsheet("momentum", evidence)
    assert sheet._repr_html_() in sheet.page()


def test_same_evidence_gives_the_same_page(evidence):
    assert Tearsheet("a", evidence).page() == Tearsheet("a", evidence).page()


def test_short_history_is_not_annualized(evidence):
    assert "annual return" not in Tearsheet("a", evidence).html()
    assert "annual_return" not in evidence.figures() and "calmar" not in evidence.figures()
    assert evidence.figures()["sharpe"] == round(evidence.performance.sharpe, 6)


def test_sizes_are_in_whole_units_of_the_asset(evidence):
    sizes = [
        re.findall(
            r"<tr><td>([\d,]+)</td><td>[+-]", Tearsheet("a", dataclasses.replace(evidence, asset_decimals=d)).html()
        )
        for d in (6, 7)
    ]
    assert sizes == [["10,000", "100,000", "1,000,000", "10,000,000"], ["1,000", "10,000", "100,000", "1,000,000"]]


def test_runs_are_compared_best_first(evidence):
    text = comparison({"this": evidence.real, **evidence.baselines})
    names = re.findall(r"<tr><td>(\w+)</td>", text)
    ratios = {"this": evidence.real.sharpe} | {name: run.sharpe for name, run in evidence.baselines.items()}
    assert names == sorted(ratios, key=lambda name: -ratios[name])


def test_constant_prices_are_refused():
    frame = made_swaps(1, days=3)
    flat = frame.with_columns(tick=pl.lit(frame["tick"][0]))
    with pytest.raises(DataError, match="prices never move"):
        fit_strategy(load_strategy("momentum"), flat, made_pool())
