"""What several commands of `cli` share: arguments and options, and how they are read and printed."""

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pricelab.platforms import writes_unicode

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
Seed = Annotated[int, typer.Option(help="Same seed, same result.")]
OutFolder = Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to write.")]
Run = Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `pricelab finetune` wrote.")]
CatalogName = Annotated[
    str,
    typer.Argument(
        metavar="FILE|workshop|amazon-2023:CATEGORY",
        help="A CSV, TSV, JSON-lines or Parquet file with prices, or a catalog by its name.",
    ),
]
BaseName = Annotated[
    str | None, typer.Option(metavar="KEY|FOLDER|HUB_ID", help="The base model. Default: what fits this machine.")
]
ColumnNames = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="ROLE=NAME", help="Name a column: --column description=body. Repeatable."),
]

Currency = Annotated[
    str | None, typer.Option(metavar="CODE", help="Keep the prices in this currency, of a file that mixes several.")
]
Decimal = Annotated[str | None, typer.Option(metavar=".|,", help="What stands before the decimals of prices.")]
PriceRange = Annotated[
    tuple[float, float] | None,
    typer.Option(
        metavar="LOW HIGH",
        help="Keep prices from LOW to HIGH, such as 0.05 25000. Default: 1 to 999 of a file, and what the predictor "
        "can answer when it is evaluated.",
    ),
]


@contextlib.contextmanager
def saying_when_interrupted() -> Iterator[None]:
    """Print what an interrupt says; typer would swallow it."""
    try:
        yield
    except KeyboardInterrupt as error:
        print(str(error) or "interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        raise typer.Exit(130) from error


def columns_of(named: Sequence[str] | None) -> dict[str, str] | None:
    """What ``--column ROLE=NAME`` named, for `load_catalog`."""
    pairs = [entry.partition("=") for entry in named or ()]
    for role, equals, name in pairs:
        if not (role and equals and name):
            raise ValueError(f"--column {role + equals + name!r} is not ROLE=NAME, such as description=body")
    return {role: name for role, _, name in pairs} or None


def as_json_text(value: Any) -> str:
    """Any result as JSON for stdout; paths and numpy's numbers become plain ones."""
    return json.dumps(value, indent=2, ensure_ascii=not writes_unicode(sys.stdout), default=_plain)


def _plain(value: Any) -> str | float:
    return str(value) if isinstance(value, Path) else float(value)
