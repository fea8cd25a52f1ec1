"""Rewrite the tables of ``docs/engine.md`` from ``data/results``: `python -m benchmarks.engine_docs`."""

from typing import Any

from benchmarks import memory
from benchmarks.results import ROOT, renewed, spread
from pricelab.costs.units import human_bytes
from pricelab.files import write_text_atomic

PAGE = ROOT / "docs" / "engine.md"
METHODS = {"qlora": "QLoRA", "lora": "LoRA"}
ENGINES = {"pricelab": "pricelab", "trl": "TRL, no checkpointing", "trl_checkpointing": "TRL as it comes"}


def comparison(facts: dict[str, Any]) -> str:
    """Speed and memory of both engines as a Markdown table."""
    lines = [
        "| method | engine | items/s | peak memory | faster | of its peak | of the matmul peak |",
        "|---" * 7 + "|",
    ]
    for method, words in METHODS.items():
        for engine, name in ENGINES.items():
            row = facts[method][engine]
            faster = spread(row["times_faster"], "{:.2f}×") if "times_faster" in row else ""
            share = spread(row["share_of_peak"], "{:.0%}") if "share_of_peak" in row else ""
            cells = (
                words, name, spread(row["items_per_second"], "{:.2f}"), human_bytes(row["peak_bytes"]["median"]),
                faster, share, f"{row['share_of_matmul_peak']:.0%}",
            )  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    peak = facts["matmul_peak_flops_per_second"] / 1e12
    told = (
        f"Base: {facts['base']}; batch {facts['batch']}, LoRA of rank {facts['rank']} on the attention layers, "
        f"{facts['steps']} steps after a warm-up. Median [least, most] of {facts['repeats']} runs; peak memory counts "
        "loading too. *Faster*: how many times pricelab is; *of its peak*: how much pricelab takes of that engine's "
        f"memory, both side by side. Matmul peak measured here: {peak:.2f} TFLOP/s; a token counts as 4·N + 6·A "
        f"operations. TRL {facts['trl']}, torch {facts['torch']}, {facts['threads']} threads; machine: "
        f"{facts['machine']}. Written by `{facts['command']}`."
    )
    return "\n".join([*lines, "", told])


def losses(facts: dict[str, Any]) -> str:
    """Losses of both engines, step by step, as a Markdown table."""
    lines = ["| method | precision | engine | loss of each step | largest difference |", "|---|---|---|---|---|"]
    for method, words in METHODS.items():
        for precision, found in facts[method]["losses"].items():
            for engine in ("pricelab", "trl"):
                steps = ", ".join(f"{loss:.5f}" for loss in found[engine])
                apart = f"{found['largest_relative_difference']:.1e}" if engine == "trl" else ""
                lines.append(f"| {words} | {precision} | {ENGINES[engine].split(',')[0]} | {steps} | {apart} |")
    told = "With QLoRA TRL keeps the adapters in bf16, in fp32 too; pricelab keeps them in fp32."
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
    largest = facts["qlora"]["trl"]["largest"][0]
    return "\n".join(
        [
            *lines,
            "",
            f"TRL's largest single operation with QLoRA: `{largest['operation']}`, {largest['ms']:,} ms in "
            f"{largest['calls']} calls. Machine: {facts['machine']}. Written by `{facts['command']}`.",
        ]
    )


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
    return "\n".join(
        [
            *lines,
            "",
            f"One pass with LoRA on `{facts['base']}`, batch {facts['batch']}, checkpoints on. Machine: "
            f"{facts['machine']}. Written by `{facts['command']}`.",
        ]
    )


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
    "losses": ("engine-cpu.json", losses),
    "profile": ("engine-profile.json", profile),
    "attention": ("attention.json", attention),
    "epochs": ("epochs.json", epochs),
    "memory": ("memory.json", memory.table),
}


def page() -> str:
    """The page with every table renewed whose results are there."""
    return renewed(PAGE, SECTIONS)


if __name__ == "__main__":
    write_text_atomic(PAGE, page())
