"""What if it were another brand, size or condition? A part of the price predictor: the change in dollars, its noise.

How a text is changed is left to ``edits``, what that does to the price to ``why``. Nothing is read before a person
asks for it. Prices in US dollars.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pricelab import edits
from pricelab.intervals import LEVEL
from pricelab.items import Item, one_line
from pricelab.plots import usd
from pricelab.widgets import cards
from pricelab.widgets.predictor_work import Cancelled, Task, Work
from pricelab.widgets.view import shown

MOST_CHARACTERS = 60  # of a brand or size that is typed in
MOST_BRANDS = 12


@dataclass
class WhatIfState:
    """A text with some things changed, and what that does to its price; every change calls ``on_change``."""

    pricer: Any
    items: Callable[[], Sequence[Item]] = tuple  # the known items, for their brands
    text: str = ""  # the description that was priced
    brand: str = ""  # empty: as it is
    size: str = ""
    condition: str = ""
    status: str = "ready"  # "ready" | "comparing" | "compared" | "failed" | "cancelled"
    found: Any = None  # `why.WhatIf`
    error: str = ""
    on_change: Callable[[], None] = field(default=lambda: None, repr=False)
    work: Work = field(default_factory=Work, repr=False)

    def about(self, text: str) -> None:
        """Another text was priced: all is as it is."""
        if text != self.text:
            self.text, self.brand, self.size, self.condition = text, "", "", ""
            self.status, self.found, self.error = "ready", None, ""

    @property
    def own_brand(self) -> str:
        """The known brand that the text names, empty when it names none."""
        return edits.brand_in(self.text, {item.brand for item in self.items() if item.brand})

    @property
    def own_size(self) -> str:
        """The first size of the text, empty when it has none."""
        return edits.size_in(self.text)

    @property
    def own_condition(self) -> str:
        """The condition that the text states, empty when it states none."""
        return edits.condition_in(self.text)

    def brands(self) -> list[str]:
        """Other brands of the kinds of items that the text's own brand makes, the commonest first."""
        own, items = self.own_brand, self.items()
        kinds = {item.category for item in items if item.brand == own}
        common = Counter(item.brand for item in items if item.brand and (not own or item.category in kinds))
        return [brand for brand, _ in common.most_common(MOST_BRANDS + 1) if brand != own][:MOST_BRANDS]

    def changes(self) -> dict[str, str]:
        """Name → changed text: each change alone and, if there are several, all at once.

        Raises:
            ValueError: nothing is changed, or a change doesn't fit the text.
        """
        brand, size, condition = (one_line(value) for value in (self.brand, self.size, self.condition))
        for name, value in (("brand", brand), ("size", size)):
            if len(value) > MOST_CHARACTERS:
                raise ValueError(f"the {name} has {len(value):,} characters; give at most {MOST_CHARACTERS}")
        if size and not self.own_size:
            raise ValueError(
                "the description names no size with its unit, such as 1.7 l or 20 m; leave the size as it is"
            )
        own = self.own_brand
        ways: dict[str, Callable[[str], str]] = {}
        if brand:
            ways[f"brand {brand}"] = lambda text: edits.with_brand(text, own, brand)
        if size:
            ways[f"size {size}"] = lambda text: edits.with_size(text, size)
        if condition:
            ways[condition] = lambda text: edits.with_condition(text, condition)
        changed = {name: way(self.text) for name, way in ways.items()}
        if len(ways) > 1:
            text = self.text
            for way in ways.values():
                text = way(text)
            changed["all of it"] = text
        changed = {name: text for name, text in changed.items() if text != self.text}
        if not changed:
            raise ValueError("nothing is changed yet; give another brand, size or condition")
        return changed

    def compare(self) -> None:
        """Price the changed texts, and wait."""
        self.work.run("what if", self._compare, self._cancelled)

    def start(self) -> bool:
        """Price them in a thread; False when there is no text yet or something else is under way."""
        return bool(self.text) and self.work.start("what if", self._compare, self._cancelled)

    def _compare(self, task: Task) -> None:
        from pricelab.why import what_if

        task.tell(lambda: self._set("comparing"))
        found, error = None, "stopped before there was a price"
        try:
            changes = self.changes()
            try:
                found, error = what_if(self.pricer, self.text, changes), ""
            except Exception as problem:
                error = f"the model failed: {str(problem) or type(problem).__name__}"
        except Cancelled:
            raise
        except ValueError as problem:
            error = str(problem)
        finally:
            if not task.cancelled:
                task.tell(lambda: self._set("failed" if error else "compared", found, error), last=True)

    def _set(self, status: str, found: Any = None, error: str = "") -> None:
        self.status, self.found, self.error = status, found, error
        self.on_change()

    def _cancelled(self) -> None:
        self._set("cancelled")


def page(state: WhatIfState) -> str:
    """The state as HTML."""
    if not state.text:
        return cards.note("Estimate a price first; then change its brand, size or condition here.")
    if state.status == "failed":
        return cards.error(state.error, "No comparison")
    if state.status == "compared":
        return _compared(state)
    words = {"comparing": "Comparing…", "cancelled": "Cancelled; nothing was compared."}
    return cards.note(words.get(state.status, "Change one thing or several, and see what that does to the price."))


def _compared(state: WhatIfState) -> str:
    from pricelab.why import signed

    found = state.found
    last = found.changes[-1]
    than = "no more than" if abs(last.difference) <= found.noise else "more than"
    headline = f"{usd(found.price)} → {usd(last.price)}: {signed(last.difference)}"
    rows = [
        (c.name, usd(c.price), signed(c.difference), f"{signed(c.low)} to {signed(c.high)}",
         "no" if abs(c.difference) <= found.noise else "yes")
        for c in found.changes
    ]  # fmt: skip
    head = ("Change", "Estimate", "Difference", f"Middle {LEVEL:.0%} moves by", "Beyond rewording")
    return (
        f'<div class="pricelab-out" role="status" aria-live="polite"><p class="pricelab-change">{shown(headline)}</p>'
        f"<p>That is {than} mere rewording does: up to {usd(found.noise)}.</p>"
        f"<p>The text then: {cards.echo(last.text)}</p>"
        f"{cards.table(head, rows, figures=(1, 2, 3))}"
        "<p>This is what the model would say, not why a market pays.</p></div>"
    )
