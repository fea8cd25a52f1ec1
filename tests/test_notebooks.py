"""Every notebook of the workbook: its form, its committed outputs, its exercises, and that it runs alone."""

import ast
import base64
import os
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from IPython.utils.text import DollarFormatter

from pricelab.exercises import EXERCISES
from pricelab.normalise import WIDGET_TYPE, source_hash
from pricelab.stamp import BADGE, SET_UP, SOURCE

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MAX_BYTES = 300_000
MAX_PROSE_WORDS = 1_200
CODE_CELLS = range(10, 19)
MEDIAN_LINES, P90_LINES, SETUP_LINES = 5, 12, 6
MINUTES = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
FOLD = re.compile(r"<details>.*?</details>", re.DOTALL)
SOLUTION = re.compile(r"<details>\s*<summary>\s*Solution\s*</summary>(.*?)</details>", re.DOTALL)
HINT = re.compile(r"<details>\s*<summary>\s*Hint\s*</summary>", re.DOTALL)
FENCE = re.compile(r"```python\n(.*?)```", re.DOTALL)

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@dataclass(frozen=True)
class Exercise:
    """One exercise as it stands in a notebook."""

    id: str
    heading: str  # the last one before it
    call: str  # the stub's own `check("id", …)`
    answer: str  # the expression that it hands over
    cell: int  # the stub's place among the cells
    hints: int  # folds between this exercise and the next
    solutions: tuple[str, ...]  # the code in the folds between this exercise and the next
    wrong: tuple[str, ...]  # typical wrong answers as code, from the stub's metadata


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def prose(notebook):
    """The markdown of a notebook without its folds."""
    return FOLD.sub("", "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown"))


def paragraphs(notebook):
    """The markdown by paragraph, without code and displayed formulas."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    return [part for text in texts for part in re.split(r"\n\s*\n", re.sub(r"`[^`]*`|\$\$.*?\$\$", "", text))]


def length(cell):
    """Lines of code that a learner reads: blank lines don't count."""
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def checks(cell):
    """(id, source, source of the answer) of each ``check("id", answer)`` in a code cell."""
    if cell.cell_type != "code" or "check(" not in cell.source:
        return []
    lines = [line for line in cell.source.splitlines() if not line.startswith(("%", "!"))]
    source = "\n".join(lines)
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    named = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "check"]
    return [
        (ast.literal_eval(call.args[0]), *(ast.get_source_segment(source, part) for part in (call, call.args[1])))
        for call in named
    ]


def exercises(notebook):
    """The notebook's exercises, each with the folds that follow it."""
    places = [(index, *found) for index, cell in enumerate(notebook.cells) for found in checks(cell)]
    ends = [place[0] for place in places[1:]] + [len(notebook.cells)]
    for (index, name, call, answer), end in zip(places, ends, strict=True):
        text = "\n".join(cell.source for cell in notebook.cells[index:end] if cell.cell_type == "markdown")
        solutions = tuple(code for fold in SOLUTION.findall(text) for code in FENCE.findall(fold))
        wrong = tuple(notebook.cells[index].metadata.get("pricelab", {}).get("wrong", ()))
        headings = [line for cell in notebook.cells[:index] for line in cell.source.splitlines() if line[:4] == "### "]
        yield Exercise(name, headings[-1], call, answer, index, len(HINT.findall(text)), solutions, wrong)


def test_there_are_notebooks():
    assert NOTEBOOKS, f"{FOLDER} is empty: the workbook is missing"


# ---- what is committed


@every_notebook
def test_the_outputs_belong_to_the_cells(path):
    notebook = read(path)
    assert notebook.metadata["pricelab"]["source_hash"] == source_hash(notebook), (
        f"the cells of {path.name} changed after it was executed; run `make notebooks`"
    )
    assert notebook.metadata["pricelab"]["profile"] == "laptop"
    assert notebook.metadata["pricelab"]["machine"]


@every_notebook
def test_it_was_executed_from_top_to_bottom_without_an_error(path):
    cells = code_cells(read(path))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert outputs and not [output for output in outputs if output.output_type == "error"]


