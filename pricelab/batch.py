"""A whole file at once: estimates written beside its rows, or the error over all of its priced rows.

Reading is left to `catalog`, estimating to `pricer`, judging to `evaluation`; this module joins them for
``pricelab predict`` and ``pricelab evaluate``. Prices in US dollars. Introduced in notebook 12.
"""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pricelab.files import write_text_atomic

if TYPE_CHECKING:
    from pricelab.catalog import Catalog
    from pricelab.evaluation import Difference, Score
    from pricelab.pricer import Pricer

ADDED_COLUMNS = ("estimate", "low", "high", "warning")
FILE_ENDINGS = (".csv", ".json", ".jsonl", ".ndjson", ".parquet", ".tsv", ".txt", ".xlsx")


def predict_file(
    pricer: "Pricer",
    source: Path,
    out: Path,
    *,
    columns: Mapping[str, str] | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> int:
    """Write ``source`` to ``out``, rows and columns in order, with `ADDED_COLUMNS`; returns how many rows.

    CSV stays CSV and JSON lines stay JSON lines. A row without a description keeps its place with a blank
    estimate and a warning. Raises `ValueError` for another format, for columns that are already there, and
    for an existing ``out`` unless ``overwrite``; ``out`` appears whole or not at all.
    """
    from pricelab.catalog import find_columns, listing_text, read_table

    check_output(source, out, overwrite)
    table = read_table(source)
    if taken := [name for name in ADDED_COLUMNS if name in table.columns]:
        raise ValueError(f"{source} already has the columns {', '.join(taken)}; rename or remove them first")
    found = find_columns(list(table.columns), columns, price_required=False)
    titles, descriptions = (_cells(table, name) for name in (found.title, found.description))
    texts = [listing_text(*pair) for pair in zip(titles, descriptions, strict=True)]
    answers = [_answer(estimate) for estimate in pricer.estimate(texts, progress=progress)]
    write_text_atomic(out, _with_answers(source, table, answers))
    return len(texts)


def as_file(what: str) -> Path | None:
    """The path when ``what`` names a file, None when it is a description.

    Raises `FileNotFoundError` when it looks like a file's name and there is none: that is no description.
    """
    path = Path(what)
    try:
        if path.is_file():
            return path
    except (OSError, ValueError):  # too long for a name, or with a zero byte in it
        return None
    if what.lower().endswith(FILE_ENDINGS) and len(what.split()) == 1:
        raise FileNotFoundError(f"there is no file {what}")
    return None


def check_output(source: Path, out: Path, overwrite: bool) -> None:
    """Raise `ValueError` when ``out`` may not be written from ``source``."""
    if _is_json(source) != _is_json(out):
        raise ValueError(f"{source.name} and {out.name} differ in format; end --out's name in {source.suffix}")
    if out.exists() and not overwrite:
        raise ValueError(f"{out} exists; choose another name, or add --overwrite")


def _is_json(path: Path) -> bool:
    from pricelab.tables import JSON_LINES_SUFFIXES

    return path.suffix.lower() in JSON_LINES_SUFFIXES


def _cells(table: Any, column: str | None) -> list[str]:
    return list(table[column]) if column else [""] * len(table)


def _answer(estimate: Any) -> dict[str, Any]:
    prices = {name: _dollars(getattr(estimate, name)) for name in ("estimate", "low", "high")}
    return {**prices, "warning": estimate.warning or ""}


def _dollars(price: float) -> float | None:
    return None if math.isnan(price) else round(float(price), 2)


def _with_answers(source: Path, table: Any, answers: Sequence[dict[str, Any]]) -> str:
    text = source.read_bytes().decode("utf-8-sig")
    if _is_json(source):
        lines = text.split("\n")
        numbered = zip(table.index, answers, strict=True)
        return "".join(_extended(lines[number - 1], answer) + "\n" for number, answer in numbered)
    added = {name: [answer[name] for answer in answers] for name in ADDED_COLUMNS}
    # csv quotes a lone carriage return only from Python 3.13 on
    quoting = csv.QUOTE_ALL if "\r" in text.replace("\r\n", "\n") else csv.QUOTE_MINIMAL
    return table.assign(**added).to_csv(index=False, lineterminator="\n", quoting=quoting)


def _extended(line: str, answer: dict[str, Any]) -> str:
    """The JSON object of ``line`` with more keys; what is there keeps its very digits."""
    head = line.strip().removesuffix("}").rstrip()
    return head + ("" if head.endswith("{") else ", ") + json.dumps(answer, ensure_ascii=False)[1:]


@dataclass(frozen=True)
class FileEvaluation:
    """The models' errors on one file."""

    scores: tuple["Score", ...]  # of the fine-tuned model first, then of its references
    differences: Mapping[str, "Difference"]  # reference → dollars saved per item against it
    notes: tuple[str, ...]  # what was kept and dropped, and what else to know

    def as_dict(self) -> dict[str, Any]:
        """The evaluation for JSON."""
        differences = {name: asdict(difference) for name, difference in self.differences.items()}
        scores = [score.to_dict() for score in self.scores]
        return {"scores": scores, "saved_per_item": differences, "notes": self.notes}

    def __str__(self) -> str:
        from pricelab.show import text_table

        rows = [score.as_row() for score in self.scores]
        table = text_table(list(rows[0]), [list(row.values()) for row in rows])
        saved = [f"saved against {name}: {value}" for name, value in self.differences.items()]
        return "\n".join([*self.notes, "", table, "", *saved])


def evaluate_file(
    pricer: "Pricer", source: Path, *, columns: Mapping[str, str] | None = None, progress: bool = True
) -> FileEvaluation:
    """Score ``pricer``, its stored ridge and its training prices' median on every usable row of ``source``.

    Raises `ValueError` for a file that `load_catalog` cannot read, or a model that answers no row.
    """
    import numpy as np

    from pricelab.catalog import load_catalog
    from pricelab.evaluation import evaluate, paired_difference

    catalog = load_catalog(source, columns=columns, seed=pricer.manifest.seed)
    items = [item for split in catalog.splits.values() for item in split]
    texts, prices = [item.text for item in items], np.array([item.price for item in items])
    answers = pricer.estimate(texts, progress=progress)
    estimates, low, high = (np.array([getattr(answer, end) for answer in answers]) for end in ADDED_COLUMNS[:3])
    references = {model.name: model.predict(texts) for model in (pricer.constant, pricer.ridge)}
    scores = [evaluate(prices, estimates, low, high, name=pricer.name)]
    scores += [evaluate(prices, guesses, name=name) for name, guesses in references.items()]
    saved = {name: paired_difference(prices, estimates, guesses) for name, guesses in references.items()}
    return FileEvaluation(tuple(scores), saved, (str(catalog.report), *_seen(pricer, catalog)))


def _seen(pricer: "Pricer", catalog: "Catalog") -> list[str]:
    if pricer.manifest.data["fingerprint"] != catalog.fingerprint:
        return []
    return ["  note: the model learned from this very file, so these errors are too low; use rows it never saw"]
