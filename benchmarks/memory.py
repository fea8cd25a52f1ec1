"""Hold the estimate that a run prints before it starts against what it then takes: `python -m benchmarks.memory`.

Each run is four steps on the longest texts of the workshop catalog, in a process of its own, loading included. The
peaks go to ``data/results/memory.json`` as they come, with settings and machine, from where
`python -m benchmarks.engine_docs` rewrites ``docs/engine.md``. Started again, it goes on after the last finished run;
what another machine or device measured is measured anew.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS, ROOT, can_run
from pricelab.costs.units import human_bytes
from pricelab.files import read_json, write_json_atomic

BASES = ("tiny", "smollm2-135m")
METHODS = {"qlora": "QLoRA", "lora": "LoRA", "full": "full"}
BATCHES = (4, 8, 16)
STEPS = 4


def one(base: str, method: str, batch: int) -> dict[str, Any]:
    """One run in this process, once as the system sees it and once tensor by tensor; all figures in bytes."""
    import torch

    from pricelab import load_catalog
    from pricelab.base_files import place_of
    from pricelab.bases import load_tokenizer
    from pricelab.costs import Shape
    from pricelab.costs.measured import live_tensors
    from pricelab.costs.peak import peak_memory
    from pricelab.profiles import pick_device
    from pricelab.recipe import Recipe
    from pricelab.room import longest, memory_needed
    from pricelab.training import load_trainable, train

    recipe, device = Recipe(batch_size=batch), pick_device()
    items = sorted(load_catalog("workshop")["train"], key=lambda item: len(item.text))[-batch * STEPS :]
    first, model = load_trainable("tiny", method, recipe, 0)  # so that libraries are loaded and don't count
    train(model, first, items[:4], recipe, None, 0, False)
    del first, model
    with peak_memory(device) as peak:
        loaded, model = load_trainable(base, method, recipe, 0)
        train(model, loaded, items, recipe, None, 0, False)
    shape = Shape.of(loaded.model)
    del loaded, model
    need = memory_needed(shape, method, recipe, *longest(load_tokenizer(*place_of(base)), items, recipe))
    found = {"estimated": need.peak, "measured": peak.bytes, "estimated_tensors": need.memory.total}
    if device == "cpu":
        loaded, model = load_trainable(base, method, recipe, 0)
        with live_tensors(model) as watch:
            train(model, loaded, items, recipe, None, 0, False)
        found["measured_tensors"] = watch.peak
    key = {"base": base, "method": method, "batch": batch, "tokens": need.plan.length}
    threads = torch.get_num_threads()
    return {**key, **{name: round(value) for name, value in found.items()}, "threads": threads}


def measure(path: Path) -> None:
    """Write all runs to ``path``; those that it holds already of this machine and device are kept."""
    from pricelab.normalise import this_machine
    from pricelab.profiles import pick_device

    here = {"machine": this_machine(), "device": pick_device()}
    facts = read_json(path) if path.is_file() else {"command": "python -m benchmarks.memory", "steps": STEPS}
    runs = {(run["base"], run["method"], run["batch"]): run for run in facts.get("runs", [])}
    bases = [base for base in BASES if can_run(f"the memory of {base}", base)]
    for key in ((base, method, batch) for base in bases for method in METHODS for batch in BATCHES):
        if here.items() <= runs.get(key, {}).items():
            continue
        runs[key] = {**alone(*key), **here}
        print(runs[key], flush=True)
        write_json_atomic(path, {**facts, "runs": list(runs.values())})


def alone(base: str, method: str, batch: int) -> dict[str, Any]:
    """`one` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.memory", "--one", base, method, str(batch)]
    said = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, cwd=ROOT).stdout
    return dict(json.loads(said.splitlines()[-1]))


def table(facts: dict[str, Any]) -> str:
    """Estimates beside peaks as a Markdown table."""
    heads = ["base", "method", "batch × tokens", "estimate", "measured", "estimate / measured", "live tensors alone"]
    machines = list(dict.fromkeys(f"{run['machine']}, {run['device']}" for run in facts["runs"]))
    several = len(machines) > 1
    heads += ["machine"] * several
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for run in facts["runs"]:
        tensors = f"{run['estimated_tensors'] / run['measured_tensors']:.2f}" if "measured_tensors" in run else ""
        cells = (
            run["base"], METHODS[run["method"]], f"{run['batch']} × {run['tokens']}", human_bytes(run["estimated"]),
            human_bytes(run["measured"]), f"{run['estimated'] / run['measured']:.2f}", tensors,
            *[f"{run['machine']}, {run['device']}"] * several,
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    told = (
        f"{facts['steps']} steps on the longest texts, loading included, each run in a process of its own. "
        "*Measured* is the growth of the process as the system sees it, *live tensors alone* the same ratio for what "
        "tensors hold. "
        f"Threads: {facts['runs'][-1]['threads']}; {'machines' if several else 'machine'}: {'; '.join(machines)}. "
        f"Written by `{facts['command']}`."
    )
    return "\n".join([*lines, "", told])


def main(arguments: list[str]) -> None:
    """Measure; ``--one base method batch`` prints one run as JSON."""
    if arguments[:1] == ["--one"]:
        print(json.dumps(one(arguments[1], arguments[2], int(arguments[3]))))
    else:
        measure(RESULTS / "memory.json")


if __name__ == "__main__":
    main(sys.argv[1:])
