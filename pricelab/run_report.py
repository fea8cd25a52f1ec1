"""The report of `pricelab run` as one HTML page: what passed, the leaderboard, comparisons, claims, figures, timings.

The page holds everything itself: no script, no request, figures inline; it reads in light and dark, on a phone and on
paper. What the notebooks found is gathered by `run_findings`, running them is `notebooks`'. Every text is escaped.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pricelab.files import write_text_atomic
from pricelab.run_findings import Findings, findings

NAME = "report.html"
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SIGNS = {"shown": "✓", "undecided": "?"}  # of verdicts; what is not shown has a cross
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fff; --soft: #565656; --line: #8a8a8a; --bar: #0072b2;
  --bad: #a33c00; --tint: #f2f5f8; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececec; --paper: #16181b; --soft: #b8b8b8; --line: #777;
  --bar: #56b4e9; --bad: #ffa264; --tint: #22262b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 72rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink);
  background: var(--paper); overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0.5rem 0; }
h2 { font-size: 1.25rem; margin: 2rem 0 0.5rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.2rem 0 0.4rem; }
p { margin: 0.3rem 0; }
a { color: inherit; }
.soft { color: var(--soft); }
.headline { font-size: 1.15rem; font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
.wide { overflow-x: auto; }
.wide:focus-visible { outline: 3px solid var(--bar); }
table { border-collapse: collapse; font-size: 0.87rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 0.9rem 0.25rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: normal; }
td:not(:first-child) { white-space: nowrap; }
td:first-child { min-width: 8rem; }
ul { margin: 0.2rem 0; padding-left: 1.2rem; }
nav a { margin-right: 1rem; display: inline-block; }
.times td:nth-child(3) { text-align: right; }
.times td:last-child { width: 30%; min-width: 5rem; }
.bar { display: block; height: 0.8rem; min-width: 2px; background: var(--bar); margin-top: 0.35rem; }
pre { overflow-x: auto; padding: 0.6rem; background: var(--tint); border-left: 4px solid var(--bad); font-size: 0.85rem;
  white-space: pre-wrap; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(30rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; }
figcaption { font-size: 0.9rem; color: var(--soft); }
img { max-width: 100%; height: auto; background: #fff; padding: 0.3rem; border: 1px solid var(--line); }
@media print {
  :root { color-scheme: light; --ink: #000; --paper: #fff; --soft: #333; --line: #999; --bar: #0072b2; --bad: #a33c00; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  h2, h3 { break-after: avoid; }
  tr, figure, pre { break-inside: avoid; }
  .wide { overflow: visible; }
  nav { display: none; }
  table { font-size: 7.5pt; }
  td:not(:first-child) { white-space: normal; }
  .bar { print-color-adjust: exact; }
  .figures { grid-template-columns: 1fr 1fr; }
}
"""


@dataclass(frozen=True)
class Circumstances:
    """Under which a run took place, in words."""

    profile: str
    reason: str  # for the profile
    base: str
    machine: str
    versions: str
    when: str  # date and time


def circumstances(profile: Any) -> Circumstances:
    """Those of this machine, now, for a `profiles.Profile`."""
    import time
    from importlib.metadata import version

    from pricelab import __version__
    from pricelab.artifacts import PACKAGES
    from pricelab.normalise import this_machine

    versions = ", ".join([f"pricelab {__version__}", *(f"{name} {version(name)}" for name in PACKAGES)])
    when = time.strftime("%Y-%m-%d %H:%M %Z")
    return Circumstances(profile.name, profile.reason, profile.base, this_machine(), versions, when)


def write_report(outcomes: Sequence[Any], about: Circumstances, out: Path, board: Any = None) -> Path:
    """Write the report of a run into the folder ``out``; returns its path.

    Args:
        outcomes: of the run, as `notebooks.run` returns them.
        about: under which it took place.
        out: the folder; links to executed notebooks are relative to it.
        board: the `Leaderboard`, if there is one.
    """
    found = [findings(outcome.copy) if outcome.copy else Findings(outcome.notebook.stem) for outcome in outcomes]
    path = out / NAME
    write_text_atomic(path, page(outcomes, found, about, out, board))
    return path


