"""Rewrite the sized example of ``docs/several-gpus.md`` from `pricelab.costs`: `python -m benchmarks.several_gpus`."""

from benchmarks.results import ROOT, with_section
from pricelab.costs import HARDWARE, SHAPES, Plan, budget, human_bytes, human_seconds, human_usd
from pricelab.costs.budget import USABLE
from pricelab.files import write_text_atomic

PAGE = ROOT / "docs" / "several-gpus.md"
GPUS = 8
GPU = HARDWARE["H100 SXM"]
ITEMS, TOKENS = 400_000, 128  # a large category, once through; tokens of a text with its price
BATCH = 64  # items, of which each GPU takes its share
RANK = 32
RUNS = (
    ("Qwen3-4B", "qlora"), ("Llama-3.1-8B", "qlora"), ("Llama-3.1-8B", "lora"), ("Llama-3.1-8B", "full"),
    ("Llama-3.1-70B", "qlora"),
)  # fmt: skip
NAMES = {"qlora": "QLoRA", "lora": "LoRA", "full": "full"}


def plan(base: str, method: str, devices: int) -> Plan:
    """The run on ``devices`` GPUs; each of them takes the items that are its part of the batch."""
    return Plan(
        SHAPES[base], tokens=ITEMS * TOKENS, method=method, rank=0 if method == "full" else RANK, batch=BATCH // GPUS,
        length=TOKENS, hardware=GPU, devices=devices,
    )  # fmt: skip


def table() -> str:
    """Memory, time and money of each run as a Markdown table, with what it rests on."""
    lines = [
        "| base | method | memory of each GPU | fits | sent each step | 1 GPU | 8 GPUs | cost |",
        "|---" * 8 + "|",
    ]
    for base, method in RUNS:
        alone, shared = (budget(plan(base, method, devices)) for devices in (1, GPUS))
        fits = shared.memory.total <= USABLE * GPU.memory
        costs = (human_seconds(alone.seconds), human_seconds(shared.seconds), human_usd(shared.usd))
        cells = (
            base, NAMES[method], human_bytes(shared.memory.total), "yes" if fits else "no",
            human_bytes(4 * shared.trainable), *(costs if fits else ("–",) * 3),
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    told = (
        f"{ITEMS:,} items once, {TOKENS} tokens each, rank {RANK} on all linear layers, batch {BATCH}: "
        f"{BATCH // GPUS} items a GPU. {GPUS} × {GPU.name} with {human_bytes(GPU.memory)}, of which {USABLE:.0%} can "
        f"be used, at {human_usd(GPU.usd_per_hour)} an hour each ({GPU.price_source}). Worked out, not measured: "
        "memory by `pricelab.costs.memory` with scores for every token, which is more than the engine computes; time "
        "with utilisations that were read for longer texts, and as if sending took none. *Sent*: 4 bytes for each "
        "weight that learns. Written by `python -m benchmarks.several_gpus`."
    )
    return "\n".join([*lines, "", told])


def page() -> str:
    """The page with its table as the formulas give it now."""
    return with_section(PAGE.read_text(encoding="utf-8"), "eight GPUs", table())


if __name__ == "__main__":
    write_text_atomic(PAGE, page())
