"""Score the shipped predictor on both test splits and rewrite the README's tables: `python -m benchmarks.results`.

The scores go to ``data/results/<base>.json`` with the machine; the README takes its numbers from there and from the
committed notebooks, never from a hand. With ``--readme`` only the README is rewritten.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from pricelab.files import read_json, write_json_atomic, write_text_atomic
from pricelab.intervals import LEVEL, likely_share

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
RESULTS = ROOT / "data" / "results"
BASE = "smollm2-135m"
SPLITS = {"test": "test: new items of known families", "test-unseen": "test-unseen: families never seen"}


def measure(base: str = BASE) -> Path:
    """Score ``data/adapters/<base>`` beside its stored baselines on all items of both test splits."""
    from pricelab import Pricer, load_catalog
    from pricelab.comparison import compare
    from pricelab.items import groups_of
    from pricelab.normalise import this_machine

    catalog = load_catalog("workshop")
    pricer = Pricer.load(ROOT / "data" / "adapters" / base)
    start = time.perf_counter()
    splits = {
        split: compare(pricer, catalog[split], progress=True, groups=groups_of(split, catalog[split])).to_dict()
        for split in SPLITS
    }
    facts = {
        "command": "python -m benchmarks.results",
        "machine": this_machine(),
        "seconds": round(time.perf_counter() - start),
        "train_items": pricer.manifest.data["train_items"],
        "train_seconds": pricer.manifest.metrics["train_seconds"],
        "epochs": pricer.manifest.recipe["epochs"],
        "adapter_sha256": pricer.manifest.files["adapter_model.safetensors"],
    }
    path = RESULTS / f"{base}.json"
    write_json_atomic(path, {**facts, "splits": splits})
    return path


def results_of(name: str) -> Path:
    """Where a benchmark that runs on either device writes: ``name.json``, on a GPU ``name-cuda.json``."""
    from pricelab.profiles import pick_device

    return RESULTS / f"{name}{'-cuda' if pick_device() == 'cuda' else ''}.json"


def can_run(what: str, *bases: str, packages: Sequence[str] = ()) -> bool:
    """Whether this machine has, or can download, what a benchmark takes; if not, say what it lacks."""
    from pricelab.base_files import locate

    try:
        for name in packages:
            import_module(name)
        for base in bases:
            locate(base)
    except (ModuleNotFoundError, ConnectionError) as error:
        print(f"skipped {what}: {error}", flush=True)
        return False
    return True


def with_section(text: str, name: str, content: str) -> str:
    """``text`` with what stands between the markers of section ``name`` replaced."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"the README needs exactly one {begin} and one {end}")
    head, rest = text.split(begin)
    return f"{head}{begin}\n{content.strip()}\n{end}{rest.split(end)[1]}"


def renewed(page: Path, sections: Mapping[str, tuple[str, Callable[[dict[str, Any]], str]]]) -> str:
    """A page of ``docs/`` with every table renewed whose results are there: section → (file in `RESULTS`, table)."""
    text = page.read_text(encoding="utf-8")
    for name, (file, table) in sections.items():
        if (RESULTS / file).is_file():
            text = with_section(text, name, table(read_json(RESULTS / file)))
    return text


def spread(found: Mapping[str, float], form: str) -> str:
    """Median [least, most], each written by ``form``."""
    median, least, most = (form.format(found[name]) for name in ("median", "least", "most"))
    return f"{median} [{least}, {most}]"


