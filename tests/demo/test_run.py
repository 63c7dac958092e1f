"""The main job from end to end, in folders of its own, with a short history and one epoch."""

import io
import json

from rich.console import Console

from vaultkit.chain.market_cache import MarketSettings
from vaultkit.demo.result import DemoResult
from vaultkit.demo.run import run_demo
from vaultkit.demo.settings import DemoSettings
from vaultkit.lab.folders import Folders


def test_demo_goes_from_history_to_an_audited_epoch(tmp_path):
    folders = Folders(tmp_path / "build", tmp_path / "data" / "local")
    settings = DemoSettings("momentum", 1, 960.0, MarketSettings(days=4))
    screen = io.StringIO()
    result = run_demo(settings, folders, Console(file=screen, width=100))

    assert [epoch.verdict for epoch in result.epochs] == ["✓"]
    assert result.epochs[0].proof_seconds > 0 and result.epochs[0].gas_used > 400_000
    assert result.index["grid_points_equal_to_observe"] > 500
    assert result.index["headers_hashed_and_linked"] > 2_000
    assert result.circuit["logrows"] <= 11
    assert result.series.weight[0] == 0 and len(result.series.price) > 20
    assert DemoResult.model_validate_json((folders.build / "demo.json").read_text()).epochs == result.epochs
    assert (folders.build / "report" / "index.html").stat().st_size > 2_000
    assert all(f"{number}/9" in screen.getvalue() for number in range(1, 10))

    passphrase = (folders.run / "passphrase").read_text()
    key = json.loads((folders.run / "keeper.json").read_text())
    assert "crypto" in key
    written = [path for path in folders.run.iterdir() if path.name != "passphrase"]
    assert {path.suffix for path in written} >= {".log", ".sqlite"}
    for log in written:
        assert passphrase.encode() not in log.read_bytes()
