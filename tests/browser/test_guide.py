"""The decision guide in JupyterLab, in a real browser: paths to several rungs, a contradiction, keyboard and phone."""

import pytest

pytestmark = pytest.mark.browser

BEGIN = "Still needed: What must come out?"

PATHS = {
    "a classical model": {"task": "number", "examples": "thousands", "simple": "untried"},
    "retrieval": {"task": "text", "base": "fits", "works": "mostly", "missing": "facts"},
    "fine-tuning a base": {
        "task": "text", "base": "fits", "works": "mostly", "missing": "behaviour", "examples": "hundreds",
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def fresh(guide):
    """Every test starts without answers at desktop width, and must end without a dialog."""
    guide.resize(1280)
    guide.reset()
    yield
    assert guide.dialogs == []


@pytest.mark.parametrize("rung", PATHS)
def test_a_path_leads_to_its_rung_with_reasons(guide, rung):
    guide.choose(**PATHS[rung])
    advice = guide.shows(f"So far: {rung}.")
    assert f"{rung} ◀\u00a0advised" in advice
    assert advice.index("Why") < advice.index("How") < advice.index("What would change it") < advice.index("Next step")


def test_one_other_answer_changes_the_rung_as_it_said(guide):
    guide.choose(**PATHS["retrieval"])
    assert "If its answers lack nothing, then the next question counts" in guide.shows("So far: retrieval.")
    guide.choose(missing="nothing")
    guide.shows("Still needed: Must the output keep an exact format?")
    guide.choose(format="exact", examples="hundreds")
    guide.shows("So far: fine-tuning a base.")


def test_contradictory_answers_are_explained_before_anything_else(guide):
    guide.choose(task="text", base="own", compute="laptop", raw_text="little")
    advice = guide.shows("Settle a contradiction first.", answered=4)
    assert "training from scratch ◀\u00a0unsettled" in advice and "advised" not in advice
    assert advice.count("To settle it, ") == 2
    assert advice.index("These answers contradict each other") < advice.index("Why")


def test_ten_quick_answers_all_arrive(guide):
    guide.choose(
        task="number", examples="huge", simple="weak", base="fits", works="hardly", missing="behaviour",
        format="exact", limits="none", compute="cluster", raw_text="little",
    )  # fmt: skip
    assert "full fine-tuning" in guide.shows("Advice: fine-tuning a base.", answered=10)


def test_the_keyboard_alone_is_enough(guide):
    guide.form.get_by_label("What must come out?").focus()
    for key in ["Space", "ArrowDown", "Enter", "Tab"] * 3:  # open the list, go to the first answer, take it, go on
        guide.page.keyboard.press(key)
    assert "fewer than 50 examples" in guide.shows("Still needed: Is there a pretrained base", answered=3)
    guide.form.get_by_role("button", name="Start again").focus()
    guide.page.keyboard.press("Enter")
    guide.shows(BEGIN)


def test_a_phone_shows_all_without_scrolling_sideways(guide):
    guide.choose(task="text", base="own", compute="laptop", raw_text="little")
    guide.shows("Settle a contradiction first.", answered=4)
    guide.resize(400)
    assert guide.fits()
    box = guide.form.get_by_label("Is there a pretrained base").bounding_box()
    assert guide.result.bounding_box()["y"] > box["y"] + box["height"]  # the advice stands below the questions
    assert box["width"] > 200 and box["height"] >= 24  # large enough to hit


def test_nothing_in_the_form_runs_or_loads(guide):
    guide.choose(**PATHS["fine-tuning a base"])
    guide.shows("So far: fine-tuning a base.")
    assert guide.form.locator("script, img, iframe, a, object").count() == 0
