"""Memory of a training run before anything large is loaded: how much it needs, whether that is free, what fits instead.

The formulas are those of `costs.memory`, for the engine as it runs: only label rows meet the vocabulary, gradients are
freed after every step. What a process takes beside live tensors is measured (`python -m benchmarks.memory`), and
`docs/engine.md` holds estimates against peaks. Used by `finetuning`. Introduced in notebook 07.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pricelab import processes
from pricelab.base_files import place_of
from pricelab.bases import load_config, pick_attention
from pricelab.catalog import Item
from pricelab.costs.budget import USABLE
from pricelab.costs.hardware import Hardware
from pricelab.costs.memory import Memory, copies_bytes, sharded, step_memory
from pricelab.costs.plan import Plan
from pricelab.costs.shapes import SHAPES, Shape
from pricelab.costs.units import human_bytes
from pricelab.examples import IGNORED, encode
from pricelab.price_format import WHOLE_DOLLARS, PriceFormat
from pricelab.profiles import pick_device, pick_precision
from pricelab.recipe import METHODS, Recipe

# A CPU's activations are blocks of a few MB that come and go in all sizes: the C library's heap, which holds them, was
# measured to be so many times as large as what lives in it (glibc, SmolLM2-135M, LoRA and full, batches of 4 and 16).
HEAP = 1.65
RUNTIME_BYTES = 45e6  # that a first step adds to a process on a CPU: threads, kernels, buffers
LOOKED_AT = 64  # items: the longest texts by characters, of which one has the most tokens
KNOWN = {
    "tiny": "tiny", "smollm2-135m": "SmolLM2-135M", "Qwen/Qwen3-0.6B-Base": "Qwen3-0.6B",
    "Qwen/Qwen3-1.7B-Base": "Qwen3-1.7B",
}  # fmt: skip


@dataclass(frozen=True)
class Need:
    """What a training run takes at its peak, in bytes."""

    plan: Plan  # of its largest step
    memory: Memory  # of live tensors in that step
    cpu: bool  # the process as the system sees it, not a GPU's allocator
    shards: int = 1  # processes that share out the model by FSDP

    @property
    def bytes(self) -> float:
        """What has to be free: live tensors, on a CPU with the heap around them."""
        if not self.cpu:
            return self.memory.total
        in_heap = self.memory.activations - copies_bytes(self.plan)
        return self.memory.total + (HEAP - 1) * in_heap + RUNTIME_BYTES

    @property
    def peak(self) -> float:
        """What the process is seen to hold: on a CPU also the mapped 16-bit file that 4-bit weights were made from.

        The system takes those pages back when it needs them, so they don't have to be free.
        """
        mapped = 2.0 * self.plan.shape.linear if self.cpu and self.plan.method == "qlora" else 0.0
        return self.bytes + mapped

    def told(self, free: float) -> str:
        """The peak in words, of it what must be free where that is less, and what is ``free``."""
        where = "memory" if self.cpu else "GPU memory"
        part = f", of which {human_bytes(self.bytes)} must be free" if self.peak > self.bytes else ""
        return f"{human_bytes(self.peak)} of {where}{part}, and {human_bytes(free)} are free"


def memory_needed(
    shape: Shape, method: str, recipe: Recipe, length: int, labels: int = 0, device: str | None = None, shards: int = 1
) -> Need:  # fmt: skip
    """The peak of training a base of ``shape``.

    Args:
        shape: of the base.
        method: one of `recipe.METHODS`.
        recipe: settings; batch size, rank and targets matter.
        length: tokens of the longest example.
        labels: tokens of an example that carry a loss; 0 stands for all, as general texts have it.
        device: ``"cpu"`` or ``"cuda"``; by default what this machine would train on.
        shards: processes that share out the model by FSDP.
    """
    import torch

    device = device or pick_device()
    dtype, _ = pick_precision(device)
    held = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[dtype]
    here = Hardware("here", {held: 1.0, "fp32": 1.0}, 1.0, 0.0, 0.0, "", "")  # only its best dtype is asked
    full = method == "full"
    plan = Plan(
        shape, 1, method, rank=0 if full else recipe.rank, targets=() if full else recipe.targets,
        precision={"full": "fp32", "lora": held}.get(method, ""), batch=recipe.batch_size, length=length, labels=labels,
        attention=pick_attention(device, dtype, length) or "sdpa", autocast=full and held != "fp32", accumulated=False,
        hardware=here,
    )  # fmt: skip
    memory = step_memory(plan)
    return Need(plan, memory if shards == 1 else sharded(memory, plan, shards), device == "cpu", shards)


def check_room(
    base: str, method: str, recipe: Recipe, items: Sequence[Item], tokenizer: Any, mixed: bool = False,
    price_format: PriceFormat = WHOLE_DOLLARS,
) -> str:  # fmt: skip
    """Say in a line what the run needs and what is free; nothing where the base's architecture isn't counted.

    Args:
        base: its name.
        method: one of `recipe.METHODS`.
        recipe: settings, with the final ``max_text_tokens``.
        items: what is learned from.
        tokenizer: the base's.
        mixed: whether general texts are learned beside the items; all of their tokens carry a loss.
        price_format: how prices are written.

    Raises:
        ValueError: more is needed than is free; the message names the largest batch, the method or the base that fits.
    """
    recipe = replace(recipe, batch_size=-(-recipe.batch_size // processes.count()))  # each holds its share
    try:
        shape = Shape.of(load_config(*place_of(base)))
        length, labels = longest(tokenizer, items, recipe, price_format)
        if mixed:
            length, labels = max(length, recipe.max_text_tokens), 0
        shards = processes.count() if processes.sharded() else 1
        need = memory_needed(shape, method, recipe, length, labels, shards=shards)
    except ValueError:  # another architecture, or adapters on layers that `Shape` doesn't know
        return ""
    free = free_bytes(pick_device())
    if need.bytes <= free:
        return f"needs about {need.told(free)}"
    cures = list(_cures(need, base, recipe, USABLE * free))
    raise ValueError(
        f"training {base} by {method} with {recipe.batch_size} items at once needs about {need.told(free)}; "
        + (f"use {', or '.join(cures)}" if cures else "nothing smaller fits either, so free some memory first")
    )


def longest(
    tokenizer: Any, items: Sequence[Item], recipe: Recipe, price_format: PriceFormat = WHOLE_DOLLARS
) -> tuple[int, int]:
    """Tokens of the longest example, and the most labels of one."""
    chosen = sorted(items, key=lambda item: len(item.text))[-LOOKED_AT:]
    examples = encode(tokenizer, chosen, recipe.max_text_tokens, price_format)
    labels = [sum(label != IGNORED for label in example["labels"]) for example in examples]
    return max(len(example["input_ids"]) for example in examples), max(labels)


def free_bytes(device: str) -> float:
    """Bytes that a run could have: what the system calls available, or the GPU's free memory with torch's reserve."""
    if device == "cpu":
        import psutil

        return float(psutil.virtual_memory().available)
    import torch

    return float(torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved() - torch.cuda.memory_allocated())


def _cures(need: Need, base: str, recipe: Recipe, free: float) -> Iterator[str]:
    """What would fit in ``free`` bytes, in words: the largest batch, a method that needs less, the largest base."""
    shape, method = need.plan.shape, need.plan.method

    def fits(shape: Shape, method: str, batch: int = recipe.batch_size) -> bool:
        smaller = replace(recipe, batch_size=batch)
        plan = need.plan
        return memory_needed(shape, method, smaller, plan.length, plan.labels, shards=need.shards).bytes <= free

    if batch := next((n for n in range(recipe.batch_size - 1, 0, -1) if fits(shape, method, n)), 0):
        yield f"a batch of {(whole := batch * processes.count())} (--batch {whole})"
    lighter = METHODS[: METHODS.index(method)][::-1]
    if other := next((other for other in lighter if fits(shape, other)), ""):
        yield f"method {other}"
    sizes = {name: SHAPES[known] for name, known in KNOWN.items() if SHAPES[known].parameters < shape.parameters}
    largest_first = sorted(sizes, key=lambda name: -sizes[name].parameters)
    if name := next((name for name in largest_first if name != base and fits(sizes[name], method)), ""):
        yield f"the base {name}"
