"""The budget explorer: turn the knobs of a training run, see what it takes in memory, time, money and energy.

A thin view over ``budget_state``, made of core ipywidgets (7.7 and 8.1); how the answer looks is in ``budget_page``,
the formulas in ``costs``. Notebook 01 introduces it.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pricelab import costs
from pricelab.costs import Budget
from pricelab.widgets import budget_page
from pricelab.widgets.budget_state import ADAPTERS, OWN_SIZE, THIS_MACHINE, BudgetState
from pricelab.widgets.quantity import Quantity
from pricelab.widgets.view import Form, keep_order

METHODS = {"scratch": "from scratch", "full": "full fine-tuning", "lora": "LoRA", "qlora": "QLoRA"}


class BudgetExplorer(Form):
    """A form that turns the knobs of a training run into its costs; show it as the last line of a cell.

    Args:
        plan: knobs to begin with, as ``BudgetState`` names them, for example ``model="Qwen3-4B", method="lora"``.

    Raises:
        ValueError: the plan has nothing of that name.
    """

    def __init__(self, **plan: Any) -> None:
        self.state, self.showing = BudgetState(), False
        self._build()
        self.state.on_change = self._refresh
        self.state.set(**plan)

    def set(self, **changes: Any) -> None:
        """Change knobs of the plan, as a person does in the form."""
        self.state.set(**changes)

    @property
    def budget(self) -> Budget | None:
        """What the plan costs, or None if it makes no sense."""
        return self.state.budget

    def _build(self) -> None:
        import ipywidgets as w

        models = [*costs.SHAPES, OWN_SIZE]
        hardware = [*((name, name) for name in costs.HARDWARE), (f"{THIS_MACHINE}, measured", THIS_MACHINE)]
        self.knobs: dict[str, Any] = {
            "model": self._list("Model", models),
            "parameters": self._quantity("parameters", "Weights of your model", 1e6, 1e12),
            "count": self._list("Count the data in", [("items (texts)", "items"), ("tokens", "tokens")]),
            "items": self._quantity("items", "Items, repeats counted", 10, 1e10),
            "tokens": self._quantity("tokens", "Tokens, repeats counted", 1e3, 1e14),
            "method": self._list("Method", [(label, id) for id, label in METHODS.items()]),
            "rank": self._number(w.BoundedIntText, "LoRA rank", 1, 4096),
            "precision": self._list("Weights held in", [("usual", "")]),
            "batch": self._number(w.BoundedIntText, "Texts at a time", 1, 65_536),
            "length": self._number(w.BoundedIntText, "Tokens a text", 1, 1_000_000),
            "checkpointing": w.Checkbox(
                description="Gradient checkpointing", indent=False, layout=w.Layout(width="auto")
            ),
            "hardware": self._list("Hardware", hardware),
            "devices": self._number(w.BoundedIntText, "Devices (0: as few as hold it)", 0, 1_000_000),
            "usd_per_hour": self._number(w.BoundedFloatText, "US dollars an hour, one device", 0, 10_000),
        }
        for name, knob in self.knobs.items():
            if not isinstance(knob, Quantity):
                knob.observe(lambda change, name=name: self._turned(name, change["new"]), "value")
        self.result, self.formulas = w.HTML(), w.HTML()
        self.unfold = w.ToggleButton(layout=w.Layout(width="auto"))  # keeps its state, which a new <details> would lose
        self.unfold.observe(lambda _: self._show_answer(), "value")
        knobs = w.Box([getattr(knob, "view", knob) for knob in self.knobs.values()])
        knobs.add_class("pricelab-knobs")
        looks = w.HTML(budget_page.STYLE, layout=w.Layout(display="none"))
        self.view = w.VBox([looks, knobs, self.result, w.Box([self.unfold]), self.formulas])
        self.view.add_class("pricelab")

    def _list(self, label: str, options: Sequence[Any]) -> Any:
        import ipywidgets as w

        wide = w.Layout(width="auto")
        return w.Dropdown(description=label, options=options, layout=wide, style={"description_width": "auto"})

    def _number(self, kind: type, label: str, low: float, high: float) -> Any:
        import ipywidgets as w

        wide = w.Layout(width="auto")
        return kind(description=label, min=low, max=high, layout=wide, style={"description_width": "auto"})

    def _quantity(self, name: str, label: str, low: float, high: float) -> Quantity:
        return Quantity(label, low, high, lambda value: self._turned(name, value))

    def _turned(self, name: str, value: Any) -> None:
        with self.state.turn:  # another thread may be showing something else
            if not self.showing:
                self.state.set(**{name: value})

    def _refresh(self) -> None:
        """Show the state."""
        self.showing = True
        try:
            self._show_knobs()
            self._show_answer()
        finally:
            self.showing = False
        controls = (getattr(knob, "controls", (knob,)) for knob in self.knobs.values())
        keep_order(control for several in controls for control in several)

    def _show_knobs(self) -> None:
        state = self.state
        usual = f"the usual: {state.usual_precision}" if state.budget else "the usual"
        self.knobs["precision"].options = [(each or usual, each) for each in state.precisions]
        for name, knob in self.knobs.items():
            value = state.price if name == "usd_per_hour" else getattr(state, name)
            if isinstance(knob, Quantity):
                knob.show(value)
            else:
                _put(knob, value)
        used = {
            "parameters": state.model == OWN_SIZE,
            "items": state.count == "items",
            "tokens": state.count == "tokens",
            "rank": state.method in ADAPTERS,
        }
        for name, shown in used.items():
            knob = self.knobs[name]
            getattr(knob, "view", knob).layout.display = None if shown else "none"

    def _show_answer(self) -> None:
        state = self.state
        if state.status == "measuring":
            self.result.value = budget_page.note("Measuring this machine…")
        elif state.budget is None:
            self.result.value = budget_page.error(state.error)
        else:
            self.result.value = budget_page.page(state.budget)
        self.unfold.description = f"{'Hide' if self.unfold.value else 'Show'} formulas and sources"
        self.formulas.value = budget_page.formulas(state.budget) if self.unfold.value and state.budget else ""

    def __repr__(self) -> str:
        return f"{self._how()}\n{self.state.budget or self.state.error}"


def _put(knob: Any, value: Any) -> None:
    """Show a value, unless the control has no such value: then the answer says what is wrong with it."""
    from traitlets import TraitError

    with suppress(TraitError):
        knob.value = value
