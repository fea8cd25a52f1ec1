"""The session's history in the price predictor: a table, its export, and a button that forgets it."""

from collections.abc import Callable

from pricelab.widgets.predictor_history import History, page
from pricelab.widgets.predictor_part import Part, row


class HistoryTab(Part):
    """What was asked, the newest first."""

    title, css = "History", "pricelab-history"

    def __init__(self, history: History, on_change: Callable[[], None]) -> None:
        import ipywidgets as w

        self.history, self.on_change = history, on_change
        self.result = w.HTML()
        self.clear = w.Button(description="Clear the history", layout=w.Layout(width="auto"))
        self.clear.on_click(lambda _: self._clear())
        self.view = w.VBox([self.result, row(self.clear)])
        self.controls = (self.clear,)

    def refresh(self) -> None:
        """Show the state."""
        self.clear.layout.display = None if self.history.entries else "none"
        self.result.value = page(self.history)

    def _clear(self) -> None:
        self.history.clear()
        self.on_change()
