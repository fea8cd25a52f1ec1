"""The decision guide's logic: the promises of every path, contradictions, order, and cases with a known answer."""

import html.parser
import itertools
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricelab.decision import advise, walk
from pricelab.decision.checklist import BY_ID, QUESTIONS
from pricelab.decision.ladder import CLASHES, METHODS, NEXT, RULES, RUNGS

IDS = [question.id for question in QUESTIONS]
OPTIONS = {question.id: [option.id for option in question.options] for question in QUESTIONS}
LADDER = list(RUNGS)  # from the lowest rung up


def clause(question, option):
    return BY_ID[question].option(option).clause


def holds(when, answers):
    return all(answers[question] in options.split() for question, options in when.items())


class Outcome(NamedTuple):
    rung: str
    conflicts: tuple
    method: str


@pytest.fixture(scope="module")
def paths():
    """Every complete path, checked for what is promised on all of them: option ids in order → outcome."""
    seen, once = {}, {}
    for path in itertools.product(*OPTIONS.values()):
        answers = dict(zip(IDS, path, strict=True))
        advice = advise(**answers)
        assert advice.rung in RUNGS and RUNGS[advice.rung] in advice.headline
        assert advice.reasons and all(answers[reason.question] == reason.answer for reason in advice.reasons)
        assert advice.what_would_change_it and advice.method and advice.next_step == NEXT[advice.rung]
        assert advice.needed is None and advice.unanswered == ()
        assert advice.headline.startswith("Settle a contradiction" if advice.conflicts else "Advice: ")
        conflicts = once.setdefault(advice.conflicts, advice.conflicts)
        seen[path] = Outcome(advice.rung, conflicts, advice.method)
    return seen


def with_every_answer(path, question):
    """The path once for each answer to one question, in the order of its options."""
    at = IDS.index(question)
    return [(*path[:at], option, *path[at + 1 :]) for option in OPTIONS[question]]


# ---- every path


def test_every_complete_path_keeps_the_promises(paths):
    assert len(paths) == 3 * 4 * 3 * 3 * 3 * 4 * 2 * 3 * 3 * 3


def test_every_rung_rule_clash_and_method_is_reached(paths):
    deciding = set()
    for path, outcome in paths.items():
        answers = dict(zip(IDS, path, strict=True))
        number = next(number for number, rule in enumerate(RULES) if holds(rule.when, answers))
        assert RULES[number].rung == outcome.rung
        deciding.add(number)
    assert deciding == set(range(len(RULES))) and {rule.rung for rule in RULES} == set(RUNGS) == set(NEXT)
    told = " ".join({sentence for outcome in paths.values() for sentence in outcome.conflicts})
    assert all(f": {clash.why}. To settle it, {clash.settle}." in told for clash in CLASHES)
    assert {outcome.method for outcome in paths.values()} == {method.how for method in METHODS if method.when} | {
        method.how for method in METHODS if not method.when and method.rung != "fine-tune"
    }  # the open choice of a method is for those who have not said what they can train on


def test_the_tables_name_questions_and_options_that_exist():
    for when in [row.when for table in (RULES, CLASHES, METHODS) for row in table]:
        for question, options in when.items():
            assert set(options.split()) <= set(OPTIONS[question])


def test_ids_and_words_are_unique_within_their_question():
    assert len(set(IDS)) == len(IDS) and 8 <= len(IDS) <= 10
    for question in QUESTIONS:
        assert 2 <= len(question.options) <= 4 and question.text.endswith("?") and question.why
        for words in ("id", "label", "clause", "reason"):
            assert len({getattr(option, words) for option in question.options}) == len(question.options)


some_answers = st.fixed_dictionaries({}, optional={id: st.sampled_from(options) for id, options in OPTIONS.items()})
all_answers = st.fixed_dictionaries({id: st.sampled_from(options) for id, options in OPTIONS.items()})


@given(some_answers)
def test_what_would_change_it_is_what_single_answers_change(answers):
    advice = advise(**answers)
    for question, option in [(id, option) for id in answers for option in OPTIONS[id] if option != answers[id]]:
        other = advise(**{**answers, question: option})
        told = [sentence for sentence in advice.what_would_change_it if clause(question, option) in sentence]
        if advice.rung is None or other.rung == advice.rung:
            assert told == []
        else:
            [sentence] = told
            leads_to = f"then {RUNGS[other.rung]}." if other.rung else BY_ID[other.needed].text
            assert sentence.endswith(leads_to)


@given(some_answers, all_answers)
def test_advice_so_far_holds_whatever_the_open_answers_are(answers, rest):
    early, late = advise(**answers), advise(**{**rest, **answers})
    assert early.rung in (None, late.rung)
    assert set(early.conflicts) <= set(late.conflicts)
    assert set(early.unanswered) == set(IDS) - set(answers)
    if early.rung is None:
        assert early.needed not in answers and early.headline == f"Still needed: {BY_ID[early.needed].text}"
        assert not early.method and not early.next_step and not early.what_would_change_it
    elif early.unanswered and not early.conflicts:
        assert early.headline == f"So far: {RUNGS[early.rung]}."


