"""Rewrite the tables of ``docs/predictor.md`` from ``data/results``: `python -m benchmarks.predictor_docs`."""

from typing import Any

from benchmarks.results import ROOT, renewed
from pricelab.costs.units import human_bytes
from pricelab.files import write_text_atomic

PAGE = ROOT / "docs" / "predictor.md"


def readers(facts: dict[str, Any]) -> str:
    """Every way of reading a frozen base on every kind of catalog, as Markdown tables."""
    parts = []
    for name, found in facts["catalogs"].items():
        lines = [
            "| way | mean absolute error [95 %] | RMSLE | saved against the ridge [95 %] |",
            "|---" * 4 + "|",
        ]
        for way, row in found["ways"].items():
            saved = "" if way == "TF-IDF + ridge" else _dollars(row["saved"])
            lines.append(f"| {way} | {_dollars(row['mae'])} | {row['rmsle']:.3f} | {saved} |")
        told = (
            f"{found['n']:,} items, {found['folds']} folds. Base: {found['base']}; reading all texts once took "
            f"{found['reading_seconds'] / 60:.1f} minutes. Over all readings memory grew by "
            f"{human_bytes(found['peak_bytes'])} at most, loading included; to fit and price all folds took each way "
            f"{_slowest(found['ways']):.1f} seconds at most. "
            f"{_stretch(found['ways'])}"
        )
        parts += [f"**{name[0].upper()}{name[1:]}**", "", *lines, "", told, ""]
    return "\n".join([*parts, f"Machine: {facts['machine']}. Written by `{facts['command']}`."])


def _slowest(ways: dict[str, Any]) -> float:
    """Seconds that the slowest way took beside reading."""
    return max(row["fit_and_price_seconds"] for row in ways.values())


def _stretch(ways: dict[str, Any]) -> str:
    """How far the default is from what was hoped for, in words."""
    ridge, blend = ways["TF-IDF + ridge"], ways["blend, weight found out of fold (the default)"]
    less, closer = blend["saved"][0] / ridge["mae"][0], ridge["rmsle"] - blend["rmsle"]
    reached = "reached" if less >= STRETCH_MAE and closer >= STRETCH_RMSLE else "not reached"
    return (
        f"The blend errs {less:.1%} less than the ridge, and its RMSLE is {closer:.3f} lower; the hope, "
        f"{STRETCH_MAE:.0%} and {STRETCH_RMSLE:.2f}, is {reached}."
    )


def defaults(facts: dict[str, Any]) -> str:
    """What the command line's defaults reached, as a Markdown table."""
    lines = [
        "| catalog, fold | n | read from | mean absolute error [95 %] | RMSLE | coverage | saved by the default [95 %] "
        "| training in all | peak memory |",
        "|---" * 9 + "|",
    ]
    for name, folds in facts["catalogs"].items():
        for fold, found in sorted(folds.items()):
            spent = f"{found['minutes']:.1f} min", human_bytes(found["peak_bytes"])
            for score in found["scores"]:
                saved = found["saved"].get(score["name"])
                cells = (
                    f"{name}, {int(fold) + 1} of 5", f"{found['n']}",
                    score["name"] if saved else f"**{score['name']}** (the default here)",
                    _dollars([score["mae"][end] for end in ENDS]), f"{score['rmsle']:.3f}",
                    f"{score['coverage']:.0%}" if score["coverage"] else "",
                    *((_dollars([saved[end] for end in ENDS]), "", "") if saved else ("", *spent)),
                )  # fmt: skip
                lines.append(f"| {' | '.join(cells)} |")
    told = f"Base: {facts['base']}. Machine: {facts['machine']}. Written by `{facts['command']}`."
    return "\n".join([*lines, "", told])


def heads(facts: dict[str, Any]) -> str:
    """What heads trained together with the adapter brought, as a Markdown table."""
    lines = [
        "| folds | trained together, read from | n | mean absolute error | RMSLE | saved against the ridge [95 %] "
        "| saved against the blend [95 %] | training | CPU time | peak memory |",
        "|---" * 10 + "|",
    ]
    for row in facts["rows"]:
        saved = (_dollars(row[key]) if key in row else "" for key in ("saved", "saved_against_blend"))
        cells = (
            ", ".join(str(1 + fold) for fold in row["folds"]), row["read"], f"{row['n']}", f"${row['mae']:.2f}",
            f"{row['rmsle']:.3f}", *saved,
            *(f"{row[key] / 60:.1f} min" if row.get(key) else "" for key in ("seconds", "cpu_seconds")),
            human_bytes(row["peak_bytes"]) if "peak_bytes" in row else "",
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    recipe = facts["recipe"]
    told = (
        f"Of five folds, four fifths to learn from; {facts['base']}, LoRA of rank {recipe['rank']} on "
        f"the attention layers, {recipe['epochs']:g} passes, batch {recipe['batch_size']}, peak learning rate "
        f"{recipe['learning_rate']:g}. {facts['threads']} thread; machine: {facts['machine']}. Written by "
        f"`{facts['command']}`, once for each group of folds and ways."
    )
    return "\n".join([*lines, "", told])


def _dollars(found: list[float]) -> str:
    value, low, high = (f"{'−' if number < 0 else ''}${abs(number):.2f}" for number in found)
    return f"{value} [{low}, {high}]"


STRETCH_MAE, STRETCH_RMSLE = 0.15, 0.10  # below the ridge's: what was hoped for
ENDS = ("value", "low", "high")
SECTIONS = {
    "defaults": ("defaults.json", defaults),
    "readers": ("readers.json", readers),
    "heads": ("heads.json", heads),
}


def page() -> str:
    """The page with every table renewed whose results are there."""
    return renewed(PAGE, SECTIONS)


if __name__ == "__main__":
    write_text_atomic(PAGE, page())
