"""The scores of all notebooks in one file and one table, which says which rows may be compared.

How a score comes about is left to ``evaluation``. Notebook 00 adds the learner's row, notebook 03 introduces the table.
"""

from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from pricelab.files import read_json, write_json_atomic
from pricelab.scores import Score, html_of, text_of

SAME_ITEMS = "Rows with the same letter were scored on the same items; compare only those."


@dataclass(frozen=True, repr=False)
class Leaderboard:
    """Scores kept in a JSON file, one for each model, split and set of items."""

    path: str | Path

    def add(self, score: Score, split: str) -> None:
        """Write the score, atomically, in place of an earlier one of the same model on the same items."""
        new = {"split": split, **score.to_dict()}
        others = [row for row in self.rows() if (row["name"], *_items(row)) != (score.name, *_items(new))]
        write_json_atomic(Path(self.path), [*others, new])

    def rows(self) -> list[dict[str, Any]]:
        """``Score.to_dict()`` with its ``split``: by split, then by set of items (the largest first), then by error."""
        rows = read_json(Path(self.path)) if Path(self.path).exists() else []
        try:
            return sorted(rows, key=lambda row: (row["split"], -row["n"], _items(row), row["mae"]["value"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"{self.path} is no leaderboard ({error!r}); delete it and evaluate again") from error

    def __str__(self) -> str:
        table = self._table()
        return f"{text_of(table)}\n{SAME_ITEMS}" if table else text_of(table)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        table = self._table()
        return f"{html_of(table)}<div>{SAME_ITEMS}</div>" if table else html_of(table)

    def _table(self) -> list[dict[str, str]]:
        rows, table = self.rows(), []
        sets = list(dict.fromkeys(map(_items, rows)))
        for row in rows:
            shown = Score.from_dict({key: value for key, value in row.items() if key != "split"}).as_row()
            letters = {"items": _letter(sets.index(_items(row)))}
            table.append({"model": shown.pop("model"), "split": row["split"], **letters, **shown})
        return table


def _items(row: dict[str, Any]) -> tuple[str, str, int]:
    """What two rows must share to be comparable; scores of earlier versions carry no fingerprint."""
    return row["split"], row.get("items", ""), row["n"]


def _letter(number: int) -> str:
    """A … Z, AA, AB, …"""
    head, last = divmod(number, len(ascii_uppercase))
    return (_letter(head - 1) if head else "") + ascii_uppercase[last]
