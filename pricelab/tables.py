"""Read somebody's product file: every cell a string, and which column is what.

What a price is, is left to ``prices``, what becomes of a row to ``catalog``. Row numbers are those of the file:
the header of a CSV is row 1, and so is the first line of JSON lines. Notebook 12 introduces it.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

JSON_LINES_SUFFIXES = (".jsonl", ".ndjson", ".json")
PACKED_MAGIC = (
    b"PK\x03\x04",
    b"\xd0\xcf\x11\xe0",
    b"\x1f\x8b",
    b"PAR1",
)  # .xlsx and zip, .xls, gzip, parquet

_ALIASES = {
    "title": "title name product product_name product_title item item_name item_title listing_title",
    "description": "description text details product_description item_description long_description",
    "price": "price price_usd usd usd_price price_in_usd cost amount list_price sale_price selling_price",
    "id": "id item_id product_id listing_id sku asin",
    "brand": "brand brand_name manufacturer",
    "category": "category product_category main_category",
    "currency": "currency currency_code price_currency",
}
_NEVER_NEEDED = ("id", "brand", "category")


@dataclass(frozen=True)
class Columns:
    """The file's own name of each column that pricelab uses; ``None`` where the file has none."""

    title: str | None = None
    description: str | None = None
    price: str | None = None
    id: str | None = None
    brand: str | None = None
    category: str | None = None
    currency: str | None = None


def read_table(path: str | Path) -> "pd.DataFrame":
    """A CSV (comma, UTF-8) or JSON-lines file as strings, nothing converted; the index is the file's row number.

    JSON numbers keep their digits, ``null`` and absent keys become ``""``, lists and objects stay JSON text.
    Blank lines are skipped. Raises ``FileNotFoundError`` or a ``ValueError`` that says where the file breaks.
    """
    import pandas as pd

    path = Path(path)
    text = _read_text(path)
    header, rows = (_read_json_lines if path.suffix.lower() in JSON_LINES_SUFFIXES else _read_csv)(path, text)
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ValueError(f"{path}: the column name {twice[0]!r} occurs more than once; give each column its own name")
    index = pd.Index(list(rows), name="row", dtype="int64")
    return pd.DataFrame(list(rows.values()), columns=pd.Index(header, dtype=object), index=index, dtype=object)


def find_columns(
    names: Iterable[str], columns: Mapping[str, str | None] | None = None, price_required: bool = True
) -> Columns:
    """Which column is what: named in ``columns`` (``{"description": "body"}``, ``None``: leave out), else guessed.

    A title or a description has to be there, and a price where it is required (else none is looked for). Raises
    ``ValueError`` with the file's columns when one of them is missing or several could be meant.
    """
    names, chosen = list(names), dict(columns or {})
    _check_chosen(chosen, names)
    if not price_required:
        chosen = {"price": None, "currency": None, **chosen}
    free = [name for name in names if name not in chosen.values()]
    guessed = {role: _guess(role, free, names) for role in _ALIASES if role not in chosen}
    found = Columns(**chosen, **guessed)
    if found.title is None and found.description is None:
        raise ValueError(f"no column with a description{_columns_help(names, 'description')}")
    if found.price is None and price_required:
        raise ValueError(f"no column with a price{_columns_help(names, 'price')}")
    return found


def _check_chosen(chosen: Mapping[str, str | None], names: list[str]) -> None:
    for role, name in chosen.items():
        if role not in _ALIASES:
            raise ValueError(f"columns={{{role!r}: …}} means nothing; it can name {', '.join(_ALIASES)}")
        if name is not None and name not in names:
            raise ValueError(f"there is no column {name!r}{_columns_help(names, role)}")


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.lower()).strip("_")


def _guess(role: str, free: list[str], names: list[str]) -> str | None:
    aliases = _ALIASES[role].split()
    hits = sorted((name for name in free if _plain(name) in aliases), key=lambda name: aliases.index(_plain(name)))
    if len(hits) > 1 and role not in _NEVER_NEEDED:
        raise ValueError(
            f"{' and '.join(map(repr, hits))} could both be the {role}{_columns_help(names, role, hits[0])}"
        )
    return hits[0] if hits else None


def _columns_help(names: list[str], role: str, example: str = "…") -> str:
    there = ", ".join(map(repr, names))
    python, shell = f'columns={{"{role}": "{example}"}}', f'--column "{role}={example}"'
    return f"; the file has the columns {there}. Say which with {python}, or on the command line with {shell}"


def _read_text(path: Path) -> str:
    if not path.exists():
        raise FileNotFoundError(f"no file {path}; give the path of a CSV or JSON-lines file")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give the path of a CSV or JSON-lines file inside it")
    raw = path.read_bytes()
    if raw.startswith(PACKED_MAGIC):
        raise ValueError(f"{path} is a spreadsheet or a packed file; save it as CSV (UTF-8) and give that")
    try:
        text = raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 (first at byte {error.start}); save it again as CSV UTF-8") from error
    if not text.strip():
        raise ValueError(f"{path} is empty; it needs a header and one row an item")
    return text


def _read_csv(path: Path, text: str) -> tuple[list[str], dict[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: dict[int, list[str]] = {}
    header: list[str] = []
    try:
        for number, cells in enumerate(reader, 1):
            if not header:
                header = cells
                _refuse_other_separators(path, header)
            elif cells or len(header) == 1:  # in a file of one column a blank line is an empty cell
                rows[number] = cells or [""]
                if len(cells or [""]) != len(header):
                    raise ValueError(
                        f"{path}: row {number} has {len(cells)} cells and the header {len(header)}; "
                        'put texts that contain a comma between double quotes, and write a quote inside them as ""'
                    )
    except csv.Error as error:
        raise ValueError(
            f"{path}: the CSV breaks at line {reader.line_num} ({error}); look for a stray quote"
        ) from error
    return header, rows


def _refuse_other_separators(path: Path, header: list[str]) -> None:
    for separator, word in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and separator in header[0]:
            raise ValueError(f"{path}: the columns are separated by {word}; save it as CSV with commas")


def _read_json_lines(path: Path, text: str) -> tuple[list[str], dict[int, list[str]]]:
    records = dict(_json_records(path, text))
    header = list(dict.fromkeys(name for record in records.values() for name in record))
    return header, {number: [record.get(name, "") for name in header] for number, record in records.items()}


def _json_records(path: Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            pairs = json.loads(line, object_pairs_hook=_Pairs, parse_float=str, parse_int=str, parse_constant=str)
            if not isinstance(pairs, _Pairs):
                raise ValueError("not an object in braces")
            if len({name for name, _ in pairs}) < len(pairs):
                raise ValueError("a key occurs twice")
            record = {name: _cell(value) for name, value in pairs}
            "".join([*record, *record.values()]).encode()  # half of a surrogate pair fails here, not in a tokenizer
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}: line {number} is not a JSON object on one line ({error})") from error
        yield number, record


class _Pairs(list):  # a JSON object whose repeated keys are still visible
    pass


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(_plain_json(value), ensure_ascii=False)


def _plain_json(value: Any) -> Any:
    if isinstance(value, _Pairs):
        return {name: _plain_json(inner) for name, inner in value}
    return [_plain_json(inner) for inner in value] if isinstance(value, list) else value
