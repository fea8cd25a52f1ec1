"""What became of a file's rows: how many were kept, which were left out, and why.

Deciding that is left to ``catalog`` and ``amazon``. Of a stream of millions of rows only the first of each reason are
kept, and the others counted. Notebook 12 introduces it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pricelab.show import html_table

SHOWN_ROWS = 5


class Dropped(NamedTuple):
    """A row that was left out: its number in the file, why, and the cell that decided it."""

    row: int
    reason: str
    text: str


@dataclass(frozen=True)
class LoadReport:
    """What became of a file's rows; ``rows_read == rows_kept + sum(left_out.values())``."""

    rows_read: int
    rows_kept: int
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()
    more: Mapping[str, int] = field(default_factory=dict)  # reason → rows left out beyond those in ``dropped``
    currency: str = "USD"  # ISO 4217 code of the kept prices

    @property
    def left_out(self) -> dict[str, int]:
        """Reason → how many rows were left out for it, the commonest first."""
        counts = Counter(drop.reason for drop in self.dropped)
        counts.update(self.more)
        return dict(counts.most_common())

    def __str__(self) -> str:
        left_out = sum(self.left_out.values())
        lines = [f"{self.rows_read:,} rows read, {self.rows_kept:,} kept, {left_out:,} left out"]
        lines += [f"  {count} × {reason}{': ' * bool(where)}{where}" for reason, count, where in self._reasons()]
        return "\n".join(lines + [f"  note: {note}" for note in self.notes])

    __repr__ = __str__  # thousands of rows would fill a notebook

    def _repr_html_(self) -> str:
        rows = [("kept", f"{self.rows_kept:,}", "")]
        rows += [(reason, count, examples) for reason, count, examples in self._reasons()]
        return html_table(("rows", "n", "where"), rows + [("note", "", note) for note in self.notes])

    def _reasons(self) -> list[tuple[str, str, str]]:
        """(reason, count, first rows with their text), the commonest first."""
        listed = {reason: [drop for drop in self.dropped if drop.reason == reason] for reason in self.left_out}
        return [
            (reason, f"{n:,}", first_rows(listed[reason]) + (" …" if self.more.get(reason) and listed[reason] else ""))
            for reason, n in self.left_out.items()
        ]


class Tally:
    """Counts the rows that a stream leaves out, and keeps the first few of each reason: small however long it is."""

    def __init__(self) -> None:
        self.dropped: list[Dropped] = []
        self.more: Counter[str] = Counter()
        self._listed: Counter[str] = Counter()

    def add(self, row: int, reason: str, text: str) -> None:
        """Count a row, and keep it where it is among the first of its reason."""
        if self._listed[reason] < SHOWN_ROWS:
            self._listed[reason] += 1
            self.dropped.append(Dropped(row, reason, short(text, 80)))
        else:
            self.more[reason] += 1


def first_rows(drops: Sequence[Dropped], most: int = SHOWN_ROWS) -> str:
    """The first few rows with their text, for a message."""
    shown = ", ".join(f"row {drop.row} {short(drop.text)!r}" for drop in drops[:most])
    return shown + (" …" if len(drops) > most else "")


def short(text: str, width: int = 30) -> str:
    """The beginning of a text."""
    return text if len(text) <= width else text[: width - 1] + "…"
