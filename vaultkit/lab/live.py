"""`LiveCard`: a card that keeps itself up to date in a notebook, and stays readable without a kernel.

The card is HTML in the widget's state, which notebooks are saved with, and a few lines of script that show it.
"""

from __future__ import annotations

import html
import threading
from collections.abc import Callable
from typing import Any, Final

import anywidget
import traitlets

_SCRIPT: Final = """
export default {
  render({ model, el }) {
    const show = () => { el.innerHTML = model.get("card"); };
    model.on("change:card", show);
    show();
  },
};
"""


class LiveCard(anywidget.AnyWidget):  # type: ignore[misc]
    """A card that is drawn anew from time to time by a thread of the kernel.

    Parameters
    ----------
    draw
        Returns the card's HTML.
    every_seconds
        Time between two drawings.

    Notes
    -----
    What ``draw`` raises is shown below the last good card, and drawing goes on. `stop` ends it.
    """

    _esm = _SCRIPT
    card = traitlets.Unicode("").tag(sync=True)

    def __init__(self, draw: Callable[[], str], *, every_seconds: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self._draw, self._every, self._good = draw, every_seconds, ""
        self._stop = threading.Event()
        self.refresh()
        self._thread = threading.Thread(target=self._run, daemon=True, name="live card")
        self._thread.start()

    def refresh(self) -> None:
        """Draw now."""
        try:
            self._good = self.card = self._draw()
        except Exception as error:  # whatever a node or a file does, the notebook goes on
            self.card = f"{self._good}<div>{html.escape(f'{type(error).__name__}: {error}')}</div>"

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Show the card; where widgets are not drawn, as in a notebook that is not trusted yet, what it says now."""
        made = super()._repr_mimebundle_(**options)
        if made is not None:
            made[0]["text/html"] = self.card
        return made  # type: ignore[no-any-return]

    def stop(self) -> None:
        """Draw no more; the last card stays."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self.refresh()
