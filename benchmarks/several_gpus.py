"""Rewrite the sized examples of ``docs/several-gpus.md`` from `pricelab.costs`: `python -m benchmarks.several_gpus`."""

from dataclasses import replace

from benchmarks.results import ROOT, with_section
from pricelab.costs import HARDWARE, SHAPES, Plan, budget, human_bytes, human_seconds, human_usd
from pricelab.costs.budget import USABLE
from pricelab.costs.memory import sharded, step_memory, weight_bytes
from pricelab.files import write_text_atomic

PAGE = ROOT / "docs" / "several-gpus.md"
GPUS = 8
GPU = HARDWARE["H100 SXM"]
ROOM = USABLE * GPU.memory  # bytes
ITEMS, TOKENS = 400_000, 128  # a large category, once through; tokens of a text with its price
BATCH = 64  # items, of which each GPU takes its share
RANK = 32
RUNS = (
    ("Qwen3-4B", "qlora"), ("Llama-3.1-8B", "qlora"), ("Llama-3.1-8B", "lora"), ("Llama-3.1-8B", "full"),
    ("Llama-3.1-70B", "qlora"),
)  # fmt: skip
SHARDED = tuple((base, method) for base in ("Llama-3.1-8B", "Llama-3.1-70B") for method in ("qlora", "lora", "full"))
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
        fits = shared.memory.total <= ROOM
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


def sharded_table() -> str:
    """Memory of each run with the base whole on each GPU and shared out, as a Markdown table."""
    lines = [
        "| base | method | each GPU, base whole | fits | each GPU, FSDP | fits | the machine, while loading |",
        "|---" * 7 + "|",
    ]
    for base, method in SHARDED:
        job = plan(base, method, GPUS)
        if method == "full":
            job = replace(job, precision="fp32", autocast=True)  # as the engine holds what learns
        whole = step_memory(job)
        totals = (whole.total, sharded(whole, job, GPUS).total)
        cells = [cell for total in totals for cell in (human_bytes(total), "yes" if total <= ROOM else "no")]
        waiting = "–" if method == "qlora" else human_bytes(GPUS * weight_bytes(job.shape, job.weight_format))
        lines.append(f"| {base} | {NAMES[method]} | {' | '.join(cells)} | {waiting} |")
    told = (
        "The same runs and GPUs as above, with fp32 weights for full fine-tuning, as the engine holds them; worked out "
        "by `pricelab.costs.memory`, not measured."
    )
    return "\n".join([*lines, "", told])


def page() -> str:
    """The page with its tables as the formulas give them now."""
    text = with_section(PAGE.read_text(encoding="utf-8"), "eight GPUs", table())
    return with_section(text, "FSDP", sharded_table())


if __name__ == "__main__":
    write_text_atomic(PAGE, page())
