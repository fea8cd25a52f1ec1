"""The workshop pages agree with the notebooks, the exercises and what was measured."""

import re

from benchmarks import workshop_docs
from benchmarks.workshop_docs import FOLDER, ROUTES, answers, mistakes, plans, solutions
from pricelab.exercises import EXERCISES

AGAIN = "run: python -m benchmarks.workshop_docs"


def test_minutes_and_the_kits_size_are_those_that_were_measured():
    assert plans() == (FOLDER / "README.md").read_text(encoding="utf-8"), AGAIN


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
