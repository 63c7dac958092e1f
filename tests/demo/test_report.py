"""The report shows the figures it was given, on a page and in a picture."""

import math

from vaultkit.demo.report import write_report
from vaultkit.demo.result import DemoResult, Epoch
from vaultkit.lab.series import Series
from vaultkit.lab.stages import Step


def result() -> DemoResult:
    stamps = list(range(1_700_000_000, 1_700_000_000 + 57_600, 120))
    price = [2_000 + 40 * math.sin(i / 60) + i / 20 for i in range(len(stamps))]
    weight = [0.0 if i < 60 else 0.3 if i < 240 else 0.55 for i in range(len(stamps))]
    epochs = [
        Epoch(
            epoch=118_055 + k,
            block_number=10_000 + 120 * k,
            timestamp=stamps[60 + 100 * k],
            weight_before=0.1 * k,
            weight_target=0.1 * k + 0.1,
            reason="TRADED",
            amount_in="1,000.00 USDC",
            amount_out="0.5 WETH",
            price_vs_twap=0.0007,
            gas_used=712_345,
            proof_seconds=0.61,
            verdict="ok <model>",
        )
        for k in range(4)
    ]
    return DemoResult(
        strategy="momentum",
        price_path="simulated, seed 7",
        market={"days": 14.0, "swaps": 10_080},
        index={"blocks": 10_100},
        research={"directional_accuracy": 0.5123},
        circuit={"rows": 1_900, "logrows": 11},
        deployment={"InferenceVault": 3_100_000},
        steps=[Step(name="market", seconds=3.2, outcome="cached")],
        epochs=epochs,
        series=Series(
            timestamp=stamps,
            price=price,
            weight=weight,
            nav_per_share=[1 + (p / price[0] - 1) * 0.3 for p in price],
        ),
        audit="4 of 4 epochs are the model's",
        peak_memory_mib=2_345,
        seconds=100.0,
    )


def test_report_shows_every_epoch_and_escapes_text(tmp_path):
    page = write_report(result(), tmp_path)
    text = page.read_text()
    for epoch in result().epochs:
        assert f"<td>{epoch.epoch}</td>" in text
        assert f"{epoch.weight_before:.1%} → {epoch.weight_target:.1%}" in text
    assert "ok &lt;model&gt;" in text and "<model>" not in text
    assert "712k" in text and "+7 bp" in text and "2,345 MiB" in text
    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")


def test_report_tells_how_much_a_vault_must_hold_by_period_and_gas_price(tmp_path):
    text = write_report(result(), tmp_path).read_text()
    assert "Break-even value in USDC: 712,345 gas an epoch (measured), 5.0% expected a year" in text
    head = "".join(f"<th>{name}</th>" for name in ("period", "0.05 gwei", "0.5 gwei", "2 gwei", "10 gwei"))
    ether = result().series.price[-1]
    daily = [712_345 * gwei * 1e-9 * 365 * ether / 0.05 for gwei in (0.05, 0.5, 2, 10)]
    assert head in text
    assert "<td>24 h</td>" + "".join(f"<td>{value:,.0f}</td>" for value in daily) in text


def test_result_round_trips_through_json():
    assert DemoResult.model_validate_json(result().model_dump_json()) == result()
