"""Rewrite the tables of ``docs/intervals.md`` from ``data/results``: `python -m benchmarks.coverage_docs`."""

from typing import Any

from benchmarks.results import ROOT, renewed
from pricelab.files import write_text_atomic

PAGE = ROOT / "docs" / "intervals.md"


def coverage(facts: dict[str, Any]) -> str:
    """Coverage and width by price band, together and by band, as Markdown tables."""
    parts = []
    for calibrated in dict.fromkeys(run["calibrated"] for run in facts["runs"]):
        together, by_band = (
            next(run for run in facts["runs"] if (run["calibrated"], run["by_band"]) == (calibrated, way))
            for way in (False, True)
        )
        parts += _table(f"{calibrated} calibration items", together, by_band, facts["n"] - calibrated)
    told = (
        f"`{facts['adapter']}`, {facts['n']:,} workshop items of known families that it wasn't trained on, "
        f"{facts['runs'][0]['splits']} random splits: mean coverage, in brackets the lowest and highest split for all "
        "items, for a band what 95 % of the splits lie in. "
        f"Machine: {facts['machine']}. Written by `{facts['command']}`."
    )
    return "\n".join([*parts, told])


def blend_coverage(facts: dict[str, Any]) -> str:
    """The same for the blend, which learns anew in each split, as Markdown tables."""
    parts = []
    for name, found in facts["catalogs"].items():
        together, by_band = found["runs"]
        title = f"{name[0].upper()}{name[1:]}, {together['calibrated']} calibration items"
        parts += _table(title, together, by_band, found["asked"])
    learned, base = ({found[key] for found in facts["catalogs"].values()} for key in ("learned", "base"))
    told = (
        f"Blend of {' and '.join(base)} and ridge, learned anew from {' and '.join(map(str, learned))} items in each "
        f"of {together['splits']} random splits; brackets as above. Machine: {facts['machine']}. Written by "
        f"`{facts['command']}`."
    )
    return "\n".join([*parts, told])


def _table(title: str, together: dict[str, Any], by_band: dict[str, Any], asked: int) -> list[str]:
    """One size of calibration set: coverage by band, and how many splits lie where chance allows."""
    lines = [
        "| estimate | n | together: coverage | median width | by band: coverage | median width |",
        "|---" * 6 + "|",
        f"| all | {asked} | {_all(together)} | | {_all(by_band)} | |",
    ]
    for one, other in zip(together["by_price"], by_band["by_price"], strict=True):
        lines.append(f"| from ${one['from_usd']} | {one['n']} | {_share(one)} | {_share(other)} |")
    chance = " to ".join(f"{share:.1%}" for share in together["chance_allows"])
    told = (
        f"Chance allows {chance} in 95 % of splits; within it were {together['splits_within']} of "
        f"{together['splits']} splits together and {by_band['splits_within']} by band."
    )
    bands = f"{by_band['bands']:g} bands on average" if by_band["bands"] > 1 else "one band: the same"
    return [f"**{title}** ({bands})", "", *lines, "", told, ""]


def bands(facts: dict[str, Any]) -> str:
    """What sets the least number of items in a band, as a Markdown table."""
    tried = list(facts["rules"][0]["off_by"])
    names = [way if way == "together" else f"≥ {way} a band" for way in tried]
    lines = [f"| spread | calibration items | {' | '.join(names)} |", "|---" * (2 + len(tried)) + "|"]
    for row in facts["rules"]:
        values = " | ".join(f"{100 * row['off_by'][way]:.1f}" for way in tried)
        lines.append(f"| {row['spread']} | {row['calibrated']:,} | {values} |")
    return "\n".join([*lines, "", f"{facts['draws']} draws each. Written by `{facts['command']}`."])


def scope(facts: dict[str, Any]) -> str:
    """Which texts are told to be out of scope, by kind of catalog, as Markdown tables."""
    parts = []
    for name, found in facts["catalogs"].items():
        head = ["| texts | n | by words and length | and by what the base makes of it |", "|---" * 4 + "|"]
        rows = [
            f"| {kind} | {row['n']} | {row['words']:.0%} | {row['blend']:.0%} |" for kind, row in found["rows"].items()
        ]
        told = f"Learned from {found['learned_from']:,} items; base: {found['base']}."
        parts.append("\n".join([f"**{name.capitalize()}**", "", *head, *rows, "", told]))
    told = f"Share told to be out of scope. Machine: {facts['machine']}. Written by `{facts['command']}`."
    return "\n\n".join([*parts, told])


def page() -> str:
    """The page with its sections renewed."""
    return renewed(PAGE, SECTIONS)


SECTIONS = {
    "coverage": ("coverage.json", coverage), "blend coverage": ("blend-coverage.json", blend_coverage),
    "bands": ("coverage.json", bands), "scope": ("scope.json", scope),
}  # fmt: skip


def _all(run: dict[str, Any]) -> str:
    return f"{run['coverage']:.1%} [{run['lowest']:.1%}, {run['highest']:.1%}]"


def _share(row: dict[str, Any]) -> str:
    return f"{row['coverage']:.1%} [{row['low']:.1%}, {row['high']:.1%}] | ${row['width_usd']:.0f}"


if __name__ == "__main__":
    write_text_atomic(PAGE, page())
