"""The decision guide without a browser: its state, its page, its view on core ipywidgets."""

import re
import threading

import ipywidgets
import pytest
from pages import Page, leaves

from pricelab.decision import advise
from pricelab.decision.checklist import QUESTIONS
from pricelab.decision.ladder import RUNGS
from pricelab.widgets import DecisionGuide, GuideState, guide

CLASSICAL = {"task": "number", "examples": "thousands", "simple": "untried"}
CONTRADICTORY = {"task": "text", "base": "own", "compute": "laptop", "raw_text": "little"}


# ---- state


def test_answers_lead_to_the_advice_of_the_logic():
    state = GuideState()
    for question, option in CLASSICAL.items():
        state.answer(question, option)
    assert state.answers == CLASSICAL and state.advice == advise(**CLASSICAL)


def test_an_answer_can_be_changed_and_taken_back():
    state = GuideState(CLASSICAL)
    state.answer("simple", "weak")
    assert state.answers["simple"] == "weak"
    state.answer("simple", None)
    assert "simple" not in state.answers and state.advice.needed == "simple"
    state.reset()
    assert state.answers == {} and state.advice.needed == "task"


@pytest.mark.parametrize(("question", "option"), [("colour", "red"), ("task", "poem"), ("task", "")])
def test_what_is_not_on_the_checklist_is_refused_and_changes_nothing(question, option):
    state = GuideState(CLASSICAL)
    with pytest.raises(ValueError, match="no question 'colour'|is no answer; choose one of number, text, both"):
        state.answer(question, option)
    assert state.answers == CLASSICAL


def test_only_a_change_is_announced():
    calls = []
    state = GuideState(on_change=lambda: calls.append(dict(state.answers)))
    state.answer("task", "text")
    state.answer("task", "text")
    state.answer("base", None)
    state.reset()
    state.reset()
    assert calls == [{"task": "text"}, {}]


def test_changes_from_several_threads_all_arrive():
    state = GuideState()
    threads = [threading.Thread(target=state.answer, args=(q.id, q.options[0].id)) for q in QUESTIONS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert state.advice.unanswered == ()


# ---- view


def test_the_form_asks_every_question_with_not_answered_as_the_default():
    form = DecisionGuide()
    assert list(form.boxes) == [question.id for question in QUESTIONS]
    for question in QUESTIONS:
        box = form.boxes[question.id]
        assert (box.description, box.value, box.label) == (question.text, "", "not answered")
        assert [label for label, _ in box.options[1:]] == [option.label for option in question.options]
    reasons_to_ask = " ".join(leaf.value for leaf in leaves(form.view) if isinstance(leaf, ipywidgets.HTML))
    assert all(guide.shown(question.why) in reasons_to_ask for question in QUESTIONS)


def test_choosing_an_answer_changes_the_page_and_not_answered_takes_it_back():
    form = DecisionGuide()
    assert "Still needed: What must come out?" in Page(form.result.value).text
    for question, option in CLASSICAL.items():
        form.boxes[question].value = option
    text = Page(form.result.value).text
    assert "So far: a classical model." in text and "3 of 10 questions answered" in text
    assert all(sentence in text for _, sentences in form.advice.sections() for sentence in sentences)
    form.boxes["task"].value = ""
    assert form.state.answers == {"examples": "thousands", "simple": "untried"}


def test_answers_from_code_show_in_the_form():
    form = DecisionGuide(task="number")
    form.answer("examples", "huge")
    assert (form.boxes["task"].value, form.boxes["examples"].value) == ("number", "huge")
    with pytest.raises(ValueError, match="no question 'colour'"):
        DecisionGuide(colour="red")


def test_start_again_empties_every_box_with_one_change():
    form, pages = DecisionGuide(**CLASSICAL), []
    form.result.observe(lambda change: pages.append(change["new"]), "value")
    form.again.click()
    assert form.state.answers == {} and all(box.value == "" for box in form.boxes.values())
    assert len(pages) == 1 and "0 of 10 questions answered" in pages[0]


def test_the_advised_rung_is_marked_by_words_and_form_and_for_a_screen_reader():
    steps = re.findall(r"<li[^>]*>.*?</li>", guide.ladder(advise(**CLASSICAL)))
    assert [Page(step).text.split(" ◀\u00a0")[0] for step in steps] == [
        f"{n} · {r}" for n, r in enumerate(RUNGS.values(), 1)
    ]
    [advised] = [step for step in steps if "aria-current" in step]
    assert advised == steps[0] and 'class="pricelab-advised"' in advised and "◀\u00a0advised" in advised
    assert "aria-current" not in guide.ladder(advise())


def test_a_contradiction_stands_before_the_reasons_and_advises_nothing_yet():
    page = guide.page(advise(**CONTRADICTORY))
    assert "pricelab-note" in page and page.index("contradict") < page.index(">Why<")
    text = Page(page).text
    assert "5 · training from scratch ◀\u00a0unsettled" in text and "◀\u00a0advised" not in text


def test_the_headline_is_read_out_when_it_changes():
    page = guide.page(advise())
    assert Page(page).with_attribute("role") == ["status"]
    assert Page(page).with_attribute("aria-label") == ["The ladder"]


@pytest.mark.parametrize("answers", [{}, CLASSICAL, CONTRADICTORY])
def test_the_page_is_well_formed_and_holds_nothing_that_runs(answers):
    page = Page(guide.page(advise(**answers)))
    assert page.open == [] and {tag for tag, _ in page.elements} <= {"div", "p", "ol", "ul", "li"}
    assert {name for _, attributes in page.elements for name in attributes} <= {
        "class", "role", "aria-label", "aria-current", "style",
    }  # fmt: skip


def test_every_word_of_the_checklist_is_shown_as_it_is():
    for question in QUESTIONS:
        for text in (question.text, question.why, *(option.label for option in question.options)):
            assert not re.search(r"[<>&]", text), "an ipywidgets 7.7 description is not escaped"


def test_tab_order_is_reading_order():
    form = DecisionGuide()
    controls = [leaf for leaf in leaves(form.view) if isinstance(leaf, ipywidgets.Dropdown | ipywidgets.Button)]
    assert controls == [*form.boxes.values(), form.again]


@pytest.mark.parametrize("act", ["choose", "click"])
def test_whatever_happens_the_kernel_writes_to_all_controls_alike(monkeypatch, act):
    form, written = DecisionGuide(**CLASSICAL), set()
    monkeypatch.setattr(ipywidgets.Widget, "send_state", lambda self, key=None: written.add(self))
    if act == "choose":
        form.boxes["base"].value = "fits"
    else:
        form.again.click()
    assert {*form.boxes.values(), form.again} <= written


def test_nothing_but_core_widgets_and_no_width_in_pixels():
    for leaf in leaves(DecisionGuide().view):
        assert leaf._model_module == "@jupyter-widgets/controls" and "px" not in (leaf.layout.width or "")
    assert not re.search(r"(?<!max-)(?<!-)width: ?\d+px", guide.STYLE)


def test_the_display_holds_the_widget_and_the_advice_in_words():
    form = DecisionGuide(**CLASSICAL)
    bundle = form._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == form.view.model_id
    words = bundle["text/plain"]
    assert words.startswith("DecisionGuide: a form") and words.endswith(str(form.advice))
