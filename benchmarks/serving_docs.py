"""Rewrite the tables of ``docs/serving.md``, ``serving-many.md`` and ``serving-modal.md``.

    python -m benchmarks.serving_docs

What was measured comes from ``data/results/serving.json``; what a hundred million prices or a month of containers take
is arithmetic from it and from ``costs``.
"""

import math
from typing import Any

from benchmarks.results import ROOT, renewed, spread
from pricelab.costs.hardware import HARDWARE
from pricelab.costs.per_thousand import ASSUMED_UTILISATION, RENTED, TREE_TOKENS, fastest_measured, rented
from pricelab.costs.shapes import SHAPES
from pricelab.costs.units import human_seconds, human_usd
from pricelab.files import write_text_atomic
from pricelab.pricer import DIGITS
from pricelab.serving.modal_app import IDLE_SECONDS

PAGE = ROOT / "docs" / "serving.md"
MANY_PAGE = ROOT / "docs" / "serving-many.md"
MODAL_PAGE = ROOT / "docs" / "serving-modal.md"
ITEMS, HOURS = 100_000_000, 8
PROMPT_TOKENS = 50  # of a workshop item with the question, on average
RENTED_SHAPES = ("SmolLM2-135M", "Qwen3-1.7B")
WAYS = {"one": "no", "batched": "yes"}
STRETCHES = {  # how requests come → busy stretches in a month of 30 days, and seconds from first to last request of one
    "one request an hour, day and night": (30 * 24, 0.0),
    "22 working days of 8 busy hours": (22, 8 * 3600.0),
    "a container that is always there (`min_containers=1`)": (1, 30 * 24 * 3600.0),
}
CROWD, AIM, AIM_ON_GPU = 30, 4, 10  # clients, and how many times the unbatched throughput they should get


def written(facts: dict[str, Any]) -> str:
    """What measured, and what wrote the table."""
    return f"measured by `{facts['command']}`, written by `python -m benchmarks.serving_docs`"


def load_table(facts: dict[str, Any]) -> str:
    """Throughput and waiting as a Markdown table."""
    lines = ["| base | clients | batching | prices/s | p50 ms | p95 ms | p99 ms | faster | answers |", "|---" * 9 + "|"]
    for base, found in facts["predictors"].items():
        for row in found["load"]:
            for way, words in WAYS.items():
                faster = spread(row["times_faster"], "{:.2f}×") if way == "batched" else ""
                statuses = ", ".join(f"{count} × {status}" for status, count in row[way]["statuses"].items())
                waits = [f"{row[way][f'p{percent}_ms']:,}" for percent in (50, 95, 99)]
                cells = (
                    base,
                    row["clients"],
                    words,
                    spread(row[way]["per_second"], "{:.1f}"),
                    *waits,
                    faster,
                    statuses,
                )
                lines.append(f"| {' | '.join(map(str, cells))} |")
    told = (
        f"Median [least, most] of {facts['repeats']} repeats; batches of up to {facts['max_batch']} texts. *Faster*: "
        f"prices a second with batching over those without, asked in turn. {facts['threads']} thread(s) for the "
        f"model; machine: {facts['machine']}; {written(facts)}."
    )
    return "\n".join([*lines, "", told, "", aim_words(facts)])


def aim_words(facts: dict[str, Any]) -> str:
    """Which predictor reached what batching was to bring; on a GPU nothing was measured."""
    found = {
        base: row["times_faster"]["median"]
        for base, one in facts["predictors"].items()
        for row in one["load"]
        if row["clients"] == CROWD
    }
    reached, missed = (
        [f"`{base}` ({faster:.2f} times)" for base, faster in found.items() if (faster >= AIM) == wanted]
        for wanted in (True, False)
    )
    told = [
        f"{' and '.join(bases)} {words}" for bases, words in ((reached, "reached it"), (missed, "did not")) if bases
    ]
    return (
        f"The aim for {CROWD} clients was {AIM} times the unbatched throughput on a CPU: {', '.join(told)}. On a GPU "
        f"it was {AIM_ON_GPU} times; none was measured."
    )


def cold_table(facts: dict[str, Any]) -> str:
    """What a start in a fresh process takes, part by part; nothing where it was not measured."""
    starts = {base: found["cold_start"] for base, found in facts["predictors"].items() if "cold_start" in found}
    if not starts:
        return ""
    parts = list(dict.fromkeys(part for start in starts.values() for part in start))
    lines = ["## Cold start", "", f"| base | {' | '.join(parts)} |", "|---" * (1 + len(parts)) + "|"]
    for base, start in starts.items():
        lines.append(f"| {base} | {' | '.join(spread(start[part], '{:.2f}') for part in parts)} |")
    told = (
        f"Seconds in a process of its own, median [least, most] of {facts['repeats']}; the base is here already, and "
        "its files are in the system's cache. *Process*: all of it, with the interpreter's start. Machine: "
        f"{facts['machine']}; {written(facts)}."
    )
    return "\n".join([*lines, "", told])


def fault_table(facts: dict[str, Any]) -> str:
    """What was wrong and what came of it."""
    rows = [f"| {one['fault']} | {one['outcome'].replace('|', ' ')} |" for one in facts["faults"]]
    told = f"After each request the server went on; {written(facts)}."
    return "\n".join(["| fault | outcome |", "|---|---|", *rows, "", told])


