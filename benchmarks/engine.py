"""The engine against TRL's `SFTTrainer` on the same work: `python -m benchmarks.engine`.

Same weights, products, batch, LoRA and precision; the engines in turn, so that a busy minute hits both. On a CPU each
run has a process of its own; a GPU's allocator counts exactly, so there one process does all: QLoRA with a small batch
and with a large one. Speeds, peaks and losses go to ``data/results/engine-<device>.json`` with the machine, from where
`python -m benchmarks.engine_docs` rewrites ``docs/engine.md``. What this machine lacks is skipped in words; ``--gpu``
leaves the CPU out.

Notation: N weights of the layers that a token is multiplied with, A weights of the adapters.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from transformers import TrainerCallback

from benchmarks.results import RESULTS, ROOT, can_run
from pricelab.costs.peak import apart, peak_memory
from pricelab.costs.shapes import ATTENTION
from pricelab.files import write_json_atomic
from pricelab.normalise import this_machine
from pricelab.training import Recipe

BATCH, LARGE_BATCH, RANK = 16, 64, 32
ITEMS = 960  # an engine that groups texts by length needs a catalog to choose from
WARM_UP, COMPILED_WARM_UP, STEPS, GPU_STEPS, REPEATS = 2, 4, 8, 16, 3
SAME_STEPS = 6  # of the runs whose losses are compared
CPU_BASE, GPU_SHAPE = "smollm2-135m", "Qwen3-1.7B"
PACKAGES = ("trl", "datasets")
EQUAL_ADAPTERS = "fp32, TRL's adapters as well"


@dataclass(frozen=True)
class Job:
    """One training run of either engine."""

    engine: str  # "pricelab" or "trl"
    method: str  # "lora" or "qlora"
    base: str = CPU_BASE
    checkpointing: bool = False  # TRL's default is True: slower, and smaller
    same_order: bool = False  # batches in the order of the items, so that losses can be compared
    precision: str = "bf16"  # what the machine does best, or "fp32"
    cast_adapters: bool = False  # TRL's to fp32: with QLoRA it makes them bf16, whatever the precision
    batch: int = BATCH
    steps: int = STEPS
    compile: bool = False  # pricelab's layers, as with --compile

    @property
    def warm_up(self) -> int:
        """Steps before the clock starts; the first ones compile."""
        return COMPILED_WARM_UP if self.compile else WARM_UP

    @property
    def name(self) -> str:
        """In words, for tables."""
        words = {"pricelab": "pricelab", "trl": "TRL"}[self.engine]
        return words + ", gradient checkpointing" * self.checkpointing + ", compiled" * self.compile


@dataclass(frozen=True)
class Measured:
    """What a run took."""

    items_per_second: float  # at the catalog's mean length: batches by length hold longer or shorter items
    tokens_per_second: float  # without padding
    peak_bytes: int  # loading and training, above the process that imported the libraries
    losses: list[float]  # nats a token, of each step, the warm-up's first
    padding: float  # share of the cells of the timed batches


class Clock(TrainerCallback):
    """Times the steps after ``warm_up`` of them."""

    started = ended = 0.0  # seconds

    def __init__(self, warm_up: int = WARM_UP) -> None:
        self.warm_up = warm_up

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note the end of each step, and of the warm-up."""
        self.ended = time.perf_counter()
        if state.global_step == self.warm_up:
            self.started = self.ended


def run(job: Job) -> Measured:
    """Do ``job`` here; `alone` does it in a process of its own, as memory needs."""
    from pricelab.bases import quiet
    from pricelab.compiling import compiled
    from pricelab.profiles import pick_device

    items, clock, seen = work(), Clock(job.warm_up), []
    with quiet():
        warm_up(job.engine, job.method, job.precision)
    with quiet(), peak_memory(pick_device()) as peak, _precision(job.precision):
        trainer = {"pricelab": ours, "trl": theirs}[job.engine](job, items, clock)
        if job.cast_adapters:
            for weight in trainer.model.parameters():
                weight.data = weight.data.float() if weight.requires_grad else weight.data
        _same_adapters(trainer.model)
        _note_batches(trainer, seen)
        with compiled(trainer.model) if job.compile else nullcontext():
            trainer.train()
    if job.compile:
        torch.compiler.reset()  # the next model in this process would be compiled as a variant of this one
    seconds, timed = clock.ended - clock.started, seen[job.warm_up : job.warm_up + job.steps]
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    tokens, cells = (sum(column) for column in zip(*timed, strict=True))
    mean = np.mean([len(row["input_ids"]) for row in trainer.train_dataset])
    return Measured(tokens / seconds / mean, tokens / seconds, peak.bytes, losses, 1 - tokens / cells)