@given(all_answers)
def test_answering_what_is_asked_next_always_leads_to_a_rung(answers):
    given_so_far, steps = {}, 0
    while (needed := walk(given_so_far).needed) is not None:
        given_so_far[needed] = answers[needed]
        steps += 1
    assert steps <= len(IDS) and walk(given_so_far).rung == advise(**answers).rung


def test_the_order_of_the_answers_does_not_matter():
    answers = {"works": "mostly", "task": "text", "examples": "hundreds", "base": "fits", "missing": "behaviour"}
    assert advise(**answers) == advise(**dict(reversed(answers.items())))


# ---- contradictions

CONTRADICTIONS = {
    "writing from random weights without the compute": (
        ("base", "task", "compute"),
        lambda a: a["base"] != "fits" and a["task"] != "number" and a["compute"] != "cluster",
    ),
    "writing from random weights with little text": (
        ("base", "task", "raw_text"),
        lambda a: a["base"] != "fits" and a["task"] != "number" and a["raw_text"] == "little",
    ),
    "predicting from random weights with few examples": (
        ("base", "examples"),
        lambda a: a["base"] != "fits" and a["task"] == "number" and a["examples"] == "few",
    ),
    "no base, and yet one works": (
        ("base", "works"),
        lambda a: a["base"] == "none" and a["works"] in ("yes", "mostly"),
    ),
    "right as often as needed, and yet lacking": (
        ("works", "missing"),
        lambda a: a["works"] == "yes" and a["missing"] != "nothing",
    ),
    "hardly ever right, and nothing lacking": (
        ("works", "missing"),
        lambda a: a["works"] == "hardly" and a["missing"] == "nothing",
    ),
    "a linear model that writes": (
        ("task", "simple"),
        lambda a: a["task"] == "text" and a["simple"] == "good",
    ),
    "judged on almost nothing": (
        ("examples", "simple"),
        lambda a: a["examples"] == "few" and a["simple"] == "good",
    ),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_contradictory_answers_are_always_explained(paths, name):
    questions, contradictory = CONTRADICTIONS[name]
    found = 0
    for path, outcome in paths.items():
        answers = dict(zip(IDS, path, strict=True))
        if contradictory(answers):
            found += 1
            clauses = [clause(question, answers[question]).lower() for question in questions]
            assert any(all(words in sentence.lower() for words in clauses) for sentence in outcome.conflicts), answers
    assert found


@pytest.mark.parametrize(("examples", "rung"), [("few", "prompt"), ("hundreds", "prompt"), ("thousands", "fine-tune")])
def test_a_task_that_a_base_hardly_does_takes_thousands_of_examples(examples, rung):
    answers = {"task": "text", "base": "fits", "works": "hardly", "missing": "behaviour", "examples": examples}
    advice = advise(**answers, format="loose", limits="none")
    assert advice.rung == rung
    assert ("no rung of the ladder carries this yet" in str(advice)) == (rung == "prompt")


def test_a_contradiction_is_not_averaged_into_a_rung_between():
    """Own everything, with a laptop and little text: neither fine-tuning in the middle nor silence."""
    answers = {"task": "text", "base": "own", "compute": "laptop", "raw_text": "little"}
    advice = advise(**answers)
    assert advice.rung == "train" and len(advice.conflicts) == 2
    assert all("To settle it, " in conflict for conflict in advice.conflicts)
    assert advice.headline.startswith("Settle a contradiction first.")


# ---- order


@pytest.mark.parametrize("question", ["compute", "raw_text"])
def test_more_compute_or_text_never_moves_the_rung_and_never_adds_a_contradiction(paths, question):
    for path in paths:
        outcomes = [paths[way] for way in with_every_answer(path, question)]
        assert len({outcome.rung for outcome in outcomes}) == 1
        counts = [len(outcome.conflicts) for outcome in outcomes]
        assert counts == sorted(counts, reverse=True)


def test_once_the_classical_model_falls_short_more_examples_never_lead_down(paths):
    for path, outcome in paths.items():
        if path[IDS.index("simple")] == "weak":
            rungs = [LADDER.index(paths[way].rung) for way in with_every_answer(path, "examples")]
            assert rungs == sorted(rungs), (path, outcome)


def test_a_good_classical_model_never_leads_higher_than_a_weak_one(paths):
    for path in paths:
        untried, good, weak = (LADDER.index(paths[way].rung) for way in with_every_answer(path, "simple"))
        assert untried == good <= weak


def test_a_base_that_fits_never_leads_higher_than_none(paths):
    for path in paths:
        fits, none, own = (LADDER.index(paths[way].rung) for way in with_every_answer(path, "base"))
        assert fits <= none == own


def test_a_base_that_works_never_leads_higher_unless_each_answer_must_be_cheap(paths):
    for path in paths:
        if path[IDS.index("limits")] != "tight":
            yes, mostly, hardly = (LADDER.index(paths[way].rung) for way in with_every_answer(path, "works"))
            assert yes <= mostly and yes <= hardly


def test_training_is_advised_only_when_every_base_is_ruled_out(paths):
    assert all(path[IDS.index("base")] != "fits" for path, outcome in paths.items() if outcome.rung == "train")


# ---- cases with a known answer

NEUTRAL = {
    "simple": "untried", "base": "fits", "missing": "nothing", "format": "loose", "limits": "none",
    "compute": "laptop", "raw_text": "little",
}  # fmt: skip
FALLS_SHORT = {"task": "number", "simple": "weak", "examples": "thousands"}

CASES = {
    "prices of a shop, nothing tried yet": (
        {"task": "number", "examples": "thousands", "works": "mostly", "missing": "behaviour"},
        "classical", "ridge",
    ),
    "spam filter with a good linear model": (
        {"task": "number", "examples": "huge", "simple": "good", "works": "yes"},
        "classical", "ridge",
    ),
    "labels from forty examples": (
        {"task": "number", "examples": "few", "works": "yes"},
        "prompt", "in the prompt",
    ),
    "summaries that must not leave the house": (
        {"task": "text", "examples": "few", "works": "yes", "limits": "private"},
        "prompt", "on your own machines",
    ),
    "questions about this week's documents": (
        {"task": "text", "examples": "hundreds", "works": "mostly", "missing": "facts"},
        "retrieval", "Search your documents",
    ),
    "changing facts in the house style: facts come first": (
        {"task": "text", "examples": "thousands", "works": "mostly", "missing": "both"},
        "retrieval", "Search your documents",
    ),
    "house style on a laptop": (
        {"task": "text", "examples": "hundreds", "works": "mostly", "missing": "behaviour"},
        "fine-tune", "LoRA on a small",
    ),
    "prices, the ridge falls short, one GPU": (
        {**FALLS_SHORT, "works": "hardly", "missing": "behaviour", "compute": "gpu"},
        "fine-tune", "QLoRA:",
    ),
    "millions of records a day as exact JSON": (
        {"task": "text", "examples": "thousands", "works": "yes", "limits": "tight", "format": "exact"},
        "fine-tune", "LoRA",
    ),
    "a huge labelled set and a cluster": (
        {"task": "both", "examples": "huge", "works": "hardly", "missing": "behaviour", "compute": "cluster"},
        "fine-tune", "full fine-tuning",
    ),
    "a language without any base, massive text, a cluster": (
        {"task": "text", "examples": "few", "base": "none", "works": "hardly", "missing": "behaviour",
         "compute": "cluster", "raw_text": "massive"},
        "train", "tokenizer",
    ),
    "labels for sensor codes, no base reads them": (
        {**FALLS_SHORT, "examples": "huge", "base": "none", "works": "hardly", "missing": "behaviour"},
        "train", "small task model",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_realistic_case_gets_the_expected_rung_without_a_contradiction(name):
    answers, rung, method = CASES[name]
    advice = advise(**{**NEUTRAL, **answers})
    assert (advice.rung, advice.conflicts, advice.unanswered) == (rung, (), ())
    assert method in advice.method


def test_the_classical_rung_says_what_this_workbook_measured():
    advice = advise(task="number", examples="thousands", simple="untried")
    assert "TF-IDF + ridge beats the fine-tuned 135 M model" in str(advice)


# ---- use from code


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"colour": "red"}, "no question 'colour'; it asks task, examples"),
        ({"task": "poem"}, "task='poem' is no answer; choose one of number, text, both"),
        ({"task": ["number"]}, "is no answer; choose one of"),
        ({"examples": 500}, "choose one of few, hundreds, thousands, huge"),
    ],
)
def test_a_question_or_an_answer_that_does_not_exist_is_refused_with_the_known_ones(answers, words):
    with pytest.raises(ValueError, match="no ") as error:
        advise(**answers)
    assert words in str(error.value)


def test_none_is_the_same_as_not_answered():
    assert advise(task=None, base="none") == advise(base="none")


def test_advice_reads_as_text_and_as_html():
    advice = advise(**NEUTRAL, task="text", examples="few", works="yes")
    shown = Text(advice._repr_html_())
    for words in (str(advice), repr(advice), shown.text):
        assert words.startswith("Advice: a prompt with examples.")
        assert all(sentence in words for _, sentences in advice.sections() for sentence in sentences)
    assert shown.open == [] and "<" not in str(advice)


class Text(html.parser.HTMLParser):
    """The text of an HTML page, and the elements left open in it."""

    def __init__(self, page):
        super().__init__()
        self.text, self.open = "", []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
