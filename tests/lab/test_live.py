"""A live card follows what it draws, outlives errors, and stops."""

import threading

from vaultkit.lab.live import LiveCard


def wait_for(done, seconds: float = 10.0) -> None:
    event, clock = threading.Event(), 0.0
    while not done():
        assert clock < seconds, "it did not happen"
        event.wait(0.01)
        clock += 0.01


def test_card_follows_what_it_draws_until_it_is_stopped():
    drawn = iter(range(10**9))
    card = LiveCard(lambda: f"<b>{next(drawn)}</b>", every_seconds=0.01)
    assert card.card == "<b>0</b>"
    wait_for(lambda: card.card >= "<b>3</b>")
    card.stop()
    last = card.card
    threading.Event().wait(0.05)
    assert card.card == last


def test_an_error_is_shown_below_the_last_good_card_and_drawing_goes_on():
    answers = [lambda: "good", lambda: 1 / 0, lambda: "better"]
    turn = iter(answers)

    def draw() -> str:
        return next(turn)()

    card = LiveCard(draw, every_seconds=3_600)
    card.refresh()
    assert card.card.startswith("good<div>ZeroDivisionError")
    card.refresh()
    assert card.card == "better"
    card.stop()


def test_state_holds_the_card_so_that_it_shows_without_a_kernel():
    card = LiveCard(lambda: "<i>here</i>", every_seconds=3_600)
    card.stop()
    state = card.get_state()
    assert state["card"] == "<i>here</i>" and "innerHTML" in state["_esm"]


def test_a_card_is_readable_where_widgets_are_not_drawn():
    card = LiveCard(lambda: "<b>as it is now</b>", every_seconds=3_600)
    data, _ = card._repr_mimebundle_()
    assert data["text/html"] == "<b>as it is now</b>" and "application/vnd.jupyter.widget-view+json" in data
    card.stop()
