"""What executed notebooks found, gathered for a report: their claims, their figures, and the tables they mark.

A cell marks its table with a caption in its metadata, as in ``{"pricelab": {"report": "On new items"}}``. Of HTML that
notebooks hold only the tags of a table are kept; `run_report` shows what is found here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pricelab.claims import verdict
from pricelab.normalise import few_colours

VERDICTS = (verdict(1, 2), verdict(-2, -1), verdict(-1, 1))
CLAIM = re.compile(
    rf"^({'|'.join(map(re.escape, VERDICTS))}): (.+?)(?:\s+\(([^()]*95 % interval[^()]*)\))?$", re.MULTILINE
)
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)  # in which "#" begins a comment, not a heading
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
TABLE_TAGS = {"table", "caption", "thead", "tbody", "tr", "th", "td", "div", "p", "strong", "em", "span", "br"}
MARKDOWN_SIGNS = re.compile(r"[`*]")


@dataclass(frozen=True)
class Claim:
    """An empirical statement and what its experiment says of it."""

    verdict: str  # as `claims.verdict` has it
    statement: str
    evidence: str  # value, interval and n, in words


@dataclass(frozen=True)
class Figure:
    """A picture that a cell drew."""

    png: str  # base64
    heading: str  # the last one above it, of an exercise left out


@dataclass(frozen=True)
class Table:
    """A table that a cell marked for the report."""

    caption: str
    html: str  # tags of a table without attributes; "" where the cell shows text alone
    text: str


@dataclass(frozen=True)
class Findings:
    """What one executed notebook found."""

    title: str = ""
    claims: tuple[Claim, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()


def findings(path: Path) -> Findings:
    """What the executed notebook at ``path`` found."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    headings = [match for cell in notebook.cells if cell.cell_type == "markdown" for match in _headings(cell)]
    figures = tuple(_figures(notebook.cells))
    tables = tuple(table for cell in notebook.cells for table in _tables(cell))
    claims = tuple(claim for cell in notebook.cells for claim in _claims(cell))
    return Findings(headings[0] if headings else path.stem, claims, figures, tables)


def _headings(cell: Any) -> list[str]:
    return [MARKDOWN_SIGNS.sub("", heading) for heading in HEADING.findall(CODE.sub("", cell.source))]


def _figures(cells: list[Any]) -> Iterator[Figure]:
    heading = ""
    for cell in cells:
        if cell.cell_type == "markdown":
            above = [each for each in _headings(cell) if not each.startswith("Exercise")]
            heading = (above or [heading])[-1]
        for output in cell.get("outputs", ()):
            if png := output.get("data", {}).get("image/png"):
                yield Figure(few_colours("".join(png.split())), heading)


def _claims(cell: Any) -> Iterator[Claim]:
    for output in cell.get("outputs", ()):
        if output.output_type == "stream" and output.name == "stdout":
            yield from (Claim(*found) for found in CLAIM.findall(output.text))


def _tables(cell: Any) -> Iterator[Table]:
    caption = cell.metadata.get("pricelab", {}).get("report", "")
    for output in cell.get("outputs", ()) if caption else ():
        if (data := output.get("data", {})) and "image/png" not in data:
            yield Table(caption, _only_table(data.get("text/html", "")), data.get("text/plain", ""))


def _only_table(html: str) -> str:
    """The HTML of a table without anything that a page could run or load."""
    import bleach

    return bleach.clean(html, tags=TABLE_TAGS, attributes={"th": ["scope"]}, strip=True, strip_comments=True)
