"""Small tables for people: aligned text for the terminal, escaped HTML for a notebook; which of the two it is.

Every report of pricelab prints through these tables, so nothing from a catalog reaches HTML unescaped.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TextIO

HEAD = '<th scope="col" style="text-align: left">'  # notebooks would set it flush right, over cells flush left
CELL = '<td style="text-align: left; max-width: 34em">'


def text_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded to their widest cell; the first is flush left, the others flush right."""
    lines = [[" ".join(str(cell).split()) for cell in line] for line in (headers, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headers))]
    lines.insert(1, ["-" * width for width in widths])
    aligned = (
        [f"{line[0]:<{widths[0]}}", *(f"{c:>{w}}" for c, w in zip(line[1:], widths[1:], strict=True))] for line in lines
    )
    return "\n".join("  ".join(line).rstrip() for line in aligned)


def html_text(text: object) -> str:
    """Text for HTML: escaped, and each dollar sign in a span of its own.

    JupyterLab sets what stands between two dollar signs of one piece of text as a formula, in tables too.
    """
    return escape(str(text)).replace("$", "<span>$</span>")


def html_table(headers: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    """The same table as HTML; headers, cells and caption are escaped."""
    head = "".join(f"{HEAD}{html_text(header)}</th>" for header in headers)
    body = "".join("<tr>" + "".join(f"{CELL}{html_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    title = f"<caption>{html_text(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


@dataclass(frozen=True, repr=False)
class Table:
    """Headers and rows of text; a notebook shows it as a table, a terminal as aligned text."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        return text_table(self.headers, self.rows)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(self.headers, self.rows)


def progress_stream() -> TextIO:
    """Where progress bars go: a notebook colours what goes to stderr as an error."""
    return sys.stdout if in_notebook() else sys.stderr


def in_notebook() -> bool:
    """Whether this code runs in a notebook, where figures can be shown."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and "IPKernelApp" in shell.config
