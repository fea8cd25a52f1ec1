"""How fast prices come, whole distributions included: `python -m benchmarks.pricing`.

Side by side on the same texts, in turn, so that a busy minute hits all: one `generate` after another as well-known
notebooks do it, the bare prefill in batches as large as a predictor's, and `Pricer.estimate` with either read-out; then
texts of several lengths; then files of growing size through `predict_file` on the base `tiny`, each in a process of its
own. On one CPU thread seconds are the process's own, so that a busy machine counts less; else those of the clock on the
wall.

Results go to ``data/results/pricing.json``, on a GPU to ``pricing-cuda.json``, with the machine, the tables to
``docs/pricing.md``; with ``--docs`` only these are written. ``ways``, ``lengths`` or ``files`` measure that part alone,
and the others keep what they have.
"""

import csv
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import RESULTS, ROOT, can_run, results_of, spread, with_section
from pricelab.costs.peak import apart
from pricelab.costs.units import human_bytes
from pricelab.files import read_json, write_json_atomic, write_text_atomic
from pricelab.normalise import this_machine

PAGE, PATH, GPU_PATH = ROOT / "docs" / "pricing.md", RESULTS / "pricing.json", RESULTS / "pricing-cuda.json"
BASE, GENERATED, REPEATS, CUT_TEXTS = "smollm2-135m", 6, 3, 16
ITEMS = {"cpu": 64, "cuda": 512}  # a GPU is done with a few before a clock tells
AIMS = {"cpu": 15, "cuda": 30}  # times `generate`
LENGTHS = (40, 160)  # tokens of a text
SIZES = (100, 1_000, 10_000)  # rows of a file
WORDS = {
    "generate": "`generate`, one at a time",
    "prefill": "bare prefill, batch {}",
    "digits": "`estimate`, digits",
    "blend": "`estimate`, blend",
}


def ways(pricer: Any) -> dict[str, Callable[[Sequence[str]], Any]]:
    """What is timed, each on a list of texts."""
    return {
        "generate": lambda texts: pricer.write(texts, max_new_tokens=4),
        "prefill": lambda texts: prefill(pricer, texts),
        "digits": lambda texts: pricer.digits.estimate(texts),
        "blend": lambda texts: pricer.reading("blend").estimate(texts),
    }


def prefill(pricer: Any, texts: Sequence[str]) -> None:
    """The layers over the prompts and the scores of the next token alone, in batches of texts about as long.

    As lean as the model allows: only the last token's rows reach the head, as one matrix.
    """
    import torch

    from pricelab.backbone import head_logits, hidden_states
    from pricelab.states import batch_size

    size = batch_size(pricer)
    prompts = sorted((pricer.prompt_ids(text)[0] for text in texts), key=len)
    for start in range(0, len(prompts), size):
        batch = prompts[start : start + size]
        width = max(map(len, batch))
        ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in batch], device=pricer.model.device)
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in batch], device=ids.device)
        with pricer.running():
            head_logits(pricer.model, hidden_states(pricer.model, ids, mask)[:, -1])


def predictor(base: str) -> Any:
    """The shipped adapter of ``base`` with a blend fitted on a few items: its speed counts here, not its errors."""
    from pricelab import Pricer, load_catalog
    from pricelab.baselines import TfidfRidge
    from pricelab.blend import fit_blend

    pricer = Pricer.load(ROOT / "data" / "adapters" / base)
    if pricer.blend is not None:
        return pricer
    items = load_catalog("workshop")["train"][:48]
    ridge = TfidfRidge().fit([item.text for item in items], [item.price for item in items])
    return replace(pricer, ridge=ridge, blend=fit_blend(pricer, items, ridge))


def side_by_side(pricer: Any, texts: Sequence[str], repeats: int = REPEATS) -> dict[str, Any]:
    """Items a second of each way on ``texts``, a few of them for `generate`, and its answers beside the digits'."""
    from pricelab.decoding import greedy
    from pricelab.states import batch_size

    timed = ways(pricer)
    few = texts[:GENERATED]
    written = timed["generate"](few)
    found = greedy(np.array([answer.distribution for answer in timed["digits"](few)]))
    for way in ("prefill", "blend"):
        timed[way](few)  # warm-up
    rounds = []
    for _ in range(repeats):
        speed = {way: _speed(work, few if way == "generate" else texts) for way, work in timed.items()}
        rounds.append({**speed, **{f"{way} of prefill": speed[way] / speed["prefill"] for way in ("digits", "blend")}})
        rounds[-1] |= {f"{way} of generate": speed[way] / speed["generate"] for way in ("digits", "blend", "prefill")}
    facts = {name: _spread([one[name] for one in rounds]) for name in rounds[0]}
    same = sum(str(dollars) == answer for dollars, answer in zip(found, written, strict=True))
    tokens = float(np.mean([len(pricer.prompt_ids(text)[0]) for text in texts]))
    share = of_matmul_peak(pricer, facts["prefill"]["median"] * tokens)
    facts |= {"same_greedy": same, "generated": len(few), "prefill of matmul peak": round(share, 3)}
    return {"items": len(texts), "tokens": round(tokens, 1), "batch": batch_size(pricer), **facts}


