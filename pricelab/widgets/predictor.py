"""The price predictor: type a description, read price, interval and distribution. Notebook 00 ends with it.

The thin view over ``predictor_state``, made of core ipywidgets (7.7 and 8.1). Below the answer are parts, one open at a
time, each a state and a view of its own: similar items, what if, a whole file, the session's history. How an answer
looks stands in ``cards``, threads and Cancel in ``predictor_work``.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from pricelab.items import Item
from pricelab.widgets import cards
from pricelab.widgets.predictor_batch import BatchState
from pricelab.widgets.predictor_batch_tab import BatchTab
from pricelab.widgets.predictor_examples import Examples, by_category
from pricelab.widgets.predictor_history_tab import HistoryTab
from pricelab.widgets.predictor_part import Part, Start, label_above, row
from pricelab.widgets.predictor_similar import Similar, SimilarState
from pricelab.widgets.predictor_state import PredictorState
from pricelab.widgets.predictor_what_if import WhatIfState
from pricelab.widgets.predictor_what_if_tab import WhatIfTab
from pricelab.widgets.predictor_work import Work
from pricelab.widgets.view import Form, keep_order


class PricePredictor(Form):
    """A form that prices what is typed into it; show it as the last line of a cell.

    Args:
        pricer: a ``Pricer``, or anything with ``estimate(text)``, ``estimate(texts)``, ``untuned`` and ``name``.
        examples: category → label → description, or label → description, or descriptions; our own when left out.
        compare: show the untuned base's price beside the fine-tuned one.
        items: what the pricer learned from, for similar items and their brands; found when it is pricelab's own
            catalog.
    """

    def __init__(
        self,
        pricer: Any,
        examples: Examples | Mapping[str, str] | Sequence[str] | None = None,
        compare: bool = True,
        items: Sequence[Item] | None = None,
    ) -> None:
        self.work = Work()
        self.state = PredictorState(pricer, compare=compare, on_change=self._refresh, work=self.work)
        self.similar = SimilarState(pricer, items, on_change=self._refresh, work=self.work)
        self.what_if = WhatIfState(pricer, lambda: self.similar.items, on_change=self._refresh, work=self.work)
        self.batch = BatchState(pricer, on_change=self._refresh, work=self.work)
        self.open: Part | None = None
        self._build(by_category(examples))
        self.work.on_change = self._refresh
        self._refresh()

    def ask(self, text: str) -> None:
        """Put a description into the form and estimate its price, as a press of the button does, and wait for it."""
        self.box.value = text
        self.state.ask(text)

    @property
    def history(self) -> Any:
        """What was asked in this session (``predictor_history.History``)."""
        return self.state.history

    def _build(self, examples: dict[str, dict[str, str]]) -> None:
        import ipywidgets as w

        # the text travels as a whole when the box is left, ahead of the click that takes the focus away
        self.box = label_above(
            w.Textarea,
            "Product description",
            placeholder="What it is, brand, size, material, condition",
            continuous_update=False,
        )
        self.box.observe(lambda _: self._keep_order(), "value")
        self.start = Start(self.work, "estimate", "Estimate price", lambda: self.state.start(self.box.value))
        self.button, self.cancel = self.start.button, self.start.cancel
        self.result = w.HTML()
        self.parts: list[Part] = [
            Similar(self.similar),
            WhatIfTab(self.what_if),
            BatchTab(self.batch),
            HistoryTab(self.state.history, self._refresh),
        ]
        self.part_buttons = [self._button(part.title, partial(self.show, part)) for part in self.parts]
        for part in self.parts:
            part.view.add_class(part.css)
            part.view.add_class("pricelab-part")
        tabs = row(*self.part_buttons)
        tabs.add_class("pricelab-tabs")
        self.view = w.VBox(
            [
                w.HTML(cards.STYLE, layout=w.Layout(display="none")),
                self.box,
                self.start.view,
                self._examples(examples),
                self.result,
                tabs,
                *(part.view for part in self.parts),
            ]
        )
        self.view.add_class("pricelab")

    def _examples(self, examples: dict[str, dict[str, str]]) -> Any:
        """One button an example of the chosen category, and a list of categories where there are several."""
        import ipywidgets as w

        self._groups = examples
        self.category = w.Dropdown(options=list(examples) or [""], layout=w.Layout(width="auto"))
        self.category.description = "Examples"
        self.category.style.description_width = "auto"
        self.category.observe(lambda _: self._offer(), "value")
        most = max((len(group) for group in examples.values()), default=0)
        self.examples = [self._button("", partial(self._try, place)) for place in range(most)]
        self._offer()
        lead = [self.category] if len(examples) > 1 else [w.Label("Or try:")]
        view = row(*lead, *self.examples) if most else row()
        view.add_class("pricelab-examples")
        return view

    def _offer(self) -> None:
        labels = list(self._groups.get(self.category.value, {}))
        for place, button in enumerate(self.examples):
            button.description = labels[place] if place < len(labels) else ""
            button.layout.display = None if place < len(labels) else "none"

    def _try(self, place: int) -> None:
        text = list(self._groups[self.category.value].values())[place]
        if not self.work.busy:
            self.box.value = text
            self.state.start(text)

    def _button(self, words: str, on_click: Callable[[], Any]) -> Any:
        import ipywidgets as w

        button = w.Button(description=words, layout=w.Layout(width="auto"))
        button.on_click(lambda _: on_click())
        return button

    def show(self, part: Part | None) -> None:
        """Open a part of the form and close the one before; the open one, or None, closes it."""
        self.open = None if part is self.open else part
        self._refresh()
        if self.open is not None:
            self.open.opened()

    def _refresh(self) -> None:
        """Show the state; a part that is closed is left alone."""
        with self.work.changes:  # a click may come in one thread while another has an answer
            self._keep_order()  # first: what shows below can be used at once
            self._show()

    def _show(self) -> None:
        self.start.refresh("Estimating…")
        for button in self.examples:
            button.disabled = bool(self.work.busy)
        self.result.value = self._result()
        answered = self.state.text if self.state.status == "answered" else ""
        if self.work.busy != "estimate":
            self.similar.about(answered)
            self.what_if.about(answered)
        for part, button in zip(self.parts, self.part_buttons, strict=True):
            self._show_part(part, button)

    def _show_part(self, part: Part, button: Any) -> None:
        is_open = part is self.open
        button.description = f"{'▾' if is_open else '▸'} {part.title}"
        (button.add_class if is_open else button.remove_class)("pricelab-open")
        if is_open:
            part.refresh()
        else:
            part.result.value = ""  # what nobody sees is not read out either
        part.view.layout.display = None if is_open else "none"

    def _keep_order(self) -> None:
        parts = self.open.controls if self.open else ()
        keep_order((self.box, *self.start.controls, self.category, *self.examples, *self.part_buttons, *parts))

    def _result(self) -> str:
        state = self.state
        if state.status == "failed":
            return cards.error(state.error)
        if state.answer is not None:
            waiting = state.status == "estimating"
            return cards.result(state.text, state.answer, state.untuned, state.pricer.name, waiting=waiting)
        words = {"estimating": "Estimating…", "cancelled": "Cancelled; nothing was priced."}
        return cards.note(words.get(state.status, "The price appears here."))

    def static(self) -> str:
        """The last answer as HTML that does nothing, for where widgets don't run."""
        answer = self._result() if self.state.status in ("answered", "failed") else ""
        return f'<div class="pricelab">{cards.STYLE}<p>{self._how()}</p>{answer}</div>'

    def __repr__(self) -> str:
        if self.state.status != "answered":
            return self._how()
        answer, text = self.state.answer, " ".join(self.state.text.split())
        price = f"{cards.usd(answer.estimate)}, {cards.interval_in_words(answer)}"
        return f"{self._how()}\n{text[:80]}{'…' if len(text) > 80 else ''}: {price}"
