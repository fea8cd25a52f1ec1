"""Where a training step's time goes, in both engines: `python -m benchmarks.engine_profile`.

One step after a warm-up under `torch.profiler`, each operation's own time added up by kind; to
``data/results/engine-profile.json``. Told in ``docs/engine.md``.
"""

from collections import defaultdict
from typing import Any

import torch
from torch.profiler import ProfilerActivity
from torch.profiler import profile as watch
from transformers import TrainerCallback

from benchmarks.engine import CPU_BASE, PACKAGES, WARM_UP, Job, ours, theirs, warm_up, work
from benchmarks.results import RESULTS, can_run
from pricelab.costs.peak import apart
from pricelab.files import write_json_atomic
from pricelab.normalise import this_machine
from pricelab.profiles import pick_device

# kind → what the names of its operations contain; the first that fits
KINDS = {
    "4-bit weights to 16 bit": ("bitsandbytes", "dequant"),
    "fused attention": ("scaled_dot_product", "flash_attention", "efficient_attention"),
    "matrix products": ("aten::mm", "aten::bmm", "aten::addmm", "aten::baddbmm", "mkldnn_linear", "aten::linear"),
    "copies and casts": ("copy_", "_to_copy", "clone", "contiguous", "aten::cat"),
    "softmax and loss": ("softmax", "nll_loss", "logsumexp", "cross_entropy", "log_prob", "logprob"),
    "optimizer": ("adam", "optimizer"),
    "element by element": (
        "aten::mul", "aten::add", "aten::sub", "aten::div", "aten::neg", "aten::silu", "aten::pow", "aten::mean",
        "aten::rsqrt", "aten::sum", "aten::fill_", "aten::zero_", "aten::where", "aten::cos", "aten::sin",
    ),
}  # fmt: skip
OPERATIONS = 6  # largest single ones that are named


def kind_of(operation: str) -> str:
    """The kind that an operation's time is added to."""
    name = operation.lower()
    return next((kind for kind, parts in KINDS.items() if any(part.lower() in name for part in parts)), "other")


def profile(job: Job) -> dict[str, Any]:
    """Milliseconds of one step of ``job`` by kind, and its largest single operations."""
    cuda = torch.cuda.is_available()
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    watching = watch(activities=activities)

    class LastStep(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == WARM_UP:
                watching.start()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == WARM_UP + 1:
                watching.stop()

    warm_up(job)
    trainer = {"pricelab": ours, "trl": theirs}[job.engine](job, work(), LastStep())
    trainer.train()
    spent: dict[str, float] = defaultdict(float)
    operations = []
    for event in watching.key_averages():
        own = (event.self_device_time_total if cuda else event.self_cpu_time_total) / 1000
        if event.key.startswith("ProfilerStep") or own <= 0:
            continue
        spent[kind_of(event.key)] += own
        operations.append((own, event.key, event.count))
    largest = [{"operation": name, "ms": round(own), "calls": n} for own, name, n in sorted(operations)[-OPERATIONS:]]
    by_kind = sorted(spent.items(), key=lambda pair: -pair[1])
    return {"ms": {kind: round(own) for kind, own in by_kind}, "largest": largest[::-1]}


def main() -> None:
    """Profile both engines with LoRA and QLoRA."""
    if not can_run("the profile of a step", CPU_BASE, packages=PACKAGES):
        return
    facts: dict[str, Any] = {"command": "python -m benchmarks.engine_profile", "machine": this_machine()}
    facts |= {"device": pick_device()}
    for method in ("lora", "qlora"):
        facts[method] = {engine: apart(profile, Job(engine, method, steps=1)) for engine in ("pricelab", "trl")}
        print(method, facts[method], flush=True)
    write_json_atomic(RESULTS / "engine-profile.json", facts)


if __name__ == "__main__":
    main()
