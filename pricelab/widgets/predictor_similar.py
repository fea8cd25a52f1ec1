"""Which known items are most like the one that was priced, and what did they cost? A part of the price predictor.

How likeness is measured is left to ``why``. Nothing is read before a person asks for it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pricelab.items import Item
from pricelab.plots import usd
from pricelab.widgets import cards
from pricelab.widgets.predictor_part import Part, Start
from pricelab.widgets.predictor_work import Cancelled, Task, Work

NO_ITEMS = (
    "This predictor knows no items: it doesn't say what it learned from, or learned from a file that isn't here. "
    'Give them, as in PricePredictor(pricer, items=catalog["train"]), to see similar ones with their prices.'
)


def known_items(pricer: Any) -> Sequence[Item]:
    """The items that a pricer says it learned from, where they ship with pricelab; else none."""
    from pricelab.catalog import load_catalog

    manifest = getattr(pricer, "manifest", None)
    if manifest is None:
        return ()
    catalog = load_catalog()
    return catalog["train"] if catalog.fingerprint == manifest.data.get("fingerprint") else ()


@dataclass
class SimilarState:
    """The similar items of one text; every change calls ``on_change``."""

    pricer: Any
    given: Sequence[Item] | None = None  # None: what `known_items` finds
    text: str = ""  # the description that was priced
    status: str = "ready"  # "ready" | "looking" | "found" | "failed" | "cancelled"
    found: tuple[Any, ...] = ()  # `why.Neighbour`, the most similar first
    error: str = ""
    on_change: Callable[[], None] = field(default=lambda: None, repr=False)
    work: Work = field(default_factory=Work, repr=False)

    @property
    def items(self) -> Sequence[Item]:
        """The known items; read from disk once, when they are first asked for."""
        if self.given is None:
            self.given = known_items(self.pricer)
        return self.given

    def about(self, text: str) -> None:
        """Another text was priced: what was found belongs to the one before."""
        if text != self.text:
            self.text, self.status, self.found, self.error = text, "ready", (), ""

    def find(self) -> None:
        """Look for them, and wait."""
        self.work.run("similar", self._find, self._cancelled)

    def start(self) -> bool:
        """Look for them in a thread; False when there is no text yet or something else is under way."""
        return bool(self.text) and self.work.start("similar", self._find, self._cancelled)

    def _find(self, task: Task) -> None:
        from pricelab.why import CANDIDATES, nearest, nearest_in_words

        text = self.text
        task.tell(lambda: self._set("looking"))
        found, error = [], "stopped before they were found"
        try:
            around = nearest_in_words(self.pricer, text, self.items, CANDIDATES)
            task.check()
            found, error = nearest(self.pricer, text, around), "" if self.items else NO_ITEMS
        except Cancelled:
            raise
        except Exception as problem:
            error = f"the model failed: {str(problem) or type(problem).__name__}"
        finally:
            if not task.cancelled:
                task.tell(lambda: self._set("failed" if error else "found", tuple(found), error), last=True)

    def _set(self, status: str, found: tuple[Any, ...] = (), error: str = "") -> None:
        self.status, self.found, self.error = status, found, error
        self.on_change()

    def _cancelled(self) -> None:
        self._set("cancelled")


class Similar(Part):
    """The similar items as a table."""

    title, css = "Similar items", "pricelab-similar"

    def __init__(self, state: SimilarState) -> None:
        import ipywidgets as w

        self.state = state
        self.start = Start(state.work, "similar", "Find similar items", state.start)
        self.result = w.HTML()
        self.view = w.VBox([self.start.view, self.result])
        self.controls = self.start.controls

    def opened(self) -> None:
        """Opened after a price: they are looked for at once."""
        if self.state.status == "ready":
            self.state.start()

    def refresh(self) -> None:
        """Show the state."""
        self.start.view.layout.display = "none" if not self.state.text or self.state.status == "found" else None
        self.start.refresh("Looking…", ready=bool(self.state.text))
        self.result.value = page(self.state)


def page(state: SimilarState) -> str:
    """The state as HTML."""
    if not state.text:
        return cards.note("Estimate a price first; then items like it, with their prices, can stand here.")
    if state.status == "failed":
        return cards.error(state.error, "No similar items")
    if state.status == "found":
        rows = [(cards.short(n.item.text), usd(n.item.price), f"{n.similarity:.2f}") for n in state.found]
        head = ("Item that it learned from", "Price", "Similarity")
        likeness = "<p>Similarity is the cosine of the model's states; 1 is the same text.</p>"
        return cards.panel(
            f"<p>Most like {cards.echo(state.text)}</p>{cards.table(head, rows, figures=(1, 2))}{likeness}"
        )
    words = {"looking": "Looking…", "cancelled": "Cancelled; nothing was looked up."}
    return cards.note(words.get(state.status, "Items like it, with the prices that they sold for."))
