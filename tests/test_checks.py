"""Claims, exercises and predictions: what they print, and that nothing a learner types stops a notebook."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricelab import checks
from pricelab.exercises import EXERCISES, Exercise, choice, number


@dataclass(frozen=True)
class Difference:
    value: float
    low: float
    high: float
    n: int


@pytest.mark.parametrize(
    ("value", "low", "high", "word"),
    [(5, 1, 9, "shown"), (-5, -9, -1, "not shown"), (1, -2, 4, "undecided"), (1, 0, 2, "undecided")],
)
def test_claim_prints_the_verdict_with_its_evidence(capsys, value, low, high, word):
    checks.claim("fine-tuning beats the ridge", Difference(value, low, high, 1350))
    out = capsys.readouterr().out
    assert out.startswith(word)
    assert "fine-tuning beats the ridge" in out and f"{value:+.2f}" in out and f"{low:+.2f}" in out
    assert "95 % interval" in out and "n = 1,350" in out


def test_claim_names_the_opposite_when_that_is_what_was_measured(capsys):
    checks.claim("smaller is better", -3.0, interval=(-4.0, -2.0), n=12, unit="dollars")
    out = capsys.readouterr().out
    assert "opposite is supported" in out and "-3.00 dollars" in out


def test_a_long_claim_is_broken_before_its_evidence_and_a_short_one_is_not(capsys):
    long = "with 2,000 products, LoRA is nearer to the price than the same shape trained from scratch"
    checks.claim(long, 25.0, interval=(13.0, 37.0), n=100, unit="dollars an item")
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"shown: {long}"
    assert second == "    (+25.00 dollars an item, 95 % interval +13.00 to +37.00, n = 100)"
    checks.claim("LoRA wins", 2.0, interval=(1.0, 3.0), n=100)
    assert capsys.readouterr().out == "shown: LoRA wins (+2.00, 95 % interval +1.00 to +3.00, n = 100)\n"


def test_claim_about_nothing_measured_is_undecided(capsys):
    nan = float("nan")
    checks.claim("a model that never answered wins", Difference(nan, nan, nan, 0))
    assert capsys.readouterr().out.startswith("undecided")


@pytest.mark.parametrize("arguments", [{}, {"interval": (2.0, 1.0)}])
def test_claim_refuses_a_call_that_cannot_be_judged(arguments):
    with pytest.raises(ValueError, match=r"claim\('x'\)"):
        checks.claim("x", 1.0, **arguments)


@given(st.floats(), st.floats(), st.floats(), st.integers(0, 10**9))
def test_claim_never_raises_on_what_was_measured(value, low, high, n):
    checks.claim("any", value, interval=(high, low) if low > high else (low, high), n=n)


@pytest.fixture
def exercises(monkeypatch):
    memory = number(67.5, "half a byte each", wrong={135: "that is one byte a weight"}, unit="MB")
    base = choice("frozen", "the base stays as it is", {"trained": "only the adapters train"})
    table = {"07-memory": Exercise("07-memory", "easy", 2, memory), "07-base": Exercise("07-base", "hard", 5, base)}
    for name, exercise in table.items():
        monkeypatch.setitem(EXERCISES, name, exercise)


@pytest.mark.parametrize("blank", [None, ..., "", "  \n"])
def test_a_blank_answer_is_not_wrong(capsys, exercises, blank):
    checks.check("07-memory", blank)
    assert capsys.readouterr().out == "07-memory: not answered yet\n"


@pytest.mark.parametrize("answer", [67.5, 67.4, "67.5", np.float32(67.5), np.array([67.5])])
def test_the_right_number_gets_its_tick(capsys, exercises, answer):
    checks.check("07-memory", answer)
    assert capsys.readouterr().out == "✓ 07-memory: half a byte each\n"


@pytest.mark.parametrize(
    ("exercise", "answer", "words"),
    [
        ("07-memory", 135, "one byte a weight"),
        ("07-memory", 900, "900 MB is too large"),
        ("07-memory", 1, "too small"),
        ("07-memory", float("nan"), "not a finite number"),
        ("07-memory", "many", "a number is expected"),
        ("07-memory", True, "a number is expected"),
        ("07-base", "Trained ", "only the adapters train"),
        ("07-base", "melted", "choose one of: frozen, trained"),
        ("07-base", 3, "choose one of"),
    ],
)
def test_a_wrong_answer_names_the_misconception(capsys, exercises, exercise, answer, words):
    checks.check(exercise, answer)
    out = capsys.readouterr().out
    assert out.startswith("✗ ") and words in out


def test_the_right_word_gets_its_tick(capsys, exercises):
    checks.check("07-base", " FROZEN")
    assert capsys.readouterr().out.startswith("✓")


class Hostile:
    def __float__(self):
        raise RuntimeError("no")

    def __eq__(self, other):
        raise RuntimeError("no")

    __hash__ = None


@pytest.mark.parametrize("odd", [Hostile(), [], {}, object(), print, np.zeros((2, 2)), 1j, type])
@pytest.mark.parametrize("exercise", ["07-memory", "07-base"])
def test_an_answer_of_an_odd_type_gets_a_sentence(capsys, exercises, exercise, odd):
    checks.check(exercise, odd)
    assert capsys.readouterr().out.startswith("✗ ")


def test_a_judge_that_breaks_does_not_stop_the_notebook(capsys, monkeypatch):
    monkeypatch.setitem(EXERCISES, "99-x", Exercise("99-x", "easy", 1, lambda answer: answer.missing))
    checks.check("99-x", 3)
    assert "cannot be read" in capsys.readouterr().out


def test_an_unknown_exercise_names_the_known_ones(exercises):
    with pytest.raises(ValueError, match=r"no exercise '08'.*07-memory"):
        checks.check("08", 1)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRICELAB_CACHE", str(tmp_path))
    return tmp_path / "scorebook.json"


def test_a_blank_prediction_prints_the_question_and_writes_nothing(capsys, cache):
    checks.predict("07-error", "How many dollars off?")
    checks.reveal("07-error", 61.2)
    out = capsys.readouterr().out
    assert "How many dollars off?\nno prediction made" in out and "it was 61.2; no prediction was made" in out
    assert not cache.exists()


@pytest.mark.parametrize(
    ("guess", "actual", "words"),
    [
        (70, 61.2, "close, a little high"),
        (20, 61.2, "too low"),
        (61.2, 61.2, "exactly right"),
        ("down", -4.0, "right"),
        ("Up", -4.0, "the other way"),
        ("same", -4.0, "not so"),
        (12, "up", "right"),
    ],
)
def test_a_prediction_is_compared_in_words(capsys, cache, guess, actual, words):
    checks.predict("p", "?", guess)
    checks.reveal("p", np.float64(actual) if isinstance(actual, float) else actual)
    assert words in capsys.readouterr().out


def test_the_score_is_kept_across_notebooks(capsys, cache):
    for name, guess in {"a": 10, "b": 1, "c": "down"}.items():
        checks.predict(name, "?", guess)
        checks.reveal(name, 10)
    assert capsys.readouterr().out.rstrip().endswith("right so far: 1 of 3")
    kept = json.loads(cache.read_text())["predictions"]["b"]
    assert kept == {"question": "?", "answer": 1.0, "actual": 10.0, "right": False}


def test_running_the_cell_again_with_a_blank_keeps_the_earlier_prediction(capsys, cache):
    checks.predict("a", "?", 10)
    checks.predict("a", "?")
    assert "your earlier prediction stands: 10" in capsys.readouterr().out


@pytest.mark.parametrize("odd", [[1], "sideways", float("inf"), Hostile()])
def test_an_odd_prediction_or_outcome_is_not_kept(capsys, cache, odd):
    checks.predict("a", "?", odd)
    assert "not kept" in capsys.readouterr().out and not cache.exists()
    checks.reveal("a", odd)
    assert "nothing was measured" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["{half", "[]", '{"predictions": [3]}', '{"exercises": {"a": 1}}'])
def test_a_broken_scorebook_is_kept_aside_and_does_not_stop_the_notebook(capsys, cache, content):
    cache.write_text(content)
    checks.predict("a", "?", 3)
    assert "scorebook.unreadable.json" in capsys.readouterr().out
    assert json.loads(cache.read_text())["predictions"] == {"a": {"question": "?", "answer": 3.0}}
    assert cache.with_suffix(".unreadable.json").read_text() == content


def test_reading_a_broken_scorebook_changes_nothing(capsys, cache):
    cache.write_text("{half")
    checks.predict("a", "?")
    assert cache.read_text() == "{half" and "no prediction made" in capsys.readouterr().out


def test_a_blank_answer_is_not_a_try(exercises, cache):
    checks.check("07-memory")
    assert not cache.exists()


def test_tries_are_counted_and_a_solved_exercise_stays_solved(exercises, cache):
    for answer in (135, 67.5, 135):
        checks.check("07-memory", answer)
    assert json.loads(cache.read_text())["exercises"]["07-memory"] == {"solved": True, "tries": 3}


def test_progress_counts_by_notebook(capsys, exercises, cache):
    before = {line.notebook: line for line in checks.progress().lines}
    checks.check("07-memory", 67.5)
    checks.check("00-format", "B")
    checks.predict("07-p", "?", 1)
    checks.reveal("07-p", 1)
    checks.predict("07-q", "?", "up")
    after = {line.notebook: line for line in checks.progress().lines}
    assert after["07"].solved == 1 and before["07"].solved == 0
    assert after["07"].minutes_left == before["07"].minutes_left - 2
    assert (after["07"].came_true, after["07"].predictions) == (1, 1)
    assert after["00"] == before["00"]


def test_progress_shows_itself_as_a_table_with_totals(exercises, cache):
    checks.check("07-memory", 67.5)
    shown = checks.progress()
    last = str(shown).splitlines()[-1].split()
    assert last[0] == "all" and last[1] == "1" and last[3] == str(len(EXERCISES))
    assert "<table>" in shown._repr_html_() and "none made" in shown._repr_html_()


# ---- what a reveal says


@dataclass(frozen=True)
class Interval:
    value: float
    low: float
    high: float


@pytest.mark.parametrize(
    ("actual", "options", "told"),
    [
        (0, {"of": 20}, "it was 0 of 20;"),
        (437, {"unit": "items"}, "it was 437 items;"),
        (75.8213, {"unit": "%"}, "it was 75.82 %;"),
        (12.92, {"unit": "nats", "direction": True}, "it was up (+12.92 nats);"),
        (-3, {"direction": True}, "it was down (-3.00);"),
        (1.065003, {"direction": True}, "it was up (+1.07);"),  # rounded once, not from 1.065
        (0, {"direction": True}, "it was same (+0.00);"),
        (Interval(5, 1, 9), {"unit": "dollars", "direction": True}, "up (+5.00 dollars, 95 % interval +1.00 to +9.00)"),
        (Interval(5, -1, 11), {"direction": True}, "it was undecided (+5.00, 95 % interval -1.00 to +11.00);"),
        (5, {"direction": True, "interval": (-1, 11)}, "it was undecided (+5.00"),
        (123456, {}, "it was 123,500;"),
    ],
)
def test_what_happened_is_told_with_unit_direction_and_interval(capsys, cache, actual, options, told):
    checks.reveal("a", actual, **options)
    assert told in capsys.readouterr().out


def test_an_undecided_direction_is_told_and_not_scored(capsys, cache):
    checks.predict("a", "?", "up")
    checks.reveal("a", Interval(5, -1, 11), direction=True)
    assert "you said up, it was undecided" in capsys.readouterr().out
    assert "right" not in json.loads(cache.read_text())["predictions"]["a"]


@pytest.mark.parametrize(("guess", "words"), [(0, "exactly right"), (1, "close, a little high"), (2, "too high")])
def test_a_count_may_be_off_by_one_in_twenty(capsys, cache, guess, words):
    checks.predict("a", "?", guess)
    checks.reveal("a", 0, of=20)
    out = capsys.readouterr().out
    assert f"you said {guess}, it was 0 of 20: {words}" in out
    checks.reveal("a", 1, of=3)
    assert (", it was 1 of 3: exactly right" in capsys.readouterr().out) == (guess == 1)


# ---- the learner's own prices


def test_guesses_are_scored_and_the_true_prices_shown(capsys, cache):
    shown = checks.score_guesses([10, None, "30"], [12.5, 20, 20], usual=20)
    out = capsys.readouterr().out
    assert "you are off by $6.25 on average over 2 products" in out
    assert "always says $20.00 is off by $3.75" in out
    rows = [line.split() for line in str(shown).splitlines()[2:]]
    assert rows[:2] == [["1", "$10.00", "$12.50", "$2.50"], ["2", "–", "$20.00", "–"]]
    assert "<table>" in shown._repr_html_()


@pytest.mark.parametrize("nothing", [None, [1, 2], [None, -3, "many"], 7])
def test_without_a_guess_no_price_is_given_away(capsys, cache, nothing):
    assert checks.score_guesses(nothing, [12.5, 20, 20]) is None
    assert "12.5" not in capsys.readouterr().out
