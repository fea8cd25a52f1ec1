"""What the price predictor says as HTML: one card a model with a chart in it, tables, errors in words.

Every text from outside passes ``view.shown``. The charts are inline SVG, told apart by name and form (filled, outlined)
as well as by colour.
"""

import math
from collections.abc import Sequence
from typing import Any

from pricelab.items import one_line
from pricelab.plots import BLUE, VERMILION, decades, price_histogram, usd
from pricelab.widgets.view import shown, style

ECHO_CHARACTERS = 160  # how much of a description is repeated above its price
CELL_CHARACTERS = 90  # and in a table
CHART_WIDTH, CHART_HEIGHT, BASELINE = 400, 92, 85  # in units of the chart, which stretches to its card
MOST_TICKS = 6  # prices named under a chart

ANSWER_STYLE = """
.pricelab textarea { min-height: 6em; resize: vertical; }
.pricelab .widget-textarea { flex-direction: column; align-items: stretch; }
.pricelab .widget-textarea .widget-label { text-align: left; width: auto; font-weight: 600; }
.pricelab textarea::placeholder { color: inherit; opacity: 0.75; }
.pricelab-cards { display: flex; flex-wrap: wrap; gap: 0.8rem; }
.pricelab-card { flex: 1 1 17rem; min-width: 0; max-width: 29.6rem; padding: 0.6rem 0.9rem;
  border: 1px solid #808080; border-radius: 6px; box-sizing: border-box; }
.pricelab-chart { margin: 0.5rem 1.5rem 0; text-align: center; font-size: 0.85em; }
.pricelab-chart svg { display: block; width: 100%; height: 6rem; overflow: visible; }
.pricelab-chart div { position: relative; height: 1.5em; }
.pricelab-chart div > span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.pricelab-out .pricelab-price { font-size: 2.4rem; line-height: 1.2; font-weight: 600; margin: 0; }
"""

PARTS_STYLE = f"""
.pricelab-row {{ display: flex; flex-flow: row wrap; align-items: center; gap: 0.35rem; margin: 0 2px;
  overflow: visible; }}
.pricelab-row button {{ margin: 0; }}
.pricelab .pricelab-cancel {{ border: 1px solid currentColor; background: none; }}
.pricelab .pricelab-examples {{ margin: 0.4rem 2px; }}
.pricelab .pricelab-examples .widget-dropdown {{ flex-direction: row; align-items: center; gap: 0.4rem; margin: 0; }}
.pricelab .pricelab-examples select {{ width: auto; }}
.pricelab-tabs {{ margin-top: 0.8rem; border-bottom: 1px solid #808080; gap: 0.2rem; }}
.pricelab-tabs button {{ border: 1px solid transparent; border-bottom: none; border-radius: 6px 6px 0 0;
  background: none; height: auto; min-height: 2.2em; padding: 0.2em 0.8em; line-height: 1.4; }}
.pricelab-tabs button.pricelab-open {{ border-color: #808080; font-weight: 600;
  box-shadow: inset 0 3px 0 0 {BLUE}; }}
.pricelab-part {{ padding: 0.5rem 0 0.2rem; overflow: visible; gap: 0.4rem; }}
.pricelab-fields {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(12rem, 1fr)); gap: 0.3rem 1rem;
  align-items: end; overflow: visible; }}
.pricelab-out .pricelab-change {{ font-size: 1.5rem; line-height: 1.3; font-weight: 600; margin: 0.1em 0; }}
.pricelab-out table {{ border-collapse: collapse; width: 100%; margin: 0.4em 0; font-size: inherit; }}
.pricelab-out :is(th, td) {{ text-align: left; vertical-align: top; padding: 0.25em 0.8em 0.25em 0;
  border-bottom: 1px solid #80808080; white-space: normal; background: none; }}
.pricelab-out th {{ font-weight: 600; overflow-wrap: normal; }}
.pricelab-out tr > .pricelab-figure {{ text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: normal; }}
.pricelab-out caption {{ text-align: left; font-weight: 600; padding: 0.2em 0; color: inherit; }}
.pricelab-out a.pricelab-download {{ font-weight: 600; color: inherit; text-decoration: underline; }}
.pricelab .widget-hprogress {{ height: 1.2em; width: auto; margin: 0; }}
@media (max-width: 40rem) {{
  .pricelab-out :is(table, caption, tbody, tr, td) {{ display: block; }}
  .pricelab-out thead {{ display: none; }}
  .pricelab-out tr {{ border-bottom: 1px solid #80808080; padding: 0.3em 0; }}
  .pricelab-out tr > td, .pricelab-out tr > .pricelab-figure {{ border: none; padding: 0; text-align: left; }}
  .pricelab-out td:first-child {{ font-weight: 600; }}
  .pricelab-out td + td:not(:empty)::before {{ content: attr(data-column) ": "; }}
}}
"""

