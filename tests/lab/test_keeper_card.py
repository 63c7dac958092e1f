"""The keeper's card tells what its status file says, and when nobody writes it any more."""

import json
import time

from vaultkit.lab.keeper_card import keeper_card


def status(updated: float) -> str:
    keeper = {
        "vault": "0x1",
        "health": "ok",
        "reason": "",
        "stage": "proving",
        "accepted": 3,
        "missed": 1,
        "alarms": {"balance": "low"},
        "epochs": [{"epoch": 7, "accepted": False, "reason": "too_late"}],
    }
    return json.dumps({"updated": updated, "health": "ok", "alarms": {}, "keepers": [keeper]})


def test_card_of_no_keeper_says_so(tmp_path):
    assert "none was started" in keeper_card(None)
    assert "none was started" in keeper_card(tmp_path / "journal.sqlite")


def test_card_shows_health_stage_epochs_and_alarms(tmp_path):
    (tmp_path / "journal.status.json").write_text(status(time.time()))
    card = keeper_card(tmp_path / "journal.sqlite")
    assert all(word in card for word in ("proving", "balance", "missed", "too_late", ">ok<"))


def test_keeper_that_writes_no_more_is_silent(tmp_path):
    (tmp_path / "journal.status.json").write_text(status(time.time() - 100))
    assert "silent for 100 s" in keeper_card(tmp_path / "journal.sqlite")
