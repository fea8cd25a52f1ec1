"""The answer of the price predictor as HTML: one card a model, a chart in it, errors in words.

Every text from outside passes ``view.shown``. The charts are inline SVG, told apart by name and form (filled, outlined)
as well as by colour.
"""

import math
from typing import Any

from pricelab.plots import BLUE, VERMILION, price_histogram, usd
from pricelab.widgets.view import shown, style

ECHO_CHARACTERS = 160  # how much of a description is repeated above its price
CHART_WIDTH, CHART_HEIGHT, BASELINE = 400, 92, 85  # in units of the chart, which stretches to its card
TICKS_USD = (1, 10, 100, 1000)

STYLE = style("""
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
.pricelab-chart span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.pricelab-out .pricelab-price { font-size: 2.4rem; line-height: 1.2; font-weight: 600; margin: 0; }
""")


def result(description: str, answer: Any, untuned: Any = None, name: str = "") -> str:
    """What was priced, then a card for the fine-tuned model and, when given, one for the untuned."""
    cards = [card("Fine-tuned", name, answer, filled=True)]
    if untuned is not None:
        cards.append(card("Untuned base, for comparison", "", untuned, filled=False))
    echo = description.strip()
    if len(echo) > ECHO_CHARACTERS:
        echo = echo[:ECHO_CHARACTERS] + "…"
    heading = f'<p>Price of <bdi class="pricelab-echo">“{shown(echo)}”</bdi></p>'
    return _page("status", f'{heading}<div class="pricelab-cards">{"".join(cards)}</div>')


def note(words: str) -> str:
    """A sentence while a price is on its way."""
    return _page("status", f"<p>{shown(words)}</p>")


def error(words: str) -> str:
    """What went wrong and what to do, read out at once by a screen reader."""
    return _page("alert", f'<p class="pricelab-note"><strong>No price:</strong> <bdi>{shown(words)}</bdi></p>')


def card(title: str, name: str, estimate: Any, *, filled: bool) -> str:
    """One model's price in large type, its interval in words, its distribution."""
    by = f" <bdi>({shown(name)})</bdi>" if name else ""
    parts = [f'<p class="pricelab-name">{shown(title)}{by}</p>']
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
    middle, low, high = (_x(dollars) for dollars in (estimate.estimate, estimate.low, estimate.high))
    words = f"Probability of prices on a log axis; median {usd(estimate.estimate)}, {interval_in_words(estimate)}"
    lines = (
        (_outline(estimate.distribution), paint),
        (f"M{middle:.1f} 0V{BASELINE}", 'stroke="currentColor" stroke-dasharray="5 3"'),
        (f"M{low:.1f} {BASELINE + 4}H{high:.1f}", f'stroke="{colour}" stroke-width="5"'),
        (f"M0 {BASELINE}H{CHART_WIDTH}", 'stroke="currentColor"'),
    )
    paths = "".join(f'<path d="{d}" {style} vector-effect="non-scaling-stroke"/>' for d, style in lines)
    frame = f'viewBox="0 0 {CHART_WIDTH} {CHART_HEIGHT}" preserveAspectRatio="none" stroke-width="2"'
    picture = f'<svg {frame} role="img" aria-label="{words}">{paths}</svg>'
    return f'<div class="pricelab-chart">{picture}{_axis()}</div>'


def _outline(distribution: Any) -> str:
    """The histogram as an SVG path that starts and ends on the axis."""
    edges, mass = price_histogram(distribution, bins=50)
    heights = BASELINE * (1 - mass / max(mass.max(), 1e-12))
    steps = [
        f"L{_x(left):.1f} {y:.1f}L{_x(right):.1f} {y:.1f}"
        for left, right, y in zip(edges[:-1], edges[1:], heights, strict=True)
    ]
    return f"M{_x(edges[0]):.1f} {BASELINE}{''.join(steps)}L{_x(edges[-1]):.1f} {BASELINE}Z"


def _axis() -> str:
    """Labels as text of the page, which keeps its size where the chart is narrow."""
    ticks = "".join(f'<span style="left:{_x(t) / CHART_WIDTH:.1%}">{usd(t)}</span>' for t in TICKS_USD)
    return f'<div aria-hidden="true">{ticks}</div><p aria-hidden="true">price in US dollars, log scale</p>'


def _x(dollars: float) -> float:
    """Where a price stands on the chart: $1 at the left edge, $1,000 at the right."""
    return CHART_WIDTH * math.log10(min(max(dollars, 1.0), 1000.0)) / 3


def _page(role: str, content: str) -> str:
    return f'<div class="pricelab-out" role="{role}" aria-live="polite">{content}</div>'