STYLE = style(ANSWER_STYLE, PARTS_STYLE)


def result(description: str, answer: Any, untuned: Any = None, name: str = "", *, waiting: bool = False) -> str:
    """What was priced, a card for the fine-tuned model, and one for the untuned when given or still ``waiting``."""
    cards = [card("Fine-tuned", name, answer, filled=True)]
    if untuned is not None or waiting:
        cards.append(card("Untuned base, for comparison", "", untuned, filled=False))
    heading = f"<p>Price of {echo(description)}</p>"
    return _page("status", f'{heading}<div class="pricelab-cards">{"".join(cards)}</div>')


def echo(description: str) -> str:
    """The beginning of a description in quotes, as typed."""
    text = description.strip()
    if len(text) > ECHO_CHARACTERS:
        text = text[:ECHO_CHARACTERS] + "…"
    return f'<bdi class="pricelab-echo">“{shown(text)}”</bdi>'


def short(text: str) -> str:
    """A text on one line, cut to what a cell of a table holds."""
    line = one_line(text)
    return line if len(line) <= CELL_CHARACTERS else line[: CELL_CHARACTERS - 1] + "…"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "", figures: Sequence[int] = ()) -> str:
    """A table; the columns numbered in ``figures`` are set to the right. Every cell is escaped."""

    def mark(column: int) -> str:
        return ' class="pricelab-figure"' if column in figures else ""

    heads = "".join(f'<th scope="col"{mark(column)}>{shown(name)}</th>' for column, name in enumerate(head))
    lines = "".join(
        "".join(
            # a narrow page sets each cell on a line of its own, with its column's name in front
            f'<td data-column="{shown(head[column])}"{mark(column)}>{f"<bdi>{shown(cell)}</bdi>" if cell else ""}</td>'
            for column, cell in enumerate(row)
        ).join(("<tr>", "</tr>"))
        for row in rows
    )
    title = f"<caption>{shown(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"


def panel(content: str) -> str:
    """A part of the form below the answer; ``content`` is HTML."""
    return f'<div class="pricelab-out">{content}</div>'


def note(words: str) -> str:
    """A sentence while a price is on its way."""
    return _page("status", f"<p>{shown(words)}</p>")


def error(words: str, what: str = "No price") -> str:
    """What went wrong and what to do, read out at once by a screen reader."""
    return _page("alert", f'<p class="pricelab-note"><strong>{shown(what)}:</strong> <bdi>{shown(words)}</bdi></p>')