def page(outcomes: Sequence[Any], found: Sequence[Findings], about: Circumstances, out: Path, board: Any) -> str:
    """The whole page."""
    failed = sum(bool(outcome.error) for outcome in outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    headline = f"{len(outcomes) - failed} of {len(outcomes)} notebooks passed in {_time(seconds)}"
    sections = [
        *_failures(outcomes),
        *_leaderboard(board),
        *_tables(found),
        *_claims(found),
        *_times(outcomes, found, out),
        *_figures(found),
    ]
    parts = [
        f'<p class="headline{" bad" if failed else ""}">{headline}</p>',
        f'<p class="soft">{escape(about.when)} · profile {escape(about.profile)} ({escape(about.reason)}), base '
        f"{escape(about.base)} · {escape(about.machine)}</p>",
        f'<p class="soft">{escape(about.versions)}</p>',
        _contents(sections),
        *sections,
    ]
    title = "Report of the workbook"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def _failures(outcomes: Sequence[Any]) -> Iterator[str]:
    if failed := [outcome for outcome in outcomes if outcome.error]:
        yield _heading("What failed")
        for outcome in failed:
            yield f"<h3>{escape(outcome.notebook.name)}</h3><pre>{escape(ANSI.sub('', outcome.error))}</pre>"


def _leaderboard(board: Any) -> Iterator[str]:
    if board is not None and board.rows():
        yield _heading("Leaderboard")
        yield _wide(board._repr_html_(), "Leaderboard")
        yield '<p class="soft">Scores of this profile on this machine; those of earlier runs stay.</p>'


def _tables(found: Sequence[Findings]) -> Iterator[str]:
    if any(each.tables for each in found):
        yield _heading("Comparison")
    for each in found:
        for table in each.tables:
            body = table.html or f"<pre>{escape(table.text)}</pre>"
            yield f'<h3>{escape(table.caption)}</h3><p class="soft">{escape(each.title)}</p>'
            yield _wide(body, table.caption)


def _claims(found: Sequence[Findings]) -> Iterator[str]:
    if any(each.claims for each in found):
        yield _heading("What the experiments show")
    for each in found:
        if each.claims:
            lines = (
                f"<li><strong>{SIGNS.get(claim.verdict, '✗')} {escape(claim.verdict)}:</strong> "
                f'{escape(claim.statement)} <span class="soft">({escape(claim.evidence)})</span></li>'
                for claim in each.claims
            )
            yield f"<h3>{escape(each.title)}</h3><ul>{''.join(lines)}</ul>"


def _times(outcomes: Sequence[Any], found: Sequence[Findings], out: Path) -> Iterator[str]:
    longest = max((outcome.seconds for outcome in outcomes), default=0) or 1
    rows = []
    for outcome, each in zip(outcomes, found, strict=True):
        name = escape(each.title)
        if outcome.copy:
            name = f'<a href="{escape(_link(outcome.copy, out))}">{name}</a>'
        went = '<strong class="bad">✗ failed</strong>' if outcome.error else "✓ passed"
        bar = f'<span class="bar" style="width: {100 * outcome.seconds / longest:.1f}%"></span>'
        rows.append(f"<tr><td>{name}</td><td>{went}</td><td>{_time(outcome.seconds)}</td><td>{bar}</td></tr>")
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Notebook", "Went", "Time", "Share of the longest"))
    yield _heading("Notebooks and their time")
    yield _wide(f'<table class="times"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>', "Times")
    yield '<p class="soft">Links lead to the executed notebooks: open this folder with <code>jupyter lab</code>.</p>'


def _figures(found: Sequence[Findings]) -> Iterator[str]:
    if any(each.figures for each in found):
        yield _heading("Figures")
    for each in found:
        if each.figures:
            shown = "".join(
                f'<figure><img src="data:image/png;base64,{escape(figure.png)}" alt="{escape(figure.heading)}: figure '
                f'{number} of this notebook"><figcaption>{escape(figure.heading)}</figcaption></figure>'
                for number, figure in enumerate(each.figures, start=1)
            )
            yield f'<h3>{escape(each.title)}</h3><div class="figures">{shown}</div>'


def _heading(words: str) -> str:
    return f'<h2 id="{_id(words)}">{words}</h2>'


def _id(words: str) -> str:
    return words.lower().replace(" ", "-")


def _contents(sections: Sequence[str]) -> str:
    """Links to the sections that there are."""
    there = [match[1] for part in sections if (match := re.match("<h2[^>]*>([^<]*)", part))]
    links = "".join(f'<a href="#{_id(words)}">{words}</a>' for words in there)
    return f'<nav aria-label="Sections">{links}</nav>'


def _wide(table: str, label: str) -> str:
    """A table that may be wider than a phone: it scrolls by itself, with the keyboard too."""
    return f'<div class="wide" tabindex="0" role="region" aria-label="{escape(label)}">{table}</div>'


def _link(path: Path, folder: Path) -> str:
    try:
        return quote(Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix())
    except ValueError:  # another drive
        return path.resolve().as_uri()


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"