def of_matmul_peak(pricer: Any, tokens_per_second: float) -> float:
    """A prefill's share of what this machine reaches in one large matrix product, the adapter's work left out."""
    from benchmarks.engine import matmul_peak
    from pricelab.costs.shapes import Shape

    return 2 * Shape.of(pricer.model.config).linear * tokens_per_second / matmul_peak()


def by_length(pricer: Any, texts: Sequence[str], repeats: int = 2) -> list[dict[str, Any]]:
    """Each read-out's share of the bare prefill's speed for texts of `LENGTHS` tokens."""
    tokenizer, timed = pricer.base.tokenizer, ways(pricer)
    long = " ".join(texts)
    ids = tokenizer.encode(long, add_special_tokens=False)
    found = []
    for length in LENGTHS:
        cut = [tokenizer.decode(ids[7 * i : 7 * i + length]) for i in range(CUT_TEXTS)]
        shares: dict[str, list[float]] = {"digits": [], "blend": []}
        for _ in range(repeats):
            speed = {way: _speed(timed[way], cut) for way in ("prefill", "digits", "blend")}
            for way in shares:
                shares[way].append(speed[way] / speed["prefill"])
        found.append({"tokens": length, **{way: _spread(values) for way, values in shares.items()}})
    return found


def price_file(rows: int) -> dict[str, Any]:
    """Price a CSV of ``rows`` rows with the shipped `tiny` predictor; `measure` does it in a process of its own."""
    from pricelab import Pricer, load_catalog
    from pricelab.batch import predict_file
    from pricelab.costs.peak import peak_memory

    pricer = Pricer.load(ROOT / "data" / "adapters" / "tiny")
    shop = load_catalog("workshop")["train"]
    with tempfile.TemporaryDirectory() as name:
        source, out = Path(name) / "in.csv", Path(name) / "out.csv"
        with open(source, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["description"])
            writer.writerows([shop[row % len(shop)].text] for row in range(rows))
        pricer.estimate([item.text for item in shop[:CUT_TEXTS]])  # libraries
        with peak_memory() as peak:
            now = clock()
            start = now()
            predict_file(pricer, source, out, progress=False)
            seconds = now() - start
    return {"rows": rows, "seconds": round(seconds, 2), "ms_per_row": 1000 * seconds / rows, "peak_bytes": peak.bytes}


def measure(
    path: Path | None = None, sizes: Sequence[int] = SIZES, base: str = BASE, parts: Collection[str] = ()
) -> None:
    """Write ``parts``, or all of `SECTIONS`, to ``path``, others as they were; print each as it ends."""
    import torch

    from pricelab import load_catalog
    from pricelab.profiles import pick_device

    path = path or results_of("pricing")
    facts: dict[str, Any] = read_json(path) if path.is_file() else {}
    facts |= {"command": "python -m benchmarks.pricing", "machine": this_machine()}
    pricer = predictor(base)
    texts = [item.text for item in load_catalog("workshop")["test"][: ITEMS[pick_device()]]]
    facts |= {"predictor": pricer.name, "threads": torch.get_num_threads(), "device": pricer.base.device}
    facts["seconds"] = {time.process_time: "of the process", time.perf_counter: "on the wall"}[clock()]
    for name, work in (("ways", side_by_side), ("lengths", by_length)):
        if not parts or name in parts:
            facts[name] = work(pricer, texts)
            print(facts[name], flush=True)
            write_json_atomic(path, facts)
    if parts and "files" not in parts:
        return
    facts["files"] = []
    for rows in sizes:
        facts["files"].append(apart(price_file, rows))
        print(facts["files"][-1], flush=True)
        write_json_atomic(path, facts)


def clock() -> Callable[[], float]:
    """Seconds of this process where it computes in one thread on the CPU, else of the clock on the wall."""
    import torch

    alone = torch.get_num_threads() == 1 and not torch.cuda.is_available()
    return time.process_time if alone else time.perf_counter