@every_notebook
def test_a_repository_page_can_show_it(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert path.stat().st_size <= MAX_BYTES
    assert "widgets" not in notebook.metadata
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    for output in (output for cell in code_cells(notebook) for output in cell.outputs):
        data = output.get("data", {})
        assert WIDGET_TYPE not in data
        assert "image/png" not in data or base64.b64decode(data["image/png"]).startswith(b"\x89PNG")


# ---- how it reads


@every_notebook
def test_no_amount_of_money_is_taken_for_a_formula(path):
    """JupyterLab sets what stands between two dollar signs of one paragraph or table cell, escaped or not."""
    notebook = read(path)
    for paragraph in paragraphs(notebook):
        dollars = paragraph.count("$")
        assert dollars <= 1 or (dollars % 2 == 0 and "\\$" not in paragraph), paragraph
        formulas = re.findall(r"\$([^$]*)\$", paragraph)
        assert not [formula for formula in formulas if re.search(r"(?<!\\)\b[a-z]{2,} [a-z]{2,}", formula)], paragraph
    for output in (output for cell in code_cells(notebook) for output in cell.outputs):
        texts = re.split(r"<[^>]*>", output.get("data", {}).get("text/html", ""))
        assert not [text for text in texts if text.count("$") > 1]


@every_notebook
def test_it_is_short(path):
    notebook = read(path)
    assert len(prose(notebook).split()) <= MAX_PROSE_WORDS
    first, *lesson = (length(cell) for cell in code_cells(notebook))  # the set-up cell has a limit of its own
    assert 1 + len(lesson) in CODE_CELLS
    assert statistics.median(lesson) <= MEDIAN_LINES
    assert sorted(lesson)[int(0.9 * len(lesson))] <= P90_LINES
    assert first <= SETUP_LINES


@every_notebook
def test_the_minutes_it_announces_are_about_those_it_took(path):
    notebook = read(path)
    words = re.search(r"\*\*Minutes\*\* (?:about |\w+ to )?(\w+)", notebook.cells[0].source)
    told, took = MINUTES[words[1]], notebook.metadata["pricelab"]["seconds"] / 60
    assert abs(told - took) <= max(1, 0.4 * took)


def test_all_notebooks_begin_with_the_same_set_up_cell():
    cells = {path.stem: code_cells(read(path))[0] for path in NOTEBOOKS}
    assert {cell.id for cell in cells.values()} == {SET_UP}
    assert len({cell.source for cell in cells.values()}) == 1
    assert not any(cell.outputs for cell in cells.values())
    (source, *_) = SOURCE.findall(code_cells(read(NOTEBOOKS[0]))[0].source)
    assert {bool(BADGE.search(read(path).cells[0].source)) for path in NOTEBOOKS} == {bool(source)}


def test_the_set_up_cell_does_nothing_but_on_colab():
    """Run by a plain kernel's shell, it neither installs nor imports anything, whatever the fields say."""
    (cell, *_) = code_cells(read(NOTEBOOKS[0]))
    source = TransformerManager().transform_cell(cell.source.replace("DRIVE = False", "DRIVE = True"))
    names = {"get_ipython": lambda: "<ipykernel.zmqshell.ZMQInteractiveShell object at 0x1>"}
    exec(compile(source, "set-up", "exec"), names)
    assert set(names) - {"__builtins__", "get_ipython"} == {"SOURCE", "DRIVE"}


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("https://github.com/owner/name", "git+https://github.com/owner/name"),
        ("git+https://github.com/owner/name@main", "git+https://github.com/owner/name@main"),
        ("", "git+fill in the field SOURCE, the repository address"),  # pip quotes what it can't read
    ],
)
def test_the_set_up_cell_takes_an_address_as_people_copy_it_and_asks_for_one(given, asked):
    (cell, *_) = code_cells(read(NOTEBOOKS[0]))
    (line,) = re.findall(r"%pip (.*)", cell.source)
    assert DollarFormatter().vformat(line, [], {"SOURCE": given}) == f'install -q --no-deps "{asked}"'


def test_the_machine_is_examined_before_anything_can_fail_on_it():
    (_, first, *_) = code_cells(read(NOTEBOOKS[0]))
    assert first.source == "from pricelab.doctor import examine\n\nexamine()"


@every_notebook
def test_no_cell_branches_on_the_profile(path):
    for cell in code_cells(read(path)):
        assert not re.search(r"\b(if|elif|match)\b.*(profile|PRICELAB_PROFILE)", cell.source), cell.source


