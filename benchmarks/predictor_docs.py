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
    """What each way of training an adapter reached on each kind of catalog, as Markdown tables, best first."""
    groups: dict[tuple[str, tuple[int, ...]], list[dict[str, Any]]] = {}
    for row in facts["rows"]:
        groups.setdefault((row["catalog"], tuple(row["folds"])), []).append(row)
    parts = []
    for (catalog, folds), rows in sorted(groups.items(), key=lambda group: (group[0][0], -len(group[0][1]))):
        of = f"{catalog[0].upper()}{catalog[1:]}, folds {', '.join(str(1 + fold) for fold in folds)}"
        alone = [
            "| trained, read from | error, RMSLE | saved against the ridge | against the blend "
            "| against digits alone |",
            "|---" * 5 + "|",
        ]
        mixed = [
            "| mixed in log price | 60 : 40 with the ridge | half with the blend | that, against the blend |",
            "|---" * 4 + "|",
        ]
        for row in sorted(rows, key=lambda row: row["mae"]):
            saved = (_dollars(row[key]) if key in row else "" for key in SAVED)
            alone.append(f"| {' | '.join((row['read'], _errors(row), *saved))} |")
            if "with_blend" in row:
                both = (_errors(row[mix]) for mix in ("with_ridge", "with_blend"))
                won = _dollars(row["with_blend"]["saved_against_blend"])
                mixed.append(f"| {' | '.join((row['read'], *both, won))} |")
        parts += [f"**{of}** (n = {rows[0]['n']:,})", "", *alone, ""]
        parts += [*mixed, ""] if len(mixed) > 2 else []
    told = f"{_recipe(facts)} Mean absolute error; what is saved, an item, with 95 % intervals."
    return "\n".join([*parts, f"{told} Machine: {facts['machine']}. Written by `{facts['command']}`."])


def training(facts: dict[str, Any]) -> str:
    """What some of these ways reached and took, as a Markdown table."""
    lines = [
        "| trained, read from | folds | n | error, RMSLE | saved against the ridge [95 %] | training | CPU time "
        "| peak memory |",
        "|---" * 8 + "|",
    ]
    for row in facts["rows"]:
        if row.get("seconds"):
            cells = (
                row["read"], ", ".join(str(1 + fold) for fold in row["folds"]), f"{row['n']}", _errors(row),
                _dollars(row["saved"]),
                *(f"{row[key] / 60:.1f} min" if row.get(key) else "" for key in ("seconds", "cpu_seconds")),
                human_bytes(row["peak_bytes"]) if "peak_bytes" in row else "",
            )  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    threads = f"{facts['threads']} thread{'' if facts['threads'] == 1 else 's'}"
    told = f"{_recipe(facts)} {threads}; machine: {facts['machine']}. Written by `{facts['command']}`."
    return "\n".join([*lines, "", told])


def _recipe(facts: dict[str, Any]) -> str:
    """The settings that a way doesn't change, in words."""
    recipe = facts["recipe"]
    return (
        f"Of five folds, four fifths to learn from; {facts['base']}, LoRA of rank {recipe['rank']} on the attention "
        f"layers, {recipe['epochs']:g} passes, batch {recipe['batch_size']}, peak learning rate "
        f"{recipe['learning_rate']:g}, where nothing else is said."
    )


def _errors(row: dict[str, Any]) -> str:
    return f"${row['mae']:.2f}, {row['rmsle']:.3f}"


def _dollars(found: list[float]) -> str:
    value, low, high = (f"{'−' if number < 0 else ''}${abs(number):.2f}" for number in found)
    return f"{value} [{low}, {high}]"


STRETCH_MAE, STRETCH_RMSLE = 0.15, 0.10  # below the ridge's: what was hoped for
ENDS = ("value", "low", "high")
SAVED = ("saved", "saved_against_blend", "saved_against_plain")  # columns of `heads`
SECTIONS = {
    "defaults": ("defaults.json", defaults),
    "readers": ("readers.json", readers),
    "heads": ("heads-cuda.json", heads),
    "training": ("heads.json", training),
}


def page() -> str:
    """The page with every table renewed whose results are there."""
    return renewed(PAGE, SECTIONS)


if __name__ == "__main__":
    write_text_atomic(PAGE, page())
