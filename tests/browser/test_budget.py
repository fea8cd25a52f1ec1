"""The budget explorer in JupyterLab, in a real browser: it follows its knobs, explains mistakes, executes no text."""

import re

import pytest

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def calm(explorer):
    """Every test starts from QLoRA of a real model on one L4 at desktop width, and must end without a dialog."""
    explorer.page.evaluate("delete window.hit")
    explorer.resize(1280)
    explorer.choose(Model="Llama-3.1-8B", Method="QLoRA", Hardware="L4")
    explorer.enter("LoRA rank", "16")
    explorer.shows("Fits: a step takes 15.2 GB of the 24 GB of one L4.")
    yield
    assert explorer.dialogs == []


def gigabytes(answer):
    """The memory at the peak, in GB."""
    return float(re.search(r"Memory at the peak: ([\d.]+) GB", answer)[1])


def test_from_scratch_takes_more_memory_than_qlora_on_the_same_device(explorer):
    qlora = gigabytes(explorer.shows("41.9 M"))
    explorer.choose(Method="from scratch")
    scratch = gigabytes(explorer.shows("Too large for one L4"))
    assert scratch > 5 * qlora
    assert explorer.knob("LoRA rank").count() == 0 or not explorer.knob("LoRA rank").is_visible()
    explorer.choose(Method="QLoRA")
    assert gigabytes(explorer.shows("Fits:")) == qlora


def test_the_bar_shows_every_part_within_the_frame_of_the_device(explorer):
    bar, frame = explorer.form.locator(".pricelab-bar span"), explorer.form.locator(".pricelab-device").bounding_box()
    boxes = [part.bounding_box() for part in bar.all()]
    assert len(boxes) == 5 and all(box["width"] >= 1 for box in boxes)
    assert boxes[-1]["x"] + boxes[-1]["width"] < frame["x"] + frame["width"]
    assert len({part.evaluate("part => getComputedStyle(part).background") for part in bar.all()}) == 5


def test_a_number_is_entered_as_people_write_it(explorer):
    explorer.choose(Model="own size")
    explorer.enter("Weights of your model", "500M")
    explorer.shows("of 500 M")
    explorer.enter("Weights of your model", "3e9")
    explorer.shows("of 3 B")
    explorer.page.wait_for_timeout(500)  # time enough for the slider to answer, with 3.2 B, the nearest of its steps
    assert explorer.knob("Weights of your model").input_value() == "3 B"


def test_a_slider_moves_with_the_keyboard(explorer):
    explorer.form.locator(".noUi-handle:visible").first.focus()
    for _ in range(10):
        explorer.page.keyboard.press("ArrowRight")
    explorer.shows("for 8.19 M tokens")  # half a power of ten more: 32 k items of 256 tokens
    assert explorer.knob("Items, repeats counted").input_value() == "32 k"
    explorer.enter("Items, repeats counted", "10,000")
    explorer.shows("for 2.56 M tokens")


def test_a_knob_that_makes_no_sense_is_explained_in_place(explorer):
    explorer.choose(Method="LoRA", Hardware="T4")
    explorer.choose(**{"Weights held in": "bf16"})
    assert "T4 has no bf16 arithmetic" in explorer.shows("No budget:")
    assert explorer.form.get_by_role("alert").count() == 1
    explorer.choose(**{"Weights held in": "the usual"})
    explorer.shows("Too large for one T4")


def test_formulas_and_sources_unfold_and_stay_while_knobs_turn(explorer):
    explorer.form.get_by_role("button", name="Show formulas and sources").click()
    table = explorer.form.get_by_role("table")
    table.filter(has_text="(4·N + 6·A)·D").wait_for()
    explorer.choose(Method="full fine-tuning")
    table.filter(has_text="6·N·D").filter(has_text="arXiv 2001.08361").wait_for()
    explorer.form.get_by_role("button", name="Hide formulas and sources").click()
    table.wait_for(state="detached")


def test_this_machine_is_measured_on_demand(explorer):
    explorer.choose(Model="tiny", Hardware="this machine, measured")
    assert "Fits: a step takes" in explorer.shows("at $0 a device-hour")  # it is paid for already


HOSTILE = [
    "<img src=x onerror='window.hit = 1'>",
    "<svg onload='window.hit = 1'>",
    "</bdi><script>window.hit = 1</script>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_shown_as_typed_and_runs_nothing(explorer, text):
    explorer.choose(Model="own size")
    explorer.enter("Weights of your model", text)
    assert text[:40] in explorer.shows("No budget:")
    explorer.page.wait_for_timeout(100)  # time enough for an event handler to fire
    assert explorer.page.evaluate("window.hit === undefined")
    assert explorer.form.locator("script, img, iframe, svg").count() == 0
    explorer.enter("Weights of your model", "1 B")
    explorer.shows("of 1 B")


def test_a_phone_shows_all_without_scrolling_sideways(explorer):
    explorer.resize(400)
    assert explorer.fits()
    explorer.choose(Method="full fine-tuning")
    explorer.shows("Too large for one L4")
    assert explorer.fits()
    assert explorer.form.locator(".pricelab-bar").bounding_box()["height"] >= 24
