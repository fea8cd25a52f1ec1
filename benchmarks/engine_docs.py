"""Rewrite the tables of ``docs/engine.md`` from ``data/results``: `python -m benchmarks.engine_docs`.

What was aimed at stands here; whether it was reached is read off what was measured.
"""

from typing import Any

from benchmarks import memory
from benchmarks.engine import EQUAL_ADAPTERS
from benchmarks.results import RESULTS, ROOT, renewed, spread
from pricelab.costs.units import human_bytes
from pricelab.files import read_json, write_text_atomic

PAGE = ROOT / "docs" / "engine.md"
METHODS = {"qlora": "QLoRA", "lora": "LoRA"}
ENGINES = {
    "pricelab": "pricelab", "pricelab_compiled": "pricelab, `--compile`",
    "trl": "TRL, no checkpointing", "trl_checkpointing": "TRL as it comes",
}  # fmt: skip
# device → methods, times TRL's items a second, share of its peak memory, share of the matmul peak
AIMS = {"cpu": (("qlora", "lora"), 3.0, 1.0, 0.35), "cuda": (("qlora",), 2.0, 0.5, 0.40)}
LINEAR_WITHIN = 0.10  # of an epoch's time, against items


def comparison(facts: dict[str, Any]) -> str:
    """Speed and memory of both engines as a Markdown table."""
    lines = [
        "| method | engine | items/s | peak memory | faster | of its peak | padding | of the matmul peak |",
        "|---" * 8 + "|",
    ]
    for method, words in METHODS.items():
        for engine, name in ENGINES.items():
            if engine not in facts.get(method, {}):
                continue
            row = facts[method][engine]
            faster = spread(row["times_faster"], "{:.2f}×") if "times_faster" in row else ""
            share = spread(row["share_of_peak"], "{:.0%}") if "share_of_peak" in row else ""
            cells = (
                words, name, spread(row["items_per_second"], "{:.2f}"), human_bytes(row["peak_bytes"]["median"]),
                faster, share, f"{row['padding']['median']:.1%}", f"{row['share_of_matmul_peak']:.0%}",
            )  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    peak = facts["matmul_peak_flops_per_second"] / 1e12
    ours = facts["qlora"]["pricelab"]
    tokens = ours["tokens_per_second"]["median"] / ours["items_per_second"]["median"]
    told = (
        f"Base: {facts['base']}; batch {facts['batch']}, {tokens:.0f} tokens an item on average with prompt and price, "
        f"LoRA of rank {facts['rank']} on the attention layers, "
        f"{facts['steps']} steps after a warm-up. Median [least, most] of {facts['repeats']} runs; peak memory counts "
        "loading too. *Faster*: how many times pricelab, not compiled, is; *of its peak*: how much it takes of that "
        "engine's memory, both side by side; *padding*: share of the tokens computed that are filled in. Matmul peak "
        f"measured here: {peak:.2f} TFLOP/s; a token counts as 4·N + 6·A "
        f"operations. TRL {facts['trl']}, torch {facts['torch']}, {facts['threads']} threads; machine: "
        f"{facts['machine']}. Written by `{facts['command']}`."
    )
    return "\n".join([*lines, "", *aims(facts), "", told])


def aims(facts: dict[str, Any]) -> list[str]:
    """What was aimed at, and whether the medians reach it, as lines of Markdown."""
    methods, times, share, of_peak = AIMS[facts.get("device", "cpu")]
    lines = [
        f"The aims were {times:g} times TRL's items/s with {' and '.join(METHODS[method] for method in methods)}, in "
        f"{'no more than its' if share == 1 else f'{share:.0%} of its'} peak memory, and {of_peak:.0%} of the matmul "
        "peak. By the medians:",
        "",
    ]
    for method in methods:
        for engine in ("trl", "trl_checkpointing"):
            row = facts[method][engine]
            for ways, found in {"": row, ", compiled": row.get("compiled")}.items():
                if found:
                    faster, of_its = found["times_faster"]["median"], found["share_of_peak"]["median"]
                    lines.append(
                        f"- {METHODS[method]}{ways}, against {ENGINES[engine]}: speed {_reached(faster >= times)} "
                        f"({faster:.2f}×), memory {_reached(of_its <= share)} ({of_its:.0%})."
                    )
        reached = facts[method]["pricelab"]["share_of_matmul_peak"]
        lines.append(f"- {METHODS[method]}, share of the matmul peak: {_reached(reached >= of_peak)} ({reached:.0%}).")
    return lines


def _reached(yes: bool) -> str:
    return "reached" if yes else "**not reached**"


def losses(facts: dict[str, Any]) -> str:
    """Losses of both engines, step by step, as a Markdown table."""
    lines = [
        "| method | precision | engine | loss of each step | largest relative difference |",
        "|---|---|---|---|---|",
    ]
    for method, words in METHODS.items():
        for precision, found in facts.get(method, {}).get("losses", {}).items():
            for engine in ("pricelab", "trl"):
                steps = ", ".join(f"{loss:.5f}" for loss in found[engine])
                apart = f"{found['largest_relative_difference']:.1e}" if engine == "trl" else ""
                lines.append(f"| {words} | {precision} | {ENGINES[engine].split(',')[0]} | {steps} | {apart} |")
    told = "With QLoRA TRL keeps the adapters in bf16, whatever the precision; pricelab keeps them in fp32."
    if any(EQUAL_ADAPTERS in facts[method]["losses"] for method in METHODS if method in facts):
        told += f" In the rows of *{EQUAL_ADAPTERS}* they were cast before the first step."
    return "\n".join([*lines, "", told])


