"""A small shop's export to practise on: workshop products in a shop's own columns, with the flaws that exports have.

``python -m pricelab.workshop.shop_export --out data/examples`` writes ``shop-export.csv`` and its card. Items come from
``generate`` with a seed of their own, so no row is one of the workshop catalog's; which flaws there are, and how many
of each, stands in ``FLAWS``. Finding and mending them is left to ``catalog`` and ``audit``. Introduced in notebook 12.
"""

import argparse
import csv
import html
import io
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path

from pricelab.files import write_text_atomic
from pricelab.workshop.dice import Dice
from pricelab.workshop.generate import draw_item
from pricelab.workshop.tables import Family, load_tables

SEED = 1203
STREAM = 9  # the workshop's splits use 0 to 5
PRODUCTS = 420
DEPARTMENTS = ("kitchen", "small appliances", "power tools", "audio", "lighting")
FILE, CARD = "shop-export.csv", "README.md"
FLAWS = {
    "body is HTML": 36,
    "price stands in the body": 6,
    "no body": 4,
    "no price": 5,
    "price is “call us”": 3,
    "price of 0.00, not yet entered": 2,
    "price of 9,999.00, a placeholder": 2,
    "neither name nor body": 1,
    "listed twice, word for word": 6,
    "listed twice, at another price": 4,
    "listed twice, reworded a little": 10,
}
PRICE_FORMS = ("${}", "${}", "${}", "{} USD", "US${}", "{}")
REWORDINGS = ("{} - New Arrival", "NEW: {}", "{}, In Stock")


@dataclass(frozen=True, slots=True)
class Listing:
    """One line of the export, as written."""

    sku: str
    name: str
    body: str
    maker: str
    department: str
    list_price: str
    stock: str


def draw_listings(seed: int = SEED) -> list[Listing]:
    """The export's rows in their order: clean ones, flawed ones and listings that come twice."""
    dice = Dice(seed, STREAM)
    listings = _products(dice)
    places = iter(dice.shuffled(range(len(listings))))
    for flaw, spoil in _SPOIL.items():
        for place in [next(places) for _ in range(FLAWS[flaw])]:
            listings[place] = spoil(listings[place])
    copies = [
        copy(listings[next(places)], dice) for flaw, copy in _COPY.items() for _ in range(FLAWS[flaw])
    ]  # fmt: skip
    rows = dice.shuffled([*listings, *copies])
    return [replace(row, sku=f"S{10_000 + 7 * number}") for number, row in enumerate(rows)]


def _products(dice: Dice) -> list[Listing]:
    """Different products, families in shuffled rounds."""
    tables = load_tables()
    families = [family for family in tables.families if family.category in DEPARTMENTS]
    found: dict[str, Listing] = {}
    queue: list[Family] = []
    while len(found) < PRODUCTS:
        queue = queue or dice.shuffled(families)
        row = draw_item(queue[-1], "", tables, dice)
        text = f"{row.title}\n{row.description}".lower()
        if text not in found:
            price = dice.pick(PRICE_FORMS).format(row.price)
            stock = str(dice.below(60))
            found[text] = Listing("", row.title, row.description, row.brand, row.category, price, stock)
            queue.pop()
    return list(found.values())


def _as_html(listing: Listing) -> Listing:
    sentences = [sentence for sentence in listing.body.split(". ") if sentence]
    parts = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences[1:])
    body = f"<p>{html.escape(sentences[0])}</p>" + (f"<ul>{parts}</ul>" if parts else "&nbsp;<br/>")
    return replace(listing, body=body)


def _with_price(listing: Listing) -> Listing:
    amount = listing.list_price.strip("US$D ")
    return replace(listing, body=f"{listing.body} Now only ${amount}, while stocks last!")


_SPOIL: dict[str, Callable[[Listing], Listing]] = {
    "body is HTML": _as_html,
    "price stands in the body": _with_price,
    "no body": lambda listing: replace(listing, body=""),
    "no price": lambda listing: replace(listing, list_price=""),
    "price is “call us”": lambda listing: replace(listing, list_price="call us"),
    "price of 0.00, not yet entered": lambda listing: replace(listing, list_price="0.00"),
    "price of 9,999.00, a placeholder": lambda listing: replace(listing, list_price="$9,999.00"),
    "neither name nor body": lambda listing: replace(listing, name="", body=""),
}
_COPY: dict[str, Callable[[Listing, Dice], Listing]] = {
    "listed twice, word for word": lambda listing, dice: listing,
    "listed twice, at another price": lambda listing, dice: _dearer(listing),
    "listed twice, reworded a little": lambda listing, dice: replace(
        listing, name=dice.pick(REWORDINGS).format(listing.name)
    ),
}


def _dearer(listing: Listing) -> Listing:
    """The same offer at the next whole dollar and a half."""
    amount = float(listing.list_price.strip("US$D "))
    return replace(listing, list_price=f"${round(amount * 1.08) + 0.5:.2f}")


def csv_text(listings: list[Listing]) -> str:
    """The export as CSV with a header and LF line ends."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = [field.name for field in fields(Listing)]
    writer.writerow(names)
    writer.writerows([[getattr(listing, name) for name in names] for listing in listings])
    return buffer.getvalue()


def card_text(listings: list[Listing], seed: int = SEED) -> str:
    """The card of the file, as Markdown; every number is counted or the generator's own."""
    rows = "\n".join(f"| {flaw} | {count} |" for flaw, count in FLAWS.items())
    return f"""# A shop's export

`{FILE}`: {len(listings)} rows of an invented shop with {len(DEPARTMENTS)} departments ({", ".join(DEPARTMENTS)}),
written by `python -m pricelab.workshop.shop_export --out data/examples`, seed {seed}. This page is written by the same
command. Made for notebook 12, to walk the way from a file to a decision.

**Synthetic**, like the workshop catalog: the same price formula, families and invented brands
(`pricelab/workshop/*.csv`), other items. No row comes from a real shop. The effect of brand and condition on the price
is therefore known, and notebook 12 compares what a model learned with it.

Columns: `sku`, `name`, `body`, `maker` (empty where the text leaves the brand out), `department`, `list_price` (US
dollars, as text), `stock` (drawn at random, says nothing about the price).

Planted flaws; a row has at most one of those above the last three, which are copies of other rows:

| flaw | rows |
|---|---|
{rows}

Not for training a model that prices real products, nor for judging one. Licence: Apache-2.0, as the rest of pricelab.
"""


def write_export(out: Path, seed: int = SEED) -> list[Path]:
    """Write the file and its card into ``out``; the same seed gives the same bytes."""
    listings = draw_listings(seed)
    texts = {FILE: csv_text(listings), CARD: card_text(listings, seed)}
    for name, text in texts.items():
        write_text_atomic(Path(out) / name, text)
    return [Path(out) / name for name in texts]


def main() -> None:
    """Parse the command line, write, and say what was written."""
    parser = argparse.ArgumentParser(prog="python -m pricelab.workshop.shop_export", description="Write the export.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to; made when missing")
    for path in write_export(parser.parse_args().out):
        print(f"{path.name}  {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
