"""What a thousand prices cost: measured on this machine, by arithmetic on rented ones.

Only the model's time: no idle hours, no network, no people. A forward pass takes 2 FLOPs a weight and token; what is
worked out from that is an estimate: the share of a GPU's peak that is reached is assumed, and nothing is taken to be
faster than a small model was on the fastest GPU that was measured, which it left waiting. Introduced in notebook 12.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pricelab.costs.hardware import ASSUMED_CPU_WATTS, HARDWARE, Hardware
from pricelab.costs.shapes import Shape
from pricelab.costs.units import human_seconds, human_usd
from pricelab.files import data_dir, read_json
from pricelab.pricer import DIGITS, labelled
from pricelab.show import html_table, text_table

ASSUMED_UTILISATION = 0.1  # of a GPU's peak
TREE_TOKENS = 99  # of the tree of digits, one digit a token: 9 first ones and 90 behind them
RENTED = ("T4", "L4", "A100 80GB")


@dataclass(frozen=True)
class Line:
    """One way to price a thousand items."""

    way: str
    seconds: float
    watt_hours: float
    usd: float  # rent; 0 where the machine is yours
    how: str  # measured, or worked out from what


@dataclass(frozen=True, repr=False)
class PerThousand:
    """A thousand prices in several ways, as a table."""

    lines: tuple[Line, ...]

    def __str__(self) -> str:
        return text_table(*self._table())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(*self._table(), caption="1,000 prices")

    def _table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        rows: list[tuple[str, ...]] = [
            (one.way, human_seconds(one.seconds), f"{one.watt_hours:.3g} Wh", _rent(one.usd), one.how)
            for one in self.lines
        ]
        return ("way", "time", "energy", "rent", "how we know"), rows


def measured(model: Any, texts: Sequence[str], *, watts: float = ASSUMED_CPU_WATTS) -> Line:
    """Time ``model`` (a ``Pricer`` or a baseline) on B texts here, once, after one to warm up.

    ``watts`` is what this machine is assumed to draw meanwhile. Raises ``ValueError`` without texts.
    """
    if not texts:
        raise ValueError("there is nothing to time; give some texts")
    answer = model.predict if hasattr(model, "predict") else model.estimate
    answer(texts[:1])
    start = time.perf_counter()
    answer(texts)
    seconds = 1000 * (time.perf_counter() - start) / len(texts)
    how = f"measured on {len(texts)} items; {watts:g} W assumed"
    return Line(f"{labelled(model)}, this machine", seconds, watts * seconds / 3600, 0.0, how)


def rented(
    shape: Shape, tokens: float, hardware: Hardware, read_out: str = DIGITS, utilisation: float = ASSUMED_UTILISATION
) -> Line:
    """A thousand prompts of ``tokens`` tokens each through a model of ``shape`` on a rented device, by arithmetic.

    The digits take `TREE_TOKENS` more. No device is taken to be faster than `fastest_measured`.

    Raises:
        ValueError: tokens that are not above 0, or a utilisation outside 0 to 1.
    """
    if not (tokens > 0 and 0 < utilisation <= 1):
        raise ValueError(f"{tokens} tokens at {utilisation} of the peak; give more than 0 and a share from 0 to 1")
    flops = 2 * shape.multiplied * (tokens + TREE_TOKENS * (read_out == DIGITS)) * 1000
    seconds = flops / (hardware.flops_per_second(hardware.best_dtype) * utilisation)
    how = f"estimate: 2·N·tokens at {utilisation:.0%} of the peak (assumed)"
    gpu, rate = fastest_measured(read_out)
    if seconds < 1000 / rate:
        seconds, how = 1000 / rate, f"estimate: no faster than an {gpu} with SmolLM2-135M (measured)"
    how += f"; {hardware.price_source}"
    usd = seconds / 3600 * hardware.usd_per_hour
    return Line(f"{shape.name} on a rented {hardware.name}", seconds, hardware.watts * seconds / 3600, usd, how)


def fastest_measured(read_out: str) -> tuple[str, float]:
    """The GPU on which ``python -m benchmarks.pricing`` ran, and SmolLM2-135M's prices a second there."""
    facts = read_json(data_dir() / "results" / "pricing-cuda.json")
    gpu = next(part for part in facts["machine"].split(", ") if part.startswith("NVIDIA"))
    return gpu, facts["ways"][read_out]["median"]


def per_thousand(pricer: Any, baseline: Any, texts: Sequence[str], devices: Sequence[str] = RENTED) -> PerThousand:
    """The predictor and its baseline measured here on ``texts``, and the predictor's base on rented ``devices``."""
    tokens = sum(len(pricer.base.tokenizer(pricer.prompt(text))["input_ids"]) for text in texts) / len(texts)
    shape = replace(Shape.of(pricer.base.model), name=pricer.base.key)
    lines = [measured(baseline, texts), measured(pricer, texts)]
    return PerThousand((*lines, *(rented(shape, tokens, HARDWARE[name], pricer.read_out) for name in devices)))


def _rent(usd: float) -> str:
    return human_usd(usd) if usd else "none: yours"