def test_the_ten_questions_point_to_sections_that_exist():
    headings = {path.stem[:2]: set(re.findall(r"^## (.+)$", prose(read(path)), re.MULTILINE)) for path in NOTEBOOKS}
    questions = next(cell.source for path in NOTEBOOKS for cell in read(path).cells if cell.id == "questions")
    folds = re.findall(r"<summary>Where to look</summary>(.*?)</details>", questions, re.DOTALL)
    places = [
        (re.search(r"\b\d\d\b", place)[0], section)
        for fold in folds for place in fold.split(";") for section in re.findall(r"\*(.+?)\*", place)
    ]  # fmt: skip
    assert len(folds) == 10 and {number for number, _ in places} == {"01", "04", "05", "06"}
    assert not [(number, section) for number, section in places if section not in headings[number]]


# ---- exercises


@every_notebook
def test_it_has_exercises_with_a_folded_hint_and_one_solution(path):
    found = list(exercises(read(path)))
    assert len(found) >= 2
    for exercise in found:
        assert exercise.id in EXERCISES
        assert exercise.hints >= 1, f"{exercise.id} has no <details><summary>Hint</summary>"
        assert len(exercise.solutions) == 1, f"{exercise.id} has {len(exercise.solutions)} solutions in python"


@every_notebook
def test_exercises_say_how_hard_they_are_and_know_three_wrong_answers(path):
    for number, exercise in enumerate(exercises(read(path)), start=1):
        known = EXERCISES[exercise.id]
        minutes = f"{known.minutes} minute{'s' * (known.minutes > 1)}"
        told = rf"### Exercise {number} · .+ \({known.difficulty}, {minutes}\)"
        assert re.fullmatch(told, exercise.heading), (
            f"{exercise.heading!r} should end in ({known.difficulty}, {minutes})"
        )
        assert len(exercise.wrong) >= 3, f"{exercise.id}: the stub's metadata names {len(exercise.wrong)} wrong answers"


def test_every_exercise_stands_in_a_notebook():
    assert {exercise.id for path in NOTEBOOKS for exercise in exercises(read(path))} == set(EXERCISES)


# ---- running


def with_answers(notebook):
    """The notebook with a cell after each exercise that tries its wrong answers and its solution."""
    result = notebook.copy()
    for exercise in reversed(list(exercises(notebook))):
        for name, source in (("solution", _right(exercise)), ("wrong", _wrong(exercise))):  # the latter runs first
            cell = nbformat.v4.new_code_cell(source, id=f"{name}-{exercise.id}", execution_count=1)
            result.cells.insert(exercise.cell + 1, cell)
    return result


def _right(exercise):
    """Code that runs the solution and asks for its ✓."""
    lines = ["from IPython.utils.capture import capture_output", "with capture_output() as told:"]
    lines += [f"    {line}" for line in f"{exercise.solutions[0].rstrip()}\n{exercise.call}".splitlines()]
    return "\n".join([*lines, f"assert '✓ {exercise.id}' in told.stdout, told.stdout or told.stderr"])


def _wrong(exercise):
    """Code that asks for a diagnosis of each wrong answer, and that no two are the same."""
    lines = ["from pricelab.exercises import EXERCISES as _exercises", "_told = []"]
    for source in exercise.wrong:
        lines += [source, f"_told.append(_exercises[{exercise.id!r}].judge({exercise.answer}))"]
    lines += ["assert not any(one.right for one in _told), _told", "assert all(one.recognised for one in _told), _told"]
    return "\n".join([*lines, "assert len({one.message for one in _told}) == len(_told), _told"])


@every_notebook
@pytest.mark.timeout(600)
def test_it_runs_alone_in_the_smoke_profile_and_its_answers_are_judged_rightly(path, tmp_path):
    copy = tmp_path / path.name
    nbformat.write(with_answers(read(path)), copy)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "cache").mkdir()
    environment = {**os.environ, "PRICELAB_PROFILE": "smoke", "PRICELAB_CACHE": str(tmp_path / "cache")}
    environment.pop("PYTEST_ADDOPTS", None)
    nbval = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=300", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(tmp_path / "pytest.ini"), *nbval, str(copy)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


@every_notebook
def test_outputs_name_no_place_on_the_machine_that_ran_them(path):
    outputs = [output for cell in code_cells(read(path)) for output in cell.outputs]
    texts = [
        part for o in outputs for part in (o.get("text", ""), *map(o.get("data", {}).get, ("text/plain", "text/html")))
    ]
    found = re.findall(r"(?:^|[\s'\"(])(/\w[\w.-]*/\w\S*|[A-Z]:\\\w\S*)", "\n".join(filter(None, texts)))
    assert not found, found[:3]
