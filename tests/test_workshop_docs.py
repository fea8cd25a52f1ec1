"""The workshop pages agree with the notebooks, the exercises and what was measured."""

import re
from collections import Counter

import pytest

from benchmarks import workshop_docs
from benchmarks.workshop_docs import FOLDER, ROUTES, answers, mistakes, plans, solutions, timetable
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
