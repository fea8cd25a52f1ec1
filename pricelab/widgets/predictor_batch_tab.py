"""The part of the price predictor for a whole file, as a form over ``predictor_batch``: upload, progress, download."""

import math
from typing import Any

from pricelab.batch import FILE_ENDINGS
from pricelab.plots import usd
from pricelab.widgets import cards
from pricelab.widgets.predictor_batch import BatchState
from pricelab.widgets.predictor_files import download_link, forget, uploaded
from pricelab.widgets.predictor_part import Part, Start, label_above, row
from pricelab.widgets.view import shown

NONE = "none"  # of the columns
PREVIEW = 5  # rows


class BatchTab(Part):
    """Choose a file, price its rows, save the result."""

    title, css = "A whole file", "pricelab-batch"

    def __init__(self, state: BatchState) -> None:
        import ipywidgets as w

        self.state, self._offering = state, False
        self._for: list[str] | None = None
        self.upload = w.FileUpload(
            description="Choose a CSV file",
            accept=",".join(FILE_ENDINGS),
            multiple=False,
            layout=w.Layout(width="auto"),
        )
        self.upload.observe(lambda _: self._uploaded(), "value")
        self.title_column = label_above(w.Dropdown, "Column with the title", options=[NONE])
        self.description_column = label_above(w.Dropdown, "Column with the description", options=[NONE])
        for box in (self.title_column, self.description_column):
            box.observe(lambda _: self._chosen(), "value")
        self.columns = row(self.title_column, self.description_column, css="pricelab-fields")
        self.start = Start(state.work, "batch", "Price all rows", state.start)
        self.bar = w.IntProgress(min=0, max=1, layout=w.Layout(width="auto", display="none"))
        self.result = w.HTML()
        self.view = w.VBox([row(self.upload), self.columns, self.start.view, self.bar, self.result])
        self.controls = (self.upload, self.title_column, self.description_column, *self.start.controls)

    def refresh(self) -> None:
        """Show the state."""
        state = self.state
        if self._for is not state.names:
            self._offer()
        self.columns.layout.display = None if state.names else "none"
        self.start.view.layout.display = None if state.names else "none"
        self.start.words = f"Price {_rows(state.rows)}" if state.rows else "Price all rows"
        self.start.refresh("Pricing…", ready=state.ready)
        busy = bool(state.work.busy)
        for control in (self.upload, self.title_column, self.description_column):
            control.disabled = busy
        self.bar.layout.display = None if state.status == "pricing" else "none"
        self.bar.max, self.bar.value = max(state.rows, 1), len(state.answers)
        self.result.value = page(state)

    def _offer(self) -> None:
        """The file's columns, those that are guessed chosen."""
        state, found = self.state, self.state.columns
        self._for, self._offering = state.names, True
        choices = [(NONE, ""), *((cards.short(name) or "(no name)", name) for name in state.names)]
        for box, name in (
            (self.title_column, found.title if found else None),
            (self.description_column, found.description if found else None),
        ):
            box.options = choices
            box.value = name or ""
        self._offering = False

    def _chosen(self) -> None:
        if not self._offering:
            self.state.choose(self.title_column.value or None, self.description_column.value or None)

    def _uploaded(self) -> None:
        if file := uploaded(self.upload.value):
            self.state.load(*file)
            forget(self.upload)


def page(state: BatchState) -> str:
    """The state as HTML."""
    if state.status == "failed":
        return cards.error(state.error, "This file can't be priced")
    if state.status == "pricing":
        return cards.note(f"{len(state.answers):,} of {state.rows:,} rows priced{_left(state)}")
    if state.result is not None:
        return _done(state)
    if state.status == "loaded" and state.columns is None:
        return cards.note(f"{state.name}: {_rows(state.rows)}. Which column describes the product? Choose it above.")
    if state.status == "loaded":
        return cards.note(f"{state.name}: {_rows(state.rows)}, ready to be priced.")
    return cards.note(
        "A CSV, TSV, JSON-lines or Parquet file with one product a row. It comes back with all its rows and columns, "
        "and four more: estimate, low, high and warning."
    )


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


def _left(state: BatchState) -> str:
    if not state.answers:
        return ""
    seconds = state.seconds / len(state.answers) * (state.rows - len(state.answers))
    return f", about {math.ceil(seconds / 60)} min left" if seconds > 90 else f", about {math.ceil(seconds)} s left"


def _done(state: BatchState) -> str:
    done: Any = state.result
    head = "Done" if done.finished else "Cancelled on the way"
    words = [f"{head}: {_rows(done.rows)}, {done.rows - done.without:,} with a price, {done.without:,} without."]
    if done.without:
        words.append("A row without one keeps its place, and its column “warning” says why.")
    if done.formulas:
        cells = (
            "cell that a spreadsheet would run as a formula has"
            if done.formulas == 1
            else ("cells that a spreadsheet would run as formulas have")
        )
        words.append(f"{done.formulas:,} {cells} an apostrophe in front.")
    rows = [
        (cards.short(text), _price(answer), answer["warning"])
        for text, answer in zip(state.texts[:PREVIEW], state.answers[:PREVIEW], strict=False)
    ]
    first = f"The first {len(rows)} rows" if len(rows) > 1 else "The first row"
    link = download_link(done.name, done.content, f"Download {done.name}")
    return (
        f'<div class="pricelab-out" role="status" aria-live="polite"><p>{shown(" ".join(words))}</p><p>{link}</p>'
        f"{cards.table(('Description', 'Price', 'Warning'), rows, caption=first)}</div>"
    )


def _price(answer: dict[str, Any]) -> str:
    if answer["estimate"] is None:
        return "no price"
    return f"{usd(answer['estimate'])} ({usd(answer['low'])} to {usd(answer['high'])})"
