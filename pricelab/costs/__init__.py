"""What training, full fine-tuning, LoRA and QLoRA of a Llama-architecture model cost: FLOPs, memory, time, money.

Formulas with their sources, checked against published runs and against memory measured here. Introduced in notebook 01.
"""

from pricelab.costs.budget import Budget, budget
from pricelab.costs.explain import Row
from pricelab.costs.hardware import HARDWARE, Hardware, this_machine
from pricelab.costs.measured import measured_peak
from pricelab.costs.memory import Memory
from pricelab.costs.plan import METHODS, PRECISIONS, PRECISIONS_OF, Plan
from pricelab.costs.published import PUBLISHED, QWEN_STEPS, Published, PublishedStep, ladder, published_flops
from pricelab.costs.shapes import ALL_LINEAR, ATTENTION, SHAPES, Shape
from pricelab.costs.units import (
    human_bytes,
    human_flops,
    human_number,
    human_rate,
    human_seconds,
    human_speed,
    human_usd,
)

__all__ = [
    "ALL_LINEAR", "ATTENTION", "HARDWARE", "METHODS", "PRECISIONS", "PRECISIONS_OF", "PUBLISHED", "QWEN_STEPS",
    "SHAPES", "Budget", "Hardware", "Memory", "Plan", "Published", "PublishedStep", "Row", "Shape", "budget",
    "human_bytes", "human_flops", "human_number", "human_rate", "human_seconds", "human_speed", "human_usd", "ladder",
    "measured_peak", "published_flops", "this_machine",
]  # fmt: skip
