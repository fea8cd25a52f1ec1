"""``audit(catalog)``: what in a catalog fakes a score or teaches nonsense, as a table, with a fix that can be taken.

It looks at texts and prices and knows no model. What each kind of fault is, and the search for it, stand in
``findings``; what a file's rows become, in ``catalog``. Notebook 02 introduces it, notebook 09 shows what such faults
do to a score, notebook 12 runs it on a catalog of your own.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pricelab.catalog import Catalog
from pricelab.findings import KINDS, TRAIN, Finding, search, short
from pricelab.show import html_table, text_table
from pricelab.text_faults import without_markup, without_own_price

__all__ = ["KINDS", "Audit", "Change", "Changes", "Finding", "audit"]


class Change(NamedTuple):
    """What `Audit.fixed` did to one item."""

    split: str
    id: str
    what: str
    text: str  # as it was before


@dataclass(frozen=True, repr=False)
class Changes:
    """All that `Audit.fixed` did; a sequence of `Change`, and a table."""

    changes: tuple[Change, ...]

    def __len__(self) -> int:
        return len(self.changes)

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def __str__(self) -> str:
        return text_table(_CHANGED, self._table()) if self.changes else "nothing was changed"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(_CHANGED, self._table())

    def _table(self) -> list[tuple[str, ...]]:
        counts = Counter((change.what, change.split) for change in self.changes)
        first = {(change.what, change.split): change for change in reversed(self.changes)}
        return [
            (what, split, f"{count:,}", f"{first[what, split].id} {short(first[what, split].text)!r}")
            for (what, split), count in counts.most_common()
        ]


_CHANGED = ("change", "split", "items", "first")


@dataclass(frozen=True, repr=False)
class Audit:
    """What `audit` found; shows itself as a table."""

    catalog: Catalog = field(compare=False)
    findings: tuple[Finding, ...]

    def __getitem__(self, kind: str) -> tuple[Finding, ...]:
        if kind not in KINDS:
            raise ValueError(f"no kind of finding {kind!r}; there are {', '.join(KINDS)}")
        return tuple(finding for finding in self.findings if finding.kind == kind)

    def __str__(self) -> str:
        return f"{self._summary()}\n{text_table(('finding', 'n', 'where', 'first'), [row[:4] for row in self._rows()])}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        headers = ("finding", "n", "where", "first", "why it matters", "offered fix")
        return html_table(headers, self._rows(), caption=self._summary())

    def _summary(self) -> str:
        items = sum(map(len, self.catalog.splits.values()))
        fakes = sum(finding.fakes_score for finding in self.findings)
        return f"{self.catalog.name}: {items:,} items, {len(self.findings):,} findings, {fakes:,} of them fake a score"

    def _rows(self) -> list[tuple[str, ...]]:
        return [(kind, *_told(self[kind]), *about) for kind, about in KINDS.items()]

    def fixed(self) -> tuple[Catalog, Changes]:
        """The catalog with the offered fixes, and what was changed; the audited one stays as it is.

        Texts are mended in every split. Items are left out of ``train`` only: what stands in another split stays there,
        so a test set never shrinks unseen.
        """
        mended, changes = _mended(self)
        kept, left_out = _thinned(audit(mended) if changes else self)
        return kept, Changes((*changes, *left_out))


def audit(catalog: Catalog) -> Audit:
    """Look for what fakes a score or teaches nonsense; `KINDS` says what, `near_duplicates` how near is near.

    - Exact duplicates agree in letters and digits; case, spaces, punctuation and markup don't count.
    - A price in the text is the item's own (`own_prices`), not just any amount.
    - Families are compared where a split's name says "unseen". Items without a family are told apart by the last two
      words of their title's first part without numbers; that errs, so it is reported and not fixed.
    - Odd prices lie far from the others, or far too many items have them.

    Raises:
        ValueError: ``catalog`` is no `Catalog`.
    """
    if not isinstance(catalog, Catalog):
        raise ValueError(f"audit takes a Catalog, as load_catalog gives it; this is of type {type(catalog).__name__}")
    return Audit(catalog, search(catalog))


def _mended(found: Audit) -> tuple[Catalog, list[Change]]:
    """The catalog without markup and without prices in texts."""
    wrong: dict[tuple[str, int], list[str]] = {}
    for kind in ("markup", "price in text"):
        for finding in found[kind]:
            wrong.setdefault((finding.items[0][0], finding.rows[0]), []).append(kind)
    splits, changes = {split: list(items) for split, items in found.catalog.splits.items()}, []
    for (split, row), kinds in wrong.items():
        item = splits[split][row]
        title, text = (without_own_price(without_markup(words), item.price) for words in (item.title, item.text))
        splits[split][row] = replace(item, title=title, text=text)
        changes += [Change(split, item.id, f"{kind}: {KINDS[kind].fix}", item.text) for kind in kinds]
    return _with(found.catalog, splits), changes


def _thinned(found: Audit) -> tuple[Catalog, list[Change]]:
    """The catalog without the items of train that the findings name."""
    train, reasons = found.catalog.splits.get(TRAIN, ()), {}
    for finding in found.findings:
        rows = [row for (split, _), row in zip(finding.items, finding.rows, strict=True) if split == TRAIN]
        if finding.kind == "repeat in train":
            first = {train[row].price: row for row in reversed(rows)}
            rows = [row for row in rows if row not in first.values()]
        if finding.kind == "family in two splits":
            rows = [row for row in rows if train[row].family]
        if finding.kind not in ("odd price", "markup", "price in text"):
            reasons.update({row: finding.kind for row in rows if row not in reasons})
    kept = [item for row, item in enumerate(train) if row not in reasons]
    changes = [
        Change(TRAIN, train[row].id, f"{kind}: left out of train", train[row].text) for row, kind in reasons.items()
    ]
    return _with(found.catalog, {**found.catalog.splits, TRAIN: kept} if reasons else found.catalog.splits), changes


def _with(catalog: Catalog, splits: dict) -> Catalog:
    return replace(catalog, splits={split: tuple(items) for split, items in splits.items()})


def _told(findings: tuple[Finding, ...]) -> tuple[str, str, str]:
    """How many, in which splits, and the first with its ids and quote."""
    if not findings:
        return "0", "", ""
    where = Counter(" + ".join(finding.splits) for finding in findings).most_common()
    first, ids = findings[0], ", ".join(identifier for _, identifier in findings[0].items[:3])
    more = " …" if len(first.items) > 3 else ""
    places = ", ".join(f"{splits} ({count:,})" if len(where) > 1 else splits for splits, count in where)
    return f"{len(findings):,}", places, f"{ids}{more}: {first.quote!r}"
