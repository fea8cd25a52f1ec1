"""Write what the workshop pages take from notebooks and exercises: `python -m benchmarks.workshop_docs`.

Minutes and the dtype come from the committed notebooks and the exercises, answers from the notebooks' folds, common
mistakes from the judges in ``pricelab/exercises/``, the kit's size and times from ``data/results/kit.json``. The plans
themselves are written by hand.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from benchmarks.results import RESULTS, ROOT, with_section
from pricelab.costs.units import human_bytes
from pricelab.exercises import EXERCISES, Exercise
from pricelab.files import read_json, write_text_atomic

FOLDER = ROOT / "docs" / "workshop"
ROUTES = {
    "taste": ("00", "07", "10"),
    "concepts": ("00", "01", "04", "05", "06"),
    "full": tuple(f"{number:02}" for number in range(13)),
}
FOLD = re.compile(r"<details>\s*<summary>\s*Solution\s*</summary>(.*?)</details>", re.DOTALL)
BEGINNING = """# Exercises: answers and common mistakes

Written by `python -m benchmarks.workshop_docs` from the notebooks' folds and the judges in `pricelab/exercises/`. A
common mistake is one that the notebook's check recognises; beside it stands what the check says to the learner.
"""


def notebooks() -> Iterator[tuple[str, Any]]:
    """Number and content of every notebook."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        yield path.name, json.loads(path.read_text(encoding="utf-8"))


def title(notebook: Any) -> str:
    """Its first heading."""
    lines = "".join("".join(cell["source"]) + "\n" for cell in notebook["cells"]).splitlines()
    return next(line[2:] for line in lines if line.startswith("# "))


def arithmetic(notebook: Any) -> str:
    """The dtype that a notebook says it computed in, and why; empty where it says none."""
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    printed = "".join("".join(output.get("text", "")) for output in outputs)
    said = re.search(r"^arithmetic in (.+)$", printed, re.MULTILINE)
    return f", in {said[1]}" if said else ""


def timetable(route: str) -> str:
    """Minutes of a route's notebooks: to run, and for the exercises as most learners need them."""
    lines = ["| notebook | runs, minutes | exercises, minutes |", "|---|---|---|"]
    runs = practice = 0.0
    machine = precision = ""
    for name, notebook in notebooks():
        if name[:2] in ROUTES[route]:
            facts = notebook["metadata"]["pricelab"]
            needed = sum(one.minutes for one in EXERCISES.values() if one.id[:2] == name[:2])
            runs, practice, machine = runs + facts["seconds"] / 60, practice + needed, facts["machine"]
            precision = precision or arithmetic(notebook)
            lines.append(f"| [{title(notebook)}](../../notebooks/{name}) | {facts['seconds'] / 60:.1f} | {needed} |")
    lines.append(f"| **together** | **{runs:.0f}** | **{practice:.0f}** |")
    told = f"Run in the `laptop` profile on {machine}{precision}; exercises are estimates, as their headings say."
    return "\n".join([*lines, "", f"{told} Written by `python -m benchmarks.workshop_docs`."])


def kit_words() -> str:
    """Size and times of the offline kit."""
    facts = read_json(RESULTS / "kit.json")
    packed = facts["packed_for"]
    return (
        f"A kit for {packed['system']} on {packed['machine']}, Python {packed['python']}, with torch's CPU build: "
        f"{facts['files']} files, {human_bytes(facts['bytes'])}. Packed in {facts['pack_seconds']} s over a fast line, "
        f"installed without a network in {facts['install_seconds']} s on {facts['machine']}. Written by "
        f"`{facts['command']}`."
    )


def mistakes(exercise: Exercise) -> tuple[str, list[tuple[str, str]]]:
    """What a judge says of the right answer, and (mistake, what it says) for each wrong one that it recognises."""
    judge: Any = exercise.judge
    parts = [judge] if judge.__closure__ else [judge.__globals__[n] for n in judge.__code__.co_names if "_judge" in n]
    rights, rows = [], []
    for part in parts:
        held = (cell.cell_contents for cell in part.__closure__)
        known = dict(zip(part.__code__.co_freevars, held, strict=True))
        rights.append(known["right"])
        rows += [("", key) if callable(value) else (str(key), value) for key, value in (known["wrong"] or {}).items()]
    return rights[0], rows


def solutions() -> dict[str, tuple[str, str]]:
    """Heading and solution of every exercise, as they stand in the notebooks."""
    found = {}
    for _, notebook in notebooks():
        heading, waiting = "", ""
        for cell in notebook["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                if waiting and (fold := FOLD.search(source)):
                    found[waiting], waiting = (heading, fold[1].strip()), ""
                heading = next((line[4:] for line in source.splitlines() if line.startswith("### ")), heading)
            elif asked := re.search(r"\bcheck\(\s*\"([\w-]+)\"", source):
                waiting = asked[1]
    return found


def answers() -> str:
    """The page of answers."""
    parts, at = [BEGINNING], ""
    folds, titles = solutions(), {name[:2]: title(notebook) for name, notebook in notebooks()}
    for exercise in (EXERCISES[name] for name in folds):
        if exercise.id[:2] != at:
            at = exercise.id[:2]
            parts.append(f"## {titles[at]}\n")
        heading, solution = folds[exercise.id]
        right, wrong = mistakes(exercise)
        parts.append(f"### {heading}\n\n{solution}\n\n**Why:** {right}.\n\nCommon mistakes:\n")
        parts.append("\n".join(f"- {f'`{given}`: ' if given else ''}{said}." for given, said in wrong) + "\n")
    return "\n".join(parts).rstrip() + "\n"


def plans() -> str:
    """The page of plans with its tables renewed."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    for route in ROUTES:
        text = with_section(text, route, timetable(route))
    return with_section(text, "kit", kit_words()) if (RESULTS / "kit.json").is_file() else text


def write() -> None:
    """Rewrite both pages."""
    write_text_atomic(FOLDER / "answers.md", answers())
    write_text_atomic(FOLDER / "README.md", plans())


if __name__ == "__main__":
    write()
