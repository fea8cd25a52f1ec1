"""The rows of `Budget.explain`: each figure with its formula, its value in readable units, and its source."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pricelab.costs.units import human_bytes, human_flops, human_number, human_seconds, human_speed, human_usd

if TYPE_CHECKING:
    from pricelab.costs.budget import Budget

KAPLAN = "arXiv 2001.08361, 2203.15556"
FROZEN = "the same, without gradients of frozen weights"
AUTOGRAD = "what autograd saves; pattern of arXiv 2205.05198"


@dataclass(frozen=True)
class Row:
    """One figure of a budget."""

    quantity: str
    formula: str
    value: str
    source: str


def rows(budget: "Budget") -> list[Row]:
    """All figures of ``budget``, from the weights to what is kept."""
    return [*_weights(budget), *_arithmetic(budget), *_memory(budget), *_costs(budget)]


def _weights(budget: "Budget") -> list[Row]:
    plan, shape = budget.plan, budget.plan.shape
    if plan.adapts:
        learns = f"r·(in + out), r = {plan.rank}, over {shape.layers} × {len(plan.adapted)} layers"
    else:
        learns = "all"
    return [
        Row("parameters", "blocks + embedding" + ("" if shape.tied else " + head"), human_number(shape.parameters),
            shape.name),
        Row("weights that learn", learns, human_number(plan.trainable),
            "arXiv 2106.09685" if plan.adapts else f"method {plan.method}"),
    ]  # fmt: skip


def _arithmetic(budget: "Budget") -> list[Row]:
    from pricelab.costs.budget import attention_share

    plan = budget.plan
    formula = "(4·N + 6·A)·D" if plan.adapts else "6·N·D"
    sizes = f"N = {human_number(plan.shape.multiplied)}" + (f", A = {human_number(plan.trainable)}" * plan.adapts)
    again = ", blocks' forward twice" if plan.checkpointing else ""
    return [
        Row("FLOPs", f"{formula}, {sizes}, D = {human_number(plan.tokens)}{again}", human_flops(budget.flops),
            FROZEN if plan.adapts else KAPLAN),
        Row("left out", "attention scores, 4·L·T·q a token and pass", f"{attention_share(plan):.1%}",
            "arXiv 2001.08361"),
    ]  # fmt: skip


def _memory(budget: "Budget") -> list[Row]:
    plan, memory = budget.plan, budget.memory
    n = human_number(plan.trainable)
    moments = "2 × 4 bytes" if plan.master_copy else "2 × 2 bytes"
    copy = " + 4 for an fp32 copy" if plan.master_copy and not plan.adapts and plan.weight_format != "fp32" else ""
    batch = f"{plan.batch} × {plan.length} tokens"
    held = "fp32" if plan.adapts or plan.weight_format == "fp32" else plan.weight_format
    entries = {
        "weights": (plan.weight_format + (" base, fp32 adapters" if plan.adapts else ""), "arXiv 2305.14314, 2208.07339"
                    if plan.weight_format in ("nf4", "int8") else "bytes of a number"),
        "gradients": (f"{held}, {n}", "arXiv 1910.02054"),
        "optimizer": (f"AdamW: {moments}{copy}, {n}", "arXiv 1910.02054"),
        "activations": (f"{batch}, {'block inputs only' if plan.checkpointing else plan.attention}", AUTOGRAD),
        "logits": (f"{batch} × vocabulary {plan.shape.vocabulary:,} × 12 bytes, or the head's gradient", AUTOGRAD),
    }  # fmt: skip
    parts = [Row(name, *_turned(entries[name], human_bytes(size))) for name, size in memory.parts.items()]
    return [*parts, Row("memory", "sum of the five", human_bytes(memory.total), "peak of a step; tested here")]


def _turned(entry: tuple[str, str], value: str) -> tuple[str, str, str]:
    return entry[0], value, entry[1]


def _costs(budget: "Budget") -> list[Row]:
    from pricelab.costs.budget import USABLE, usual_utilisation

    plan, device = budget.plan, budget.plan.hardware
    peak = human_speed(device.flops_per_second(plan.arithmetic))
    needed = f"memory / ({USABLE:.0%} of {human_bytes(device.memory)}), shared out evenly"
    kept = "4 bytes × adapter weights" if plan.adapts else "2 bytes × parameters"
    return [
        Row("devices needed", needed, f"{budget.devices_needed:,}", device.source),
        Row("utilisation", f"share of {peak} {plan.arithmetic}", f"{budget.utilisation:.0%}",
            usual_utilisation(plan)[1]),
        Row("time", f"FLOPs / ({budget.devices:,} × peak × utilisation)", human_seconds(budget.seconds), device.name),
        Row("device-hours", "hours × devices", human_number(budget.gpu_hours), "by definition"),
        Row("money", f"{human_usd(device.usd_per_hour)} a device-hour", human_usd(budget.usd), device.price_source),
        Row("energy", f"{device.watts:g} W × device-hours", f"{human_number(budget.kwh)} kWh", device.source),
        Row("what is kept", kept, human_bytes(budget.artefact_bytes),
            "fp32 adapter" if plan.adapts else "16-bit checkpoint"),
    ]  # fmt: skip