def alone(job: Job) -> Measured:
    """`run` in a fresh process."""
    return apart(run, job)


@cache
def warm_up(engine: str, method: str, precision: str) -> None:
    """Train a toy in the same way, so that importing libraries counts neither as time nor as memory."""
    toy = Job(engine, method, "tiny", precision=precision, steps=0)
    with _precision(precision):
        {"pricelab": ours, "trl": theirs}[engine](toy, work(), Clock()).train()


def work() -> list[Any]:
    """The products of a run; its steps take a part of them."""
    from pricelab.catalog import load_catalog

    return load_catalog("workshop")["train"][:ITEMS]


def recipe(batch: int = BATCH) -> Recipe:
    """The settings of both engines."""
    return Recipe(epochs=1, batch_size=batch, rank=RANK, alpha=2 * RANK, targets=ATTENTION, learning_rate=2e-4)


def ours(job: Job, items: list[Any], clock: Any) -> Any:
    """This project's engine, ready to train."""
    from pricelab.examples import encode
    from pricelab.price_trainer import PriceTrainer, price_loss, trainer_arguments
    from pricelab.training import load_trainable

    settings = recipe(job.batch)
    base, model = load_trainable(job.base, job.method, settings, seed=0)
    examples = {"train": encode(base.tokenizer, items, settings.max_text_tokens), "validation": []}
    folder = Path(tempfile.mkdtemp())
    arguments = trainer_arguments(base, settings, folder, seed=0, keep=False, validated=False)
    arguments.max_steps = job.warm_up + job.steps
    trainer = _in_order(PriceTrainer, job)(model, base, examples, settings, arguments, price_loss, None)
    trainer.add_callback(clock)
    return trainer


def theirs(job: Job, items: list[Any], clock: Any) -> Any:
    """TRL's engine as its documentation uses it, with prompt and completion; only the precision is set."""
    from datasets import Dataset, disable_progress_bars
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback
    from trl import SFTConfig, SFTTrainer

    from pricelab.base_files import locate
    from pricelab.bases import nf4
    from pricelab.profiles import pick_device, pick_precision
    from pricelab.prompt import SUFFIX, whole_dollars

    disable_progress_bars()
    settings, device = recipe(job.batch), pick_device()
    place, _ = locate(job.base)
    dtype = pick_precision(device)[0] if job.precision != "fp32" else torch.float32
    options: dict[str, Any] = {"quantization_config": nf4(dtype)} if job.method == "qlora" else {}
    model = AutoModelForCausalLM.from_pretrained(place, dtype=dtype, device_map=device, **options)
    tokenizer = AutoTokenizer.from_pretrained(place)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    rows = [{"prompt": f"{item.text.strip()}{SUFFIX}", "completion": str(whole_dollars(item.price))} for item in items]
    arguments = SFTConfig(
        output_dir=tempfile.mkdtemp(), max_steps=job.warm_up + job.steps, per_device_train_batch_size=job.batch,
        learning_rate=settings.learning_rate, lr_scheduler_type="cosine", warmup_steps=settings.warmup,
        gradient_checkpointing=job.checkpointing, bf16=dtype != torch.float32, use_cpu=device == "cpu", seed=0,
        save_strategy="no", logging_steps=1, report_to="none", disable_tqdm=True, dataloader_pin_memory=False,
    )  # fmt: skip
    adapters = LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, target_modules=list(settings.targets), task_type="CAUSAL_LM"
    )
    trainer = _in_order(SFTTrainer, job)(
        model=model, args=arguments, train_dataset=Dataset.from_list(rows), peft_config=adapters,
        processing_class=tokenizer, callbacks=[clock],
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    return trainer


def _in_order(trainer: type, job: Job) -> type:
    """The trainer, with batches in the order of the items where losses are compared."""
    from torch.utils.data import SequentialSampler

    if not job.same_order:
        return trainer

    class InOrder(trainer):  # type: ignore[misc, valid-type]
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            return SequentialSampler(train_dataset if train_dataset is not None else self.train_dataset)

    return InOrder


def _same_adapters(model: Any) -> None:
    """Start the adapters of both engines from the same numbers."""
    generator = torch.Generator().manual_seed(0)
    weights = {name: weight for name, weight in model.named_parameters() if "lora_A" in name}
    for name in sorted(weights):
        start = torch.randn(weights[name].shape, generator=generator) / weights[name].shape[1] ** 0.5
        weights[name].data.copy_(start)


def _note_batches(trainer: Any, seen: list[tuple[int, int]]) -> None:
    """Note tokens and cells (padding included) of each batch."""
    collate = trainer.data_collator

    def noting(rows: Any) -> Any:
        batch = collate(rows)
        mask = batch["attention_mask"]
        seen.append((int(mask.sum()), mask.numel()))
        return batch

    trainer.data_collator = noting


@contextmanager
def _precision(wanted: str) -> Iterator[None]:
    """Let pricelab's engine compute in fp32, also where the machine has something faster."""
    with ExitStack() as stack:
        if wanted == "fp32":
            for module in ("bases", "price_trainer"):
                stack.enter_context(patch(f"pricelab.{module}.pick_precision", lambda _: (torch.float32, "asked for")))
        yield


def matmul_peak() -> float:
    """FLOP/s of a large square product in the precision of this machine: what a training step could reach at most."""
    from pricelab.profiles import pick_device, pick_precision

    device, size = pick_device(), 2048 if pick_device() == "cpu" else 8192
    dtype, _ = pick_precision(device)
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))

    def once() -> float:
        start = time.perf_counter()
        torch.matmul(a, b)
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    once()
    return 2 * size**3 / min(once() for _ in range(10))


