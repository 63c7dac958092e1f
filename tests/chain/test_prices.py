from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vaultkit.chain.prices import FilePrices, SimulatedPrices
from vaultkit.errors import DataError

DAY = 86_400


def path_of(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "prices.csv"
    path.write_text(text)
    return path


def test_the_same_seed_gives_the_same_path_in_any_order_of_asking() -> None:
    late_first, early_first = SimulatedPrices(3), SimulatedPrices(3)
    late = late_first.price(3 * DAY)
    assert [early_first.price(second) for second in (0, DAY, 3 * DAY)] == [3_000.0, late_first.price(DAY), late]
    assert SimulatedPrices(4).price(DAY) != late_first.price(DAY)


def test_simulated_prices_say_so() -> None:
    prices = SimulatedPrices(1)
    assert prices.simulated
    assert "simulated" in prices.label
    assert "not market data" in prices.label


def test_simulated_volatility_is_clustered_and_of_the_right_size() -> None:
    prices = SimulatedPrices(11)
    logs = np.log([prices.price(60 * minute) for minute in range(60 * 1_440)])
    returns = np.diff(logs)
    annual = returns.std() * np.sqrt(365 * 1_440)
    assert 0.4 < annual < 1.2
    hourly = np.abs(returns[: len(returns) // 60 * 60]).reshape(-1, 60).mean(axis=1)
    assert np.corrcoef(hourly[:-1], hourly[1:])[0, 1] > 0.3
    assert np.abs(returns).max() > 6 * returns.std()


def test_a_file_is_replayed_from_the_markets_beginning(tmp_path: Path) -> None:
    prices = FilePrices(path_of(tmp_path, "time,price\n1000,100\n2000,400\n3000,400\n"))
    assert not prices.simulated
    assert [prices.price(second) for second in (0, 500, 1_000, 2_000)] == pytest.approx([100, 200, 400, 400])


def test_dates_are_read_as_utc(tmp_path: Path) -> None:
    prices = FilePrices(path_of(tmp_path, "time,price\n2024-01-01,1\n2024-01-01T01:00:00+00:00,2\n"))
    assert prices.end_second == 3_600


def test_a_file_does_not_go_on_past_its_end(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="ended"):
        FilePrices(path_of(tmp_path, "time,price\n0,1\n10,1\n")).price(11)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "columns time and price"),
        ("time,close\n0,1\n1,2\n", "columns time and price"),
        ("time,price\n0,1\n", "two rows"),
        ("time,price\n0,1\n1,nan\n", "got nan"),
        ("time,price\n0,1\n1,1e300\n", "out of range"),
        ("time,price\n0,1\nnan,1\n", "time is not finite: got nan"),
        ("time,price\n0,1\n1,0\n", "out of range"),
        ("time,price\n0,1\n1,-3\n", "out of range"),
        ("time,price\n0,1\n1,\n", "a time and a number"),
        ("time,price\n0,1\n1\n", "a time and a number"),
        ("time,price\n0,1\nyesterday,2\n", "a time and a number"),
        ("time,price\n5,1\n5,2\n", "order of time"),
        ("time,price\n5,1\n4,2\n", "order of time"),
    ],
)
def test_a_bad_row_is_refused(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(DataError, match=what):
        FilePrices(path_of(tmp_path, text))


def test_a_series_that_is_too_short_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too short"):
        FilePrices(path_of(tmp_path, f"time,price\n0,1\n{DAY},2\n"), least_seconds=2 * DAY)


def test_a_file_that_is_absent_or_binary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        FilePrices(tmp_path / "absent.csv")
    (tmp_path / "binary.csv").write_bytes(b"time,price\n\xff\xfe\x00,1\n")
    with pytest.raises(DataError):
        FilePrices(tmp_path / "binary.csv")


@pytest.mark.parametrize("price", [0.0, -1.0, float("nan"), float("inf")])
def test_a_start_price_that_is_no_price_is_refused(price: float) -> None:
    with pytest.raises(DataError):
        SimulatedPrices(1, price)