def results_table(facts: dict[str, Any]) -> str:
    """The scores as a Markdown table with intervals, and the paired differences in words."""
    lines = [
        "| split | model | mean abs. error [95 %] | median | within 20 % | inside the 80 % interval |",
        "|---|---|---|---|---|---|",
    ]
    for split, words in SPLITS.items():
        for score in facts["splits"][split]["scores"]:
            lines.append(
                f"| {words}, n = {score['n']} | {score['name']} | {_interval(score['mae'])} | "
                f"${score['median_ae']:.2f} | {score['hit_rate']:.0%} | {_share(score['coverage'])} |"
            )
        lines.append(f"| | best possible | ${facts['splits'][split]['floor_usd']:.2f} | | | |")
    lines += ["", *_differences(facts), ""]
    minutes = facts["train_seconds"] / 60
    calibrated = read_json(ROOT / "data" / "adapters" / BASE / "manifest.json")["calibration"]["n"]
    new = facts["splits"]["test"]["scores"][0]["n"]
    low, high = likely_share(calibrated, LEVEL, new)
    lines.append(
        f"Trained on {facts['train_items']:,} items for {facts['epochs']:g} epochs in {minutes:.0f} minutes; "
        f"machine: {facts['machine']}. Intervals hold for other items, on `test-unseen` for other families. "
        f"80 % are promised for items like the {calibrated} that the predictor was calibrated on, as a mean over such "
        f"sets (one alone gives {low:.0%} to {high:.0%} of {new} in 19 of 20 cases): not for families never seen. "
        f"Written by `{facts['command']}`."
    )
    return "\n".join(lines)


def _share(found: float | None) -> str:
    return "" if found is None else f"{found:.0%}"


def _differences(facts: dict[str, Any]) -> list[str]:
    return [
        f"- On `{split}`, fine-tuning {_saved_or_lost(saved, name)} (paired, n = {saved['n']})."
        for split in SPLITS
        for name, saved in facts["splits"][split]["saved"].items()
    ]


def _saved_or_lost(saved: dict[str, float], name: str) -> str:
    """What a paired difference comes to, without a minus sign before what it is about."""
    if saved["value"] >= 0:
        return f"saves {_interval(saved)} an item against {name}"
    lost = {"value": -saved["value"], "low": -saved["high"], "high": -saved["low"]}
    return f"costs {_interval(lost)} more an item than {name}"


def _interval(value: dict[str, float]) -> str:
    return f"{_dollars(value['value'])} [{_dollars(value['low'])}, {_dollars(value['high'])}]"


def _dollars(value: float) -> str:
    return f"{'−' if value < 0 else ''}${abs(value):.2f}"


def notebook_table() -> str:
    """The committed notebooks with the minutes that their last execution took."""
    lines = ["| notebook | minutes |", "|---|---|"]
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        title = next(line for line in "".join(notebook["cells"][0]["source"]).splitlines() if line.startswith("# "))
        minutes = notebook["metadata"]["pricelab"]["seconds"] / 60
        lines.append(f"| [{title[2:]}](notebooks/{path.name}) | {minutes:.1f} |")
    machine = notebook["metadata"]["pricelab"]["machine"]
    return "\n".join([*lines, "", f"Minutes of the last execution in the `laptop` profile; machine: {machine}."])


def speed_words(facts: dict[str, Any]) -> str:
    """How fast and how small training is beside TRL, in two lines; the whole table is in ``docs/engine.md``."""
    lines = []
    for method, words in (("qlora", "QLoRA"), ("lora", "LoRA")):
        plain, default = facts[method]["trl"], facts[method]["trl_checkpointing"]
        faster, share = plain["times_faster"]["median"], plain["share_of_peak"]["median"]
        lines.append(
            f"- {words} trains {faster:.1f} times as many items a second as TRL's `SFTTrainer` on the same work, in "
            f"{share:.0%} of its memory; with TRL's own default, gradient checkpointing, "
            f"{default['times_faster']['median']:.1f} times as many in "
            f"{default['share_of_peak']['median']:.0%} of its memory."
        )
    told = (
        f"{facts['base']} on a CPU, batch {facts['batch']}; machine: {facts['machine']}. Measured by "
        f"`{facts['command']}`, written by `python -m benchmarks.results --readme`."
    )
    return "\n".join([*lines, "", told])


def readme() -> str:
    """The README with all written sections renewed."""
    text = with_section(README.read_text(encoding="utf-8"), "notebooks", notebook_table())
    text = with_section(text, "speed", speed_words(read_json(RESULTS / "engine-cpu.json")))
    return with_section(text, "results", results_table(read_json(RESULTS / f"{BASE}.json")))


def main(arguments: list[str]) -> None:
    """Measure unless told ``--readme``, then rewrite the README."""
    if "--readme" not in arguments:
        print(measure())
    write_text_atomic(README, readme())


if __name__ == "__main__":
    main(sys.argv[1:])
