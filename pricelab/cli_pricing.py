"""The commands that use a finished run: `predict`, `export` and `evaluate`; `cli` adds them to the others."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from pricelab import cli_serving as serving
from pricelab.cli_options import (
    ColumnNames,
    Currency,
    Decimal,
    JsonFlag,
    OutFolder,
    Overwrite,
    PriceRange,
    Run,
    as_json_text,
    columns_of,
    saying_when_interrupted,
)
from pricelab.platforms import as_text


def predict(
    folder: Run,
    what: Annotated[
        str, typer.Argument(metavar="DESCRIPTION|FILE", help="A text, or a CSV, TSV, JSON-lines or Parquet file.")
    ],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where a file's answers go.")] = None,
    column: ColumnNames = None,
    overwrite: Overwrite = False,
    as_json: JsonFlag = False,
    engine: serving.Engine = "here",
    workers: serving.Workers = 2,
    address: serving.Address = None,
    gpus: serving.Gpus = None,
) -> None:
    """Estimate the price of one description, or of every row of a file.

    A file keeps its rows and columns and gets four more: estimate, low, high (80 % interval) and warning. It may be of
    any size; interrupted, the same command goes on from where it was.

    Example: pricelab predict runs/shop "steel garlic press, dishwasher safe"

    Example: pricelab predict runs/shop new.csv --out priced.csv

    Example: pricelab predict runs/shop new.parquet --out priced.parquet --engine ray --workers 8
    """
    from pricelab import Pricer
    from pricelab.batch import as_file, check_output, predict_file

    file = as_file(what)
    if file is None and out is not None:
        raise FileNotFoundError(
            f"there is no file {what}; for a description leave out --out, which is for a file's answers"
        )
    if file is not None and out is None:
        raise ValueError(f"{file} is a file; add --out FILE, where its answers go")
    if file is None or out is None:
        _print_estimate(Pricer.load(folder).estimate(as_text(what)), as_json)
        return
    check_output(file, out, overwrite)  # before the model is loaded
    if engine == "ray":
        rows = serving.predict_with_ray(folder, file, out, workers, address, gpus, columns_of(column), overwrite)
        print(f"wrote {rows} rows to {out}")
        return
    with saying_when_interrupted():
        rows = predict_file(Pricer.load(folder), file, out, columns=columns_of(column), overwrite=overwrite)
    print(f"wrote {rows} rows to {out}")


def _print_estimate(answer: Any, as_json: bool) -> None:
    if answer.estimate != answer.estimate:  # NaN: there was nothing to estimate
        raise ValueError(answer.warning)
    if as_json:
        print(as_json_text({name: getattr(answer, name) for name in ("estimate", "low", "high", "warning", "unread")}))
        return
    estimate, low, high = (_dollars(price) for price in (answer.estimate, answer.low, answer.high))
    print(f"{estimate} (80 % interval {low} to {high})")
    if answer.warning:
        print(f"warning: {answer.warning}", file=sys.stderr)


def _dollars(price: float) -> str:
    return f"${price:,.0f}" if price >= 10 else f"${price:,.2f}"


def export(
    folder: Run,
    out: OutFolder,
    items: Annotated[
        str, typer.Option("--items", metavar="FILE|workshop", help="Whose texts to measure the drift on.")
    ] = "workshop",
    column: ColumnNames = None,
    as_json: JsonFlag = False,
) -> None:
    """Merge the adapter into its base, as one 16-bit checkpoint, and say by how many dollars that moves its estimates.

    Example: pricelab export runs/shop --out runs/shop-merged --items shop.csv
    """
    from pricelab import load_catalog
    from pricelab.artifacts import Manifest
    from pricelab.catalog import load_items
    from pricelab.export import ITEMS
    from pricelab.export import export as merge
    from pricelab.price_format import PriceFormat

    if items == "workshop":
        found = load_catalog()["test"]
    else:
        limits = PriceFormat.stored(Manifest.read(folder).price_format).range
        found = load_items(items, columns=columns_of(column), price_range=limits)[0]
    drift = merge(folder, out, [item.text for item in found[:ITEMS]], progress=not as_json)
    print(as_json_text(asdict(drift)) if as_json else f"{drift}; the checkpoint is in {out}")


def evaluate(
    folder: Run,
    file: Annotated[Path, typer.Argument(help="A CSV, TSV, JSON-lines or Parquet file with prices.")],
    column: ColumnNames = None,
    currency: Currency = None,
    decimal: Decimal = None,
    price_range: PriceRange = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure the error on every usable row of a file, beside a constant and the stored ridge.

    Example: pricelab evaluate runs/shop data/catalog/test.csv
    """
    from pricelab import Pricer
    from pricelab.comparison import compare_file

    reading: dict[str, Any] = {"columns": columns_of(column), "currency": currency, "decimal": decimal}
    reading["price_range"] = price_range
    comparison, rows = compare_file(Pricer.load(folder), file, **reading, progress=True)
    print(rows, file=sys.stderr)
    print(as_json_text(comparison.to_dict()) if as_json else comparison)
