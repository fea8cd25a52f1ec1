"""What the predictor was asked in this session, as a table and as a CSV to keep; nothing is written to disk.

How the CSV travels to the person is left to ``predictor_files``. Prices in US dollars.
"""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pricelab.plots import usd
from pricelab.widgets import cards
from pricelab.widgets.predictor_files import download_link, harmless
from pricelab.widgets.view import shown

COLUMNS = ("time", "description", "estimate", "low", "high", "untuned base", "remark")
SHOWN_ENTRIES = 20  # the newest; the export has all


@dataclass(frozen=True)
class Entry:
    """One question and what came of it."""

    time: str  # when it was answered, local time, ISO 8601
    text: str
    estimate: float | None  # US dollars, None where there was no price
    low: float | None
    high: float | None
    untuned: float | None  # the bare base's estimate, None where it wasn't asked
    remark: str  # a warning, or why there is no price


@dataclass
class History:
    """The session's questions, the oldest first."""

    entries: list[Entry] = field(default_factory=list)
    now: Callable[[], datetime] = field(default=datetime.now, repr=False)

    def add(self, text: str, answer: Any, untuned: Any = None, error: str = "") -> None:
        """Note a question; ``answer`` and ``untuned`` are estimates or None."""
        price, low, high = (_dollars(answer, name) for name in ("estimate", "low", "high"))
        remark = error or getattr(answer, "warning", None) or ""
        time = self.now().isoformat(sep=" ", timespec="seconds")
        self.entries.append(Entry(time, text, price, low, high, _dollars(untuned, "estimate"), remark))

    def clear(self) -> None:
        """Forget all of it."""
        self.entries.clear()

    def csv(self) -> str:
        """All entries with a header; what a spreadsheet would run as a formula gets an apostrophe in front."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(COLUMNS)
        for entry in self.entries:
            prices = (
                "" if price is None else price for price in (entry.estimate, entry.low, entry.high, entry.untuned)
            )
            writer.writerow([entry.time, harmless(entry.text), *prices, harmless(entry.remark)])
        return text.getvalue()


def page(history: History) -> str:
    """The newest entries as a table, with a link to all of them."""
    entries = history.entries
    if not entries:
        return cards.panel("<p>Nothing asked yet. Every answer of this session will be listed here.</p>")
    newest = entries[-SHOWN_ENTRIES:][::-1]
    rows = [(entry.time[-8:], cards.short(entry.text), _price(entry), entry.remark) for entry in newest]
    older = f" The {len(newest)} newest are shown, the file has all." if len(entries) > len(newest) else ""
    # spreadsheets take a file for UTF-8 that begins with its mark
    link = download_link("price-history.csv", history.csv().encode("utf-8-sig", "replace"), "Download as CSV")
    words = f"{len(entries):,} {'answer' if len(entries) == 1 else 'answers'} in this session.{older}"
    return cards.panel(f"<p>{shown(words)} {link}</p>{cards.table(('Time', 'Description', 'Price', 'Remark'), rows)}")


def _price(entry: Entry) -> str:
    if entry.estimate is None or entry.low is None or entry.high is None:
        return "no price"
    return f"{usd(entry.estimate)} ({usd(entry.low)} to {usd(entry.high)})"


def _dollars(answer: Any, name: str) -> float | None:
    price = float("nan") if answer is None else float(getattr(answer, name))
    return None if price != price else round(price, 2)
