"""What became of a file's rows: how many were kept, which were left out, and why.

Deciding that is left to ``catalog``. Notebook 12 introduces it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pricelab.show import html_table

_SHOWN_ROWS = 5


class Dropped(NamedTuple):
    """A row that was left out: its number in the file, why, and the cell that decided it."""

    row: int
    reason: str
    text: str


@dataclass(frozen=True)
class LoadReport:
    """What became of a file's rows; ``rows_read == rows_kept + len(dropped)``."""

    rows_read: int
    rows_kept: int
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.rows_read:,} rows read, {self.rows_kept:,} kept, {len(self.dropped):,} left out"]
        lines += [f"  {count} × {reason}: {examples}" for reason, count, examples in self._reasons()]
        return "\n".join(lines + [f"  note: {note}" for note in self.notes])

    def _repr_html_(self) -> str:
        rows = [("kept", f"{self.rows_kept:,}", "")]
        rows += [(reason, count, examples) for reason, count, examples in self._reasons()]
        return html_table(("rows", "n", "where"), rows + [("note", "", note) for note in self.notes])

    def _reasons(self) -> list[tuple[str, str, str]]:
        """(reason, count, first rows with their text), the commonest first."""
        counts = Counter(drop.reason for drop in self.dropped).most_common()
        return [(reason, f"{n:,}", first_rows([d for d in self.dropped if d.reason == reason])) for reason, n in counts]


def first_rows(drops: Sequence[Dropped]) -> str:
    """The first few rows with their text, for a message."""
    shown = ", ".join(f"row {drop.row} {_short(drop.text)!r}" for drop in drops[:_SHOWN_ROWS])
    return shown + (" …" if len(drops) > _SHOWN_ROWS else "")


def _short(text: str, width: int = 30) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
