"""The price predictor in JupyterLab, in a real browser: it answers, refuses in words, and executes no text."""

import pytest

pytestmark = pytest.mark.browser

DRILL = "Cordless drill driver kit, 18 V, two batteries"  # 46 characters: the fake pricer says $86


@pytest.fixture(autouse=True)
def calm(lab):
    """Every test starts from an inline error at desktop width and must end without a dialog."""
    lab.dialogs.clear()
    lab.page.evaluate("delete window.hit")
    lab.resize(1280)
    lab.ask("", shows="is empty")
    yield
    assert lab.dialogs == []


def test_a_description_gets_price_interval_and_comparison(lab):
    lab.ask(DRILL, shows="$86")
    shown = lab.result.inner_text()
    assert DRILL in shown and "80 % likely between $59 and $126" in shown
    tuned, untuned = lab.result.get_by_role("region").all()
    assert "Fine-tuned" in tuned.inner_text() and "Untuned" in untuned.inner_text()
    assert abs(tuned.bounding_box()["y"] - untuned.bounding_box()["y"]) < 2  # side by side
    assert "median $86" in lab.result.get_by_role("img").first.get_attribute("aria-label")


def test_an_error_stands_inline_and_replaces_the_price(lab):
    lab.ask(DRILL, shows="$86")
    lab.ask("   ", shows="is empty")
    assert "$" not in lab.result.inner_text()
    assert lab.result.get_attribute("role") == "alert"
    lab.ask("x" * 20_001, shows="20,001 characters")


def test_a_click_never_overtakes_the_text_before_it(lab):
    for length in range(1, 16):
        lab.ask("x" * length, shows=f"“{'x' * length}”")


def test_an_example_is_priced_with_one_click(lab):
    lab.form.get_by_role("button", name="Electric kettle").click()
    lab.result.filter(has_text="80 % likely").wait_for()
    assert lab.box.input_value().startswith("Electric kettle")


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_the_keyboard_alone_is_enough(lab, key):
    lab.box.fill("")
    lab.box.focus()
    lab.page.keyboard.type("abdd x")  # letters that are JupyterLab's shortcuts outside a text field
    lab.page.keyboard.press("Tab")
    lab.page.keyboard.press(key)
    lab.result.filter(has_text="“abdd x”").wait_for()
    assert "$46" in lab.result.inner_text()


def test_a_phone_shows_all_without_scrolling_sideways(lab):
    lab.ask(DRILL, shows="$86")
    lab.resize(400)
    for part in [lab.form, lab.result, *lab.result.get_by_role("region").all()]:
        assert part.evaluate("part => part.scrollWidth <= part.clientWidth"), part
    tuned, untuned = (card.bounding_box() for card in lab.result.get_by_role("region").all())
    assert untuned["y"] >= tuned["y"] + tuned["height"]  # one below the other
    label = lab.result.get_by_text("$1,000", exact=True).first.bounding_box()
    assert label["width"] > label["height"] >= 10  # on one line, still legible


HOSTILE = {
    "script": "<script>window.hit = 1</script>",
    "img": "<img src=x onerror='window.hit = 1'>",
    "svg": "<svg onload='window.hit = 1'></svg>",
    "iframe": "</bdi></p></div><iframe srcdoc='<script>parent.hit = 1</script>'></iframe>",
    "attribute": "\"'><details open ontoggle='window.hit = 1'>",
    "broken": "<b <i onclick=<!-- <![CDATA[ <style>* { display: none }",
    "entities": "&lt;script&gt; &amp;amp; &#60;img&#62; &nbsp",
    "link": "[x](javascript:alert(1)) <a href='javascript:alert(1)'>x</a>",
    "formula": "$\\href{javascript:alert(1)}{x}$ and \\(x\\)",
    "null": "null\u0000byte",
    "rtl": "\u202egnp.exe\u202c مثقاب שלום",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_shown_as_typed_and_runs_nothing(lab, name):
    text = HOSTILE[name]
    lab.ask(text, shows="80 % likely")
    lab.page.wait_for_timeout(100)  # time enough for an event handler to fire
    assert lab.form.locator(".pricelab-echo").text_content() == f"“{text.replace(chr(0), '␀')}”"
    assert lab.page.evaluate("window.hit === undefined")
    assert lab.form.locator("script, img, iframe, details, a, i").count() == 0
    assert lab.form.locator("svg").count() == 2  # the two charts