def profile(facts: dict[str, Any]) -> str:
    """Where a step's time goes in both engines, as a Markdown table."""
    kinds = list(
        dict.fromkeys(kind for method in METHODS for engine in facts[method].values() for kind in engine["ms"])
    )
    columns = [(method, engine) for method in METHODS for engine in facts[method]]
    lines = [
        "| milliseconds | " + " | ".join(f"{METHODS[m]}, {ENGINES[e].split(',')[0]}" for m, e in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for kind in kinds:
        lines.append(f"| {kind} | " + " | ".join(f"{facts[m][e]['ms'].get(kind, 0):,}" for m, e in columns) + " |")
    largest = ", ".join(
        f"`{one['operation']}` {one['ms']:,} ms in {one['calls']:,} calls"
        for one in facts["qlora"]["trl"]["largest"][:3]
    )
    told = f"TRL's largest single operations with QLoRA: {largest}."
    return "\n".join([*lines, "", f"{told} Machine: {facts['machine']}. Written by `{facts['command']}`."])


def limits(facts: dict[str, Any]) -> str:
    """What is left of a step of pricelab's engine, as a Markdown table: from its profile and the comparison's speed."""
    speeds = read_json(RESULTS / f"engine-{facts.get('device', 'cpu')}.json")
    columns = []
    for method in METHODS:
        ms = facts[method]["pricelab"]["ms"]
        whole = sum(ms.values())
        products, between = ms["matrix products"] / whole, ms["element by element"] + ms["copies and casts"]
        columns.append({
            "matrix products, of a step": f"{products:.0%}",
            "their speed, of the matmul peak": f"{speeds[method]['pricelab']['share_of_matmul_peak'] / products:.0%}",
            "element-wise work and copies, of a step": f"{between / whole:.0%}",
            "4-bit weights to 16 bit, of a step": f"{ms.get('4-bit weights to 16 bit', 0) / whole:.0%}",
            "a step of nothing but matrix products": f"{1 / products:.1f} times as fast",
        })  # fmt: skip
    lines = [f"| | {' | '.join(METHODS.values())} |", "|---" * (1 + len(METHODS)) + "|"]
    lines += [f"| {name} | {' | '.join(column[name] for column in columns)} |" for name in columns[0]]
    told = (
        "Their speed is about what the whole step reaches of the matmul peak, in the first table, divided by their "
        f"share. Machine: {facts['machine']}. Written by `{facts['command']}`."
    )
    return "\n".join([*lines, "", told])


def epochs(facts: dict[str, Any]) -> str:
    """Time and memory of one pass by its number of items, as a Markdown table."""
    least = facts["passes"][0]
    lines = ["| items | seconds | items/s | against the smallest | peak memory |", "|---|---|---|---|---|"]
    for one in facts["passes"]:
        ratio = one["items_per_second"] / least["items_per_second"]
        lines.append(
            f"| {one['items']:,} | {one['seconds']:,.1f} | {one['items_per_second']:.1f} | {ratio:.2f}× | "
            f"{human_bytes(one['peak_bytes'])} |"
        )
    before, last = facts["passes"][-2:]
    grown = last["peak_bytes"] / least["peak_bytes"] - 1
    told = (
        f"The aims were a time that is linear within {LINEAR_WITHIN:.0%}, and flat memory. Items a second differ by "
        f"{_apart(facts['passes'])} over all passes, {_apart([before, last])} from {before['items']:,} to "
        f"{last['items']:,} items: the smallest is over after {least['seconds']:.1f} s, of which the first steps and "
        f"other fixed costs are a larger part. Memory grows by {grown:.0%} over all: "
        f"{_reached(grown <= LINEAR_WITHIN)}. One pass with LoRA on `{facts['base']}`, batch {facts['batch']}, "
        f"checkpoints on. Machine: {facts['machine']}. Written by `{facts['command']}`."
    )
    return "\n".join([*lines, "", told])


def _apart(passes: list[dict[str, Any]]) -> str:
    """By how much the items a second of some passes differ, against the aim."""
    speeds = [one["items_per_second"] for one in passes]
    apart = max(speeds) / min(speeds) - 1
    return f"{apart:.0%} ({_reached(apart <= LINEAR_WITHIN)})"


def attention(facts: dict[str, Any]) -> str:
    """Seconds of a step with either attention by length, as a Markdown table."""
    lines = ["| tokens | eager, s | fused, s | fused / eager |", "|---|---|---|---|"]
    for row in facts["rows"]:
        least, most = row["range"]
        lines.append(
            f"| {row['tokens']} | {row['eager_seconds']:.2f} | {row['sdpa_seconds']:.2f} | "
            f"{row['sdpa_by_eager']:.2f} [{least:.2f}, {most:.2f}] |"
        )
    told = (
        f"A step with LoRA on {facts['base']}, batch {facts['batch']}, {facts['precision']}; median [least, most] of "
        f"{facts['repeats']} runs, side by side. {facts['threads']} threads; machine: {facts['machine']}. "
        f"Written by `{facts['command']}`."
    )
    return "\n".join([*lines, "", told])


SECTIONS = {
    "engine": ("engine-cpu.json", comparison),
    "engine on a GPU": ("engine-cuda.json", comparison),
    "large batches on a GPU": ("engine-cuda-large.json", comparison),
    "losses": ("engine-cpu.json", losses),
    "losses on a GPU": ("engine-cuda.json", losses),
    "profile": ("engine-profile.json", profile),
    "limits": ("engine-profile.json", limits),
    "attention": ("attention.json", attention),
    "epochs": ("epochs.json", epochs),
    "memory": ("memory.json", memory.table),
}


def page() -> str:
    """The page with every table renewed whose results are there."""
    return renewed(PAGE, SECTIONS)


if __name__ == "__main__":
    write_text_atomic(PAGE, page())