def flops_per_token(base: str) -> float:
    """4·N + 6·A: forward and the gradients of inputs for a frozen base, and the adapters' own (see `costs.budget`)."""
    from transformers import AutoConfig

    from pricelab.base_files import locate
    from pricelab.costs.shapes import Shape

    shape = Shape.of(AutoConfig.from_pretrained(locate(base)[0]))
    return 4 * shape.linear + 6 * shape.lora_parameters(RANK, ATTENTION)


def rounds(
    method: str, base: str, repeats: int = REPEATS, do: Callable[[Job], Measured] = alone, **options: Any
) -> Iterator[dict[str, Any]]:
    """Both engines in turn, ``repeats`` times, and after each what all so far say; ``options`` are of all jobs."""
    ours, theirs = (Job(engine, method, base, **options) for engine in ("pricelab", "trl"))
    jobs = {
        "pricelab": ours,
        "pricelab_compiled": replace(ours, compile=True),
        "trl": theirs,
        "trl_checkpointing": replace(theirs, checkpointing=True),
    }
    runs: dict[str, list[Measured]] = {name: [] for name in jobs}
    for repeat in range(repeats):
        for name, job in jobs.items():
            runs[name].append(do(job))
            print(f"{method}, repeat {repeat + 1} of {repeats}: {told(job.name, runs[name][-1])}", flush=True)
        yield compared(runs)


def compared(runs: dict[str, list[Measured]]) -> dict[str, Any]:
    """What runs of both engines say; ratios are of runs side by side."""
    facts: dict[str, Any] = {name: summary(found) for name, found in runs.items()}
    for name in ("trl", "trl_checkpointing"):
        facts[name] |= ratios(runs["pricelab"], runs[name])
        facts[name]["compiled"] = ratios(runs["pricelab_compiled"], runs[name])
    return facts


def ratios(ours: list[Measured], others: list[Measured]) -> dict[str, dict[str, float]]:
    """How many times faster runs were than those beside them, and how much of their memory they took."""
    pairs = [(a.items_per_second / b.items_per_second, a.peak_bytes / b.peak_bytes)
             for a, b in zip(ours, others, strict=True)]  # fmt: skip
    faster, share = (spread(list(column)) for column in zip(*pairs, strict=True))
    return {"times_faster": faster, "share_of_peak": share}


def agreement(
    method: str, base: str, precision: str, do: Callable[[Job], Measured] = alone, cast_adapters: bool = False
) -> dict[str, Any]:
    """Losses of both engines, step by step, on the same batches from the same weights."""
    ours = Job("pricelab", method, base, same_order=True, precision=precision, steps=SAME_STEPS - WARM_UP)
    jobs = (ours, replace(ours, engine="trl", cast_adapters=cast_adapters))
    mine, other = (do(job).losses for job in jobs)
    apart_by = max(abs(a - b) / b for a, b in zip(mine, other, strict=True))
    return {"pricelab": mine, "trl": other, "largest_relative_difference": float(f"{apart_by:.3g}")}


