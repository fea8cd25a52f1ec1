"""Rewrite the tables of ``docs/serving.md`` from ``data/results``: `python -m benchmarks.serving_docs`."""

from typing import Any

from benchmarks.results import RESULTS, ROOT, with_section
from pricelab.files import read_json, write_text_atomic

PAGE = ROOT / "docs" / "serving.md"
WAYS = {"one": "no", "batched": "yes"}


def load_table(facts: dict[str, Any]) -> str:
    """Throughput and waiting as a Markdown table."""
    lines = ["| base | clients | batching | prices/s | p50 ms | p95 ms | p99 ms | faster | answers |", "|---" * 9 + "|"]
    for base, found in facts["predictors"].items():
        for row in found["load"]:
            for way, words in WAYS.items():
                faster = _spread(row["times_faster"], "{:.2f}×") if way == "batched" else ""
                statuses = ", ".join(f"{count} × {status}" for status, count in row[way]["statuses"].items())
                waits = [f"{row[way][f'p{percent}_ms']:,}" for percent in (50, 95, 99)]
                cells = (
                    base,
                    row["clients"],
                    words,
                    _spread(row[way]["per_second"], "{:.1f}"),
                    *waits,
                    faster,
                    statuses,
                )
                lines.append(f"| {' | '.join(map(str, cells))} |")
    told = (
        f"Median [least, most] of {facts['repeats']} repeats; batches of up to {facts['max_batch']} texts. *Faster*: "
        f"prices a second with batching over those without, asked in turn. {facts['threads']} thread(s) for the "
        f"model; machine: {facts['machine']}. Written by `{facts['command']}`."
    )
    return "\n".join([*lines, "", told])


def _spread(found: dict[str, float], form: str) -> str:
    median, least, most = (form.format(found[name]) for name in ("median", "least", "most"))
    return f"{median} [{least}, {most}]"


def fault_table(facts: dict[str, Any]) -> str:
    """What was wrong and what came of it."""
    rows = [f"| {one['fault']} | {one['outcome'].replace('|', ' ')} |" for one in facts["faults"]]
    told = f"After each request the server went on. Written by `{facts['command']}`."
    return "\n".join(["| fault | outcome |", "|---|---|", *rows, "", told])


def contract_words(facts: dict[str, Any]) -> str:
    """What schemathesis found."""
    found = facts["contract"]
    verdict = "no issue found" if found["passed"] else "issues found"
    return (
        f"Schemathesis {found['schemathesis']} against `/openapi.json` (`schemathesis run URL/openapi.json "
        f"{found['options']}`): {found['cases']}; {verdict}. Written by `{facts['command']}`; "
        "`tests/test_serving_contract.py` repeats it in small."
    )


def page() -> str:
    """The page with all written sections renewed."""
    facts, text = read_json(RESULTS / "serving.json"), PAGE.read_text(encoding="utf-8")
    for name, write in {"load": load_table, "faults": fault_table, "contract": contract_words}.items():
        text = with_section(text, name, write(facts))
    return text


if __name__ == "__main__":
    write_text_atomic(PAGE, page())
