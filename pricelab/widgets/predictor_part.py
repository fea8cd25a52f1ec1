"""What the parts below the price predictor's answer share: a title, a view, and a button with its Cancel beside it.

A part is a state (plain methods, no widgets) and a thin view over it. Made of core ipywidgets (7.7 and 8.1).
"""

from collections.abc import Callable
from typing import Any

from pricelab.widgets.predictor_work import Work


class Part:
    """One part of the form; it is built when the form is, and does nothing before it is opened."""

    title: str
    css: str  # its class on the page
    view: Any  # the outermost widget
    result: Any  # what it says, HTML
    controls: tuple[Any, ...]  # what a person can touch

    def opened(self) -> None:
        """A person has just opened it."""

    def refresh(self) -> None:
        """Show the state."""


class Start:
    """A button that starts some work, and one that takes it back, which shows while that work is under way."""

    def __init__(self, work: Work, name: str, words: str, on_start: Callable[[], Any]) -> None:
        import ipywidgets as w

        self.work, self.name, self.words = work, name, words
        auto = w.Layout(width="auto")
        self.button = w.Button(description=words, layout=auto)
        self.button.add_class("pricelab-ask")
        self.button.on_click(lambda _: on_start())
        self.cancel = w.Button(description="Cancel", layout=w.Layout(width="auto", display="none"))
        self.cancel.add_class("pricelab-cancel")
        self.cancel.on_click(lambda _: work.busy == name and work.cancel())
        self.view = row(self.button, self.cancel)

    def refresh(self, doing: str, ready: bool = True) -> None:
        """Show whether the work is under way, ``doing`` in words, and whether it could begin."""
        mine = self.work.busy == self.name
        self.button.description = doing if mine else self.words
        self.button.disabled = bool(self.work.busy) or not ready
        self.cancel.layout.display = None if mine else "none"

    @property
    def controls(self) -> tuple[Any, Any]:
        """What a person can touch."""
        return self.button, self.cancel


def row(*widgets: Any, css: str = "pricelab-row") -> Any:
    """Controls beside each other, on as many lines as they need."""
    import ipywidgets as w

    box = w.Box(list(widgets))
    box.add_class(css)
    return box


def label_above(kind: Callable[..., Any], words: str, **settings: Any) -> Any:
    """A control with its label above it, as wide as there is room."""
    import ipywidgets as w

    return kind(description=words, layout=w.Layout(width="auto"), style={"description_width": "auto"}, **settings)
