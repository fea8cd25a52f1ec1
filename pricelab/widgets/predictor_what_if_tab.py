"""The what-if part of the price predictor as a form: three fields and a button over ``predictor_what_if``."""

from typing import Any

from pricelab import edits
from pricelab.widgets.predictor_part import Part, Start, label_above, row
from pricelab.widgets.predictor_what_if import WhatIfState, page

AS_IT_IS = "as it is"


class WhatIfTab(Part):
    """Another brand, size or condition, and the difference in dollars."""

    title, css = "What if …?", "pricelab-what-if"

    def __init__(self, state: WhatIfState) -> None:
        import ipywidgets as w

        self.state, self._for = state, ""
        self.brand = label_above(w.Combobox, "Brand", placeholder=AS_IT_IS, continuous_update=False)
        self.size = label_above(w.Combobox, "Size", placeholder=AS_IT_IS, continuous_update=False)
        self.condition = label_above(
            w.Dropdown, "Condition", options=[(AS_IT_IS, ""), *((c, c) for c in edits.CONDITIONS)]
        )
        for name in ("brand", "size", "condition"):
            getattr(self, name).observe(lambda change, name=name: self._entered(name, change["new"]), "value")
        self.start = Start(state.work, "what if", "Show the difference", state.start)
        self.result = w.HTML()
        self.fields = row(self.brand, self.size, self.condition, css="pricelab-fields")
        self.view = w.VBox([self.fields, self.start.view, self.result])
        self.controls = (self.brand, self.size, self.condition, *self.start.controls)

    def refresh(self) -> None:
        """Show the state."""
        state = self.state
        if state.text != self._for:
            self._offer()
        for name in ("brand", "size", "condition"):
            if getattr(self, name).value != getattr(state, name):
                getattr(self, name).value = getattr(state, name)
        for part in (self.fields, self.start.view):
            part.layout.display = None if state.text else "none"
        self.start.refresh("Comparing…", ready=bool(state.text))
        self.result.value = page(state)

    def _offer(self) -> None:
        """What can be chosen for this text; brands are looked up in the known items only now."""
        state = self.state
        self._for = state.text
        own = state.own_brand if state.text else ""
        self.brand.description = f"Brand ({own} now)" if own else "Brand (none known in the text)"
        self.brand.options = tuple(state.brands()) if state.text else ()
        size = state.own_size
        self.size.description = f"Size ({size} now)" if size else "Size (none in the text)"
        self.size.options = tuple(f"{float(size) * factor:g}" for factor in (0.5, 2)) if size else ()
        stated = state.own_condition
        self.condition.description = f"Condition ({stated} now)" if stated else "Condition (none in the text)"

    def _entered(self, name: str, value: Any) -> None:
        setattr(self.state, name, value or "")