def memory_table(facts: dict[str, Any]) -> str:
    """What the server's process held, and what its second half added."""
    held = {int(done): size / 1e6 for done, size in facts["bytes_after_requests"].items()}
    lines = [f"| requests | {' | '.join(f'{done:,}' for done in held)} |", "|---" * (1 + len(held)) + "|"]
    lines.append(f"| MB | {' | '.join(f'{size:,.0f}' for size in held.values())} |")
    last = max(held)
    added = held[last] - held[last // 2]
    told = (
        f"`{facts['predictor']}`, {facts['clients']} clients, each text asked once, one thread for the model. The "
        f"second half of the requests added {added:,.0f} MB ({added / held[last // 2]:.1%}). "
        f"Machine: {facts['machine']}; {written(facts)}."
    )
    return "\n".join([*lines, "", told])


def contract_words(facts: dict[str, Any]) -> str:
    """What schemathesis found."""
    found = facts["contract"]
    verdict = "no issue found" if found["passed"] else "issues found"
    return (
        f"Schemathesis {found['schemathesis']} against `/openapi.json` (`schemathesis run URL/openapi.json "
        f"{found['options']}`): {found['cases']}; {verdict}; {written(facts)}; "
        "`tests/test_serving_contract.py` repeats it in small."
    )


def many_table(facts: dict[str, Any]) -> str:
    """Machines, hours and money for `ITEMS` prices, as a Markdown table."""
    gpu, fastest = fastest_measured(DIGITS)
    lines = ["| machine | prices/s | one machine | machines for 8 hours | rent | how we know |", "|---" * 6 + "|"]
    for base, found in facts["predictors"].items():
        rate = max(row["batched"]["per_second"]["median"] for row in found["load"])
        lines.append(_many_row(f"{base}, {facts['machine']}", rate, "", "measured over HTTP, batched"))
    for shape in RENTED_SHAPES:
        for device in RENTED:
            line = rented(SHAPES[shape], PROMPT_TOKENS, HARDWARE[device])
            rent = human_usd(line.usd * ITEMS / 1000)
            lines.append(_many_row(f"{shape}, {device}", 1000 / line.seconds, rent, HARDWARE[device].price_source))
    told = (
        f"Rows of GPUs: 2·N operations a token, about {PROMPT_TOKENS} tokens of the prompt and {TREE_TOKENS} of the "
        f"tree of digits a price, at {ASSUMED_UTILISATION:.0%} of the peak (assumed), and none faster than the "
        f"{fastest:,.0f} a second of SmolLM2-135M on an {gpu} (`python -m benchmarks.pricing`). The other rows: "
        f"{written(facts)}."
    )
    return "\n".join([*lines, "", told])


def _many_row(name: str, rate: float, rent: str, how: str) -> str:
    seconds = ITEMS / rate
    machines = math.ceil(seconds / 3600 / HOURS)
    return f"| {name} | {rate:,.1f} | {human_seconds(seconds)} | {machines:,} | {rent or 'yours'} | {how} |"


def modal_table(facts: dict[str, Any]) -> str:
    """What a month of one container costs on Modal, by how requests come."""
    base, found = list(facts["predictors"].items())[-1]
    cold = found["cold_start"]["process"]["median"]
    lines = [f"| requests | hours of a month | {' | '.join(RENTED)} |", "|---" * (2 + len(RENTED)) + "|"]
    for how, (stretches, busy) in STRETCHES.items():
        hours = stretches * (busy + IDLE_SECONDS + cold) / 3600
        costs = [f"${hours * HARDWARE[device].usd_per_hour:,.0f}" for device in RENTED]
        lines.append(f"| {how} | {hours:,.0f} | {' | '.join(costs)} |")
    sources = dict.fromkeys(HARDWARE[device].price_source for device in RENTED)
    told = (
        f"One container, GPU only: cores and memory come on top. Rent: {'; '.join(sources)}. A cold start of "
        f"{cold:.0f} seconds, as `{base}` took on {facts['machine']} ({facts['command']}); Modal's own part isn't in "
        "it. Written by `python -m benchmarks.serving_docs`."
    )
    return "\n".join([*lines, "", told])


def modal_page() -> str:
    """The page about Modal with its table renewed."""
    return renewed(MODAL_PAGE, {"month": ("serving.json", modal_table)})


def many_page() -> str:
    """The page about many machines with its table renewed."""
    return renewed(MANY_PAGE, {"many": ("serving.json", many_table)})


FILE, MEMORY_FILE = "serving.json", "serving-memory.json"
SECTIONS = {
    "load": (FILE, load_table),
    "cold": (FILE, cold_table),
    "faults": (FILE, fault_table),
    "contract": (FILE, contract_words),
    "memory": (MEMORY_FILE, memory_table),
}


def page() -> str:
    """The page with all written sections renewed."""
    return renewed(PAGE, SECTIONS)


if __name__ == "__main__":
    write_text_atomic(PAGE, page())
    write_text_atomic(MANY_PAGE, many_page())
    write_text_atomic(MODAL_PAGE, modal_page())
