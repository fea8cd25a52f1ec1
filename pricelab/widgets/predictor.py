"""The price predictor: type a description, read price, interval and distribution. Notebook 00 ends with it.

``PredictorState`` holds what happens and needs no browser; ``PricePredictor`` is the thin view over it, made
of core ipywidgets (7.7 and 8.1). How an answer looks stands in ``cards``, how a price is found in ``pricer``.
"""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pricelab.widgets import cards
from pricelab.widgets.view import Form, keep_order

MAX_CHARACTERS = 20_000
LABEL_CHARACTERS = 32

EXAMPLES = {
    "Cordless drill driver kit": "Cordless drill driver kit\n"
    "18 V brushless motor, two 2.0 Ah batteries, charger and carry case. New.",
    "Electric kettle": "Electric kettle, stainless steel, 1.7 l, 2200 W, auto shut-off",
    "Office chair, refurbished": "Ergonomic office chair, mesh back, adjustable arms, black. Refurbished.",
    "Ballpoint pens": "Ballpoint pens, medium tip, blue ink, pack of 12",
}


@dataclass
class PredictorState:
    """What the predictor was asked and what came of it; every change calls ``on_change``."""

    pricer: Any  # .estimate(str) -> PriceEstimate, .untuned, .name
    compare: bool = True  # ask the untuned base as well
    text: str = ""  # the description last asked about
    status: str = "ready"  # "ready" | "estimating" | "answered" | "failed"
    answer: Any = None  # PriceEstimate of the fine-tuned model
    untuned: Any = None  # PriceEstimate of the bare base
    error: str = ""  # in words, empty when there is none
    on_change: Callable[[], None] = field(default=lambda: None, repr=False)
    turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def ask(self, text: str) -> None:
        """Estimate the price of a description. Whatever goes wrong ends in ``error``, nothing is raised."""
        with self.turn:  # a click may come in a thread of its own while a cell asks
            self._ask(text)

    def _ask(self, text: str) -> None:
        self.text, self.answer, self.untuned = str(text or ""), None, None
        self.error = "stopped before there was a price"  # stands only if the kernel is interrupted
        self._set("estimating")
        try:
            self.error = why_refused(self.text) or self._estimate()
        except Exception as problem:  # any failure of the model is told in words, not as a traceback
            self.error = f"the model failed: {str(problem) or type(problem).__name__}"
        finally:
            self._set("failed" if self.error else "answered")

    def _estimate(self) -> str:
        """Fill in the answers; returns what is wrong, in words, or nothing."""
        answer = self.pricer.estimate(self.text)
        if not math.isfinite(answer.estimate):
            return answer.warning or "the model gave no price for this text"
        self.untuned = self.pricer.untuned.estimate(self.text) if self.compare else None
        self.answer = answer
        return ""

    def _set(self, status: str) -> None:
        self.status = status
        self.on_change()


def why_refused(text: str) -> str:
    """Why a text is no description to price, in words; empty when it is one."""
    if not text.strip():
        return "the description is empty; type what the product is, its size, material and condition"
    if len(text) > MAX_CHARACTERS:
        return (
            f"the description has {len(text):,} characters, at most {MAX_CHARACTERS:,} are read; "
            "shorten it to what the product is"
        )
    return ""


class PricePredictor(Form):
    """A form that prices what is typed into it; show it as the last line of a cell.

    Args:
        pricer: a ``Pricer``, or anything with ``estimate(text)``, ``untuned`` and ``name``.
        examples: label → description, or descriptions alone; four of our own when left out.
        compare: show the untuned base's price beside the fine-tuned one.
    """

    def __init__(
        self,
        pricer: Any,
        examples: Mapping[str, str] | Sequence[str] | None = None,
        compare: bool = True,
    ) -> None:
        self.state = PredictorState(pricer, compare=compare, on_change=self._refresh)
        self._build(labelled(EXAMPLES if examples is None else examples))
        self._refresh()

    def ask(self, text: str) -> None:
        """Put a description into the form and estimate its price, as a press of the button does."""
        self.box.value = text
        self.state.ask(text)

    def _build(self, examples: Mapping[str, str]) -> None:
        import ipywidgets as w

        # the text travels as a whole when the box is left, ahead of the click that takes the focus away
        self.box = w.Textarea(
            description="Product description",
            placeholder="What it is, brand, size, material, condition",
            continuous_update=False,
            layout=w.Layout(width="auto"),
            style={"description_width": "auto"},
        )
        self.box.observe(lambda _: self._keep_order(), "value")
        self.button = w.Button(layout=w.Layout(width="auto"))
        self.button.add_class("pricelab-ask")
        self.button.on_click(lambda _: self.state.ask(self.box.value))
        self.examples = [self._example(label, text) for label, text in examples.items()]
        self.result = w.HTML()
        row = w.Layout(flex_flow="row wrap", align_items="center")
        self.view = w.VBox(
            [
                w.HTML(cards.STYLE, layout=w.Layout(display="none")),
                self.box,
                w.Box([self.button], layout=row),
                w.Box([w.Label("Or try:"), *self.examples] if self.examples else [], layout=row),
                self.result,
            ]
        )
        self.view.add_class("pricelab")

    def _example(self, label: str, text: str) -> Any:
        import ipywidgets as w

        button = w.Button(description=label, layout=w.Layout(width="auto"))
        button.on_click(lambda _: self.ask(text))
        return button

    def _refresh(self) -> None:
        """Show the state."""
        busy = self.state.status == "estimating"
        self.button.description = "Estimating…" if busy else "Estimate price"
        for button in (self.button, *self.examples):
            button.disabled = busy
        self.result.value = self._result()
        self._keep_order()

    def _keep_order(self) -> None:
        keep_order((self.box, self.button, *self.examples))

    def _result(self) -> str:
        state = self.state
        if state.status == "estimating":
            return cards.note("Estimating…")
        if state.status == "failed":
            return cards.error(state.error)
        if state.status == "answered":
            return cards.result(state.text, state.answer, state.untuned, state.pricer.name)
        return cards.note("The price appears here.")

    def __repr__(self) -> str:
        if self.state.status != "answered":
            return self._how()
        answer, text = self.state.answer, " ".join(self.state.text.split())
        price = f"{cards.usd(answer.estimate)}, {cards.interval_in_words(answer)}"
        return f"{self._how()}\n{text[:80]}{'…' if len(text) > 80 else ''}: {price}"


def labelled(examples: Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    """Examples with a short label each: their own, or the beginning of the first line."""
    if isinstance(examples, Mapping):
        return dict(examples)
    return {text.strip().split("\n")[0][:LABEL_CHARACTERS]: text for text in examples}