def summary(runs: list[Measured]) -> dict[str, Any]:
    """Median and spread of what several runs took."""
    return {
        "items_per_second": spread([one.items_per_second for one in runs]),
        "tokens_per_second": spread([one.tokens_per_second for one in runs]),
        "peak_bytes": spread([float(one.peak_bytes) for one in runs]),
        "padding": spread([one.padding for one in runs]),
    }


def spread(values: list[float]) -> dict[str, float]:
    """Median, least and most, to four digits."""
    found = {"median": float(np.median(values)), "least": min(values), "most": max(values)}
    return {name: float(f"{value:.4g}") for name, value in found.items()}


def told(name: str, measured: Measured) -> str:
    """One run in a line."""
    return f"{name} {measured.items_per_second:.2f} items/s, peak {measured.peak_bytes / 1e9:.2f} GB"


def measure(base: str, batch: int = BATCH) -> Iterator[dict[str, Any]]:
    """What is known of one base and batch size after each round, ready to be written; everything in the end."""
    from trl import __version__ as trl_version

    from pricelab.profiles import pick_device

    on_gpu = pick_device() == "cuda"
    methods, do, steps = (("qlora",), run, GPU_STEPS) if on_gpu else (("qlora", "lora"), alone, STEPS)
    peak, per_token = matmul_peak(), flops_per_token(base)
    facts: dict[str, Any] = {
        "command": "python -m benchmarks.engine", "base": base, "device": pick_device(), "machine": this_machine(),
        "trl": trl_version,
        "torch": torch.__version__, "threads": torch.get_num_threads(), "batch": batch, "rank": RANK,
        "steps": steps, "repeats": 0, "matmul_peak_flops_per_second": float(f"{peak:.4g}"),
        "flops_per_token": per_token,
    }  # fmt: skip
    for method in methods:
        for repeat, found in enumerate(rounds(method, base, do=do, batch=batch, steps=steps), 1):
            for row in found.values():
                speed = row["tokens_per_second"]["median"]
                row["share_of_matmul_peak"] = float(f"{speed * per_token / peak:.3g}")
            facts |= {method: found, "repeats": repeat}
            yield facts
        if batch == BATCH:
            found["losses"] = {one: agreement(method, base, one, do) for one in ("bf16", "fp32")}
            if method == "qlora":
                found["losses"][EQUAL_ADAPTERS] = agreement(method, base, "fp32", do, cast_adapters=True)
    yield facts


@contextmanager
def random_base(shape: str) -> Iterator[str]:
    """A folder with random bf16 weights of a published shape and SmolLM2's tokenizer: speed needs no real weights."""
    from transformers import AutoModelForCausalLM

    from pricelab.base_files import locate
    from pricelab.bases import load_tokenizer
    from pricelab.costs.shapes import SHAPES
    from pricelab.profiles import pick_device

    with tempfile.TemporaryDirectory() as folder:
        with torch.device(pick_device()):
            config = SHAPES[shape].config(max_position_embeddings=4096)
            AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(folder)
        load_tokenizer(locate(CPU_BASE)[0]).save_pretrained(folder)
        yield folder


def main() -> None:
    """Measure on the GPU when there is one, and on the CPU; what the machine lacks is skipped in words."""
    from pricelab.profiles import pick_device

    if not can_run("the comparison with TRL", CPU_BASE, packages=PACKAGES):
        return
    if pick_device() == "cuda":
        with random_base(GPU_SHAPE) as folder:
            for batch, name in ((BATCH, "engine-cuda.json"), (LARGE_BATCH, "engine-cuda-large.json")):
                for facts in measure(folder, batch):  # GPUs are lent by the minute: what was measured stays
                    write_json_atomic(RESULTS / name, {**facts, "base": f"{GPU_SHAPE}'s shape with random weights"})
        if "--gpu" in sys.argv:
            return
        on_cpu = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
        subprocess.run([sys.executable, "-m", "benchmarks.engine"], env=on_cpu, cwd=ROOT, check=True)
        return
    print("no CUDA device: the GPU rows are skipped", flush=True)
    *_, facts = measure(CPU_BASE)
    write_json_atomic(RESULTS / "engine-cpu.json", facts)


if __name__ == "__main__":
    main()