def card(title: str, name: str, estimate: Any, *, filled: bool) -> str:
    """One model's price in large type, its interval in words, its distribution; None: it is still on its way."""
    by = f" <bdi>({shown(name)})</bdi>" if name else ""
    parts = [f'<p class="pricelab-name">{shown(title)}{by}</p>']
    if estimate is None:
        return f'<section class="pricelab-card" aria-label="{shown(title)}">{parts[0]}<p>Estimating…</p></section>'
    parts.append(f'<p class="pricelab-price">{usd(estimate.estimate)}</p>')
    if math.isfinite(estimate.estimate):
        parts.append(f"<p>{interval_in_words(estimate)}</p>{chart(estimate, filled=filled)}")
    if estimate.warning:
        parts.append(f'<p class="pricelab-note"><strong>Warning:</strong> {shown(estimate.warning)}</p>')
    return f'<section class="pricelab-card" aria-label="{shown(title)}">{"".join(parts)}</section>'


def interval_in_words(estimate: Any) -> str:
    """The 80 % interval as a sentence."""
    return f"80 % likely between {usd(estimate.low)} and {usd(estimate.high)}"


def chart(estimate: Any, *, filled: bool) -> str:
    """The distribution on a log dollar axis, the interval as a thick line below, the median a dashed line."""
    colour = BLUE if filled else VERMILION
    paint = f'fill="{colour}"' if filled else f'fill="none" stroke="{colour}"'
    limits = decades(estimate.prices)
    middle, low, high = (_x(dollars, limits) for dollars in (estimate.estimate, estimate.low, estimate.high))
    words = f"Probability of prices on a log axis; median {usd(estimate.estimate)}, {interval_in_words(estimate)}"
    lines = (
        (_outline(estimate, limits), paint),
        (f"M{middle:.1f} 0V{BASELINE}", 'stroke="currentColor" stroke-dasharray="5 3"'),
        (f"M{low:.1f} {BASELINE + 4}H{high:.1f}", f'stroke="{colour}" stroke-width="5"'),
        (f"M0 {BASELINE}H{CHART_WIDTH}", 'stroke="currentColor"'),
    )
    paths = "".join(f'<path d="{d}" {style} vector-effect="non-scaling-stroke"/>' for d, style in lines)
    frame = f'viewBox="0 0 {CHART_WIDTH} {CHART_HEIGHT}" preserveAspectRatio="none" stroke-width="2"'
    picture = f'<svg {frame} role="img" aria-label="{words}">{paths}</svg>'
    return f'<div class="pricelab-chart">{picture}{_axis(limits)}</div>'


def _outline(estimate: Any, limits: tuple[float, float]) -> str:
    """The histogram as an SVG path that starts and ends on the axis."""
    edges, mass = price_histogram(estimate.distribution, bins=50, prices=estimate.prices)
    heights = BASELINE * (1 - mass / max(mass.max(), 1e-12))
    places = [_x(edge, limits) for edge in edges]
    steps = [
        f"L{left:.1f} {y:.1f}L{right:.1f} {y:.1f}"
        for left, right, y in zip(places[:-1], places[1:], heights, strict=True)
    ]
    return f"M{places[0]:.1f} {BASELINE}{''.join(steps)}L{places[-1]:.1f} {BASELINE}Z"


def _axis(limits: tuple[float, float]) -> str:
    """Labels as text of the page, which keeps its size where the chart is narrow."""
    first, last = (round(math.log10(limit)) for limit in limits)
    every = -(-(last - first) // (MOST_TICKS - 1))
    powers = [10.0**power for power in range(first, last + 1, every)]
    ticks = "".join(f'<span style="left:{_x(t, limits) / CHART_WIDTH:.1%}">{usd(t)}</span>' for t in powers)
    return f'<div aria-hidden="true">{ticks}</div><p aria-hidden="true">price in US dollars, log scale</p>'


def _x(dollars: float, limits: tuple[float, float]) -> float:
    """Where a price stands on the chart, between the powers of ten at its edges: by default $1 and $1,000."""
    low, high = limits
    return CHART_WIDTH * math.log10(min(max(dollars, low), high) / low) / math.log10(high / low)


def _page(role: str, content: str) -> str:
    return f'<div class="pricelab-out" role="{role}" aria-live="polite">{content}</div>'