def _speed(work: Callable[[Sequence[str]], Any], texts: Sequence[str]) -> float:
    seconds = clock()
    start = seconds()
    work(texts)
    _wait()
    return len(texts) / (seconds() - start)


def _wait() -> None:
    """Until a GPU has done what it was asked for."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {name: round(float(f(values)), 3) for name, f in (("median", np.median), ("least", min), ("most", max))}


def ways_table(facts: dict[str, Any]) -> str:
    """Speeds and ratios as a Markdown table."""
    found, aim = facts["ways"], AIMS[facts["device"]]
    lines = ["| way | items/s | times `generate` | share of the bare prefill |", "|---|---|---|---|"]
    for way, words in WORDS.items():
        times = spread(found[f"{way} of generate"], "{:.1f}×") if way != "generate" else ""
        share = spread(found[f"{way} of prefill"], "{:.0%}") if way in ("digits", "blend") else ""
        lines.append(f"| {words.format(found['batch'])} | {spread(found[way], '{:.1f}')} | {times} | {share} |")
    threads = f"{facts['threads']} thread{'' if facts['threads'] == 1 else 's'}"
    told = (
        f"{facts['predictor']}, {found['items']} workshop products of {found['tokens']:g} tokens on average with the "
        f"question ({found['generated']} of them for `generate`, whose answer and the digits' greedy read-out agree on "
        f"{found['same_greedy']}). The bare prefill runs at {_share(found['prefill of matmul peak'])} of what the "
        f"machine reaches in one large matrix product; {aim} times `generate` would take "
        f"{_share(_needed(found, aim))}. "
        f"Median [least, most] of rounds side by side; seconds {facts['seconds']}, {threads} on {facts['device']}; "
        f"machine: {facts['machine']}. Written by `{facts['command']}`."
    )
    return "\n".join([*lines, "", told])


def _share(value: float) -> str:
    return "less than 1%" if value < 0.01 else f"{value:.0%}"


def _needed(found: dict[str, Any], aim: int) -> float:
    """The share of the matmul peak that a prefill ``aim`` times as fast as `generate` would run at."""
    return aim * found["generate"]["median"] / found["prefill"]["median"] * found["prefill of matmul peak"]


def lengths_table(facts: dict[str, Any]) -> str:
    """Shares of the bare prefill by length of text."""
    lines = ["| tokens a text | digits | blend |", "|---|---|---|"]
    for one in facts["lengths"]:
        lines.append(f"| {one['tokens']} | {spread(one['digits'], '{:.0%}')} | {spread(one['blend'], '{:.0%}')} |")
    return "\n".join([*lines, "", f"Machine: {facts['machine']}. Written by `{facts['command']}`."])


def files_table(facts: dict[str, Any]) -> str:
    """Cost per row and memory by size of the file."""
    lines = ["| rows | seconds | ms a row | against the smallest | growth of the process |", "|---|---|---|---|---|"]
    for one in facts["files"]:
        ratio = one["ms_per_row"] / facts["files"][0]["ms_per_row"]
        lines.append(
            f"| {one['rows']:,} | {one['seconds']:,.1f} | {one['ms_per_row']:.2f} | {ratio:.2f}× | "
            f"{human_bytes(one['peak_bytes'])} |"
        )
    told = f"The shipped `tiny` predictor, digits; machine: {facts['machine']}. Written by `{facts['command']}`."
    return "\n".join([*lines, "", told])


SECTIONS = {"ways": ways_table, "lengths": lengths_table, "files": files_table}
GPU_SECTIONS = {"ways": "ways on a GPU"}  # of the page


def page() -> str:
    """The page with every table renewed whose results are there."""
    text = PAGE.read_text(encoding="utf-8")
    for path, names in ((PATH, {name: name for name in SECTIONS}), (GPU_PATH, GPU_SECTIONS)):
        facts = read_json(path) if path.is_file() else {}
        for name, section in names.items():
            if facts.get(name):
                text = with_section(text, section, SECTIONS[name](facts))
    return text


def main(arguments: Sequence[str]) -> None:
    """Measure unless told ``--docs``, then rewrite the page; ``--rows 100000`` adds a larger file."""
    if "--docs" not in arguments and can_run("the speed of pricing", BASE):
        more = (int(arguments[arguments.index("--rows") + 1]),) if "--rows" in arguments else ()
        measure(sizes=(*SIZES, *more), parts=SECTIONS.keys() & set(arguments))
    write_text_atomic(PAGE, page())


if __name__ == "__main__":
    main(sys.argv[1:])
