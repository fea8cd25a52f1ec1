"""The price predictor in JupyterLab, in a real browser: it answers, refuses in words, and executes no text."""

import pytest
from lab_session import as_shown
from predictor_parts import close_parts, open_part

pytestmark = pytest.mark.browser

DRILL = "Cordless drill driver kit, 18 V, two batteries"  # 46 characters: the fake pricer says $86


@pytest.fixture(autouse=True)
def calm(lab):
    """Every test starts from an inline error at desktop width and must end without a dialog."""
    lab.dialogs.clear()
    lab.page.evaluate("delete window.hit")
    lab.resize(1280)
    close_parts(lab)
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
    lab.form.get_by_label("Examples").select_option("kitchen")
    lab.form.get_by_role("button", name="Electric kettle").click()
    lab.result.filter(has_text="80 % likely", has_not_text="Estimating…").wait_for()
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
    "script with a source": "<SCRIPT SRC=//example.invalid/x.js></SCRIPT>",
    "script in pieces": "<scr<script>ipt>window.hit = 1</scr</script>ipt>",
    "img": "<img src=x onerror='window.hit = 1'>",
    "img without quotes": "<img/src=x/onerror=window.hit=1>",
    "svg": "<svg onload='window.hit = 1'></svg>",
    "svg script": "<svg><script>window.hit = 1</script></svg>",
    "animation": "<svg><animate onbegin='window.hit = 1' attributeName=x dur=1s>",
    "math": "<math><mtext><table><mglyph><style><img src=x onerror='window.hit = 1'>",
    "iframe": "</bdi></p></div><iframe srcdoc='<script>parent.hit = 1</script>'></iframe>",
    "object": "<object data='javascript:window.hit = 1'></object><embed src='javascript:window.hit = 1'>",
    "form": "<form action='javascript:window.hit = 1'><input autofocus onfocus='window.hit = 1'></form>",
    "button": "<button formaction='javascript:window.hit = 1' autofocus onfocus='window.hit = 1'>x</button>",
    "body": "<body onload='window.hit = 1' onpageshow='window.hit = 1'>",
    "meta": "<meta http-equiv=refresh content='0;url=javascript:window.hit=1'><base href=javascript:/x/>",
    "template": "<template><img src=x onerror='window.hit = 1'></template><noscript><p title='</noscript><img src=x>'>",
    "attribute": "\"'><details open ontoggle='window.hit = 1'>",
    "backticks": "`><img src=`x` onerror=`window.hit = 1`>",
    "broken": "<b <i onclick=<!-- <![CDATA[ <style>* { display: none }",
    "end of text": "</textarea></style></title></script><img src=x onerror='window.hit = 1'>",
    "comment": "<!--><img src=x onerror='window.hit = 1'>-->",
    "entities": "&lt;script&gt; &amp;amp; &#60;img&#62; &nbsp",
    "entities that become markup": "&#x3c;img src=x onerror=&#x77;indow.hit=1&#x3e;",
    "link": "[x](javascript:alert(1)) <a href='javascript:alert(1)'>x</a>",
    "data address": "data:text/html,<script>alert(1)</script> vbscript:msgbox(1)",
    "css": "<style>@import 'x'; .pricelab { background: url(javascript:alert(1)) } *{display:none}</style>",
    "css in an attribute": "<p style='width: expression(alert(1)); position: fixed; inset: 0; background: red'>x</p>",
    "formula": "$\\href{javascript:alert(1)}{x}$ and \\(x\\)",
    "formula of a spreadsheet": "=cmd|' /C calc'!A0 and @SUM(1+1) and +1",
    "template language": "{{ constructor.constructor('window.hit = 1')() }} ${window.hit = 1} <%= 1 %> {% raw %}",
    "markdown": "# x\n![x](javascript:alert(1))\n```html\n<b>x</b>\n```",
    "terminal": "\u001b[31mred\u001b[0m \u0007 \u0008",
    "null": "null\u0000byte",
    "rtl": "\u202egnp.exe\u202c مثقاب שלום",
    "rtl alone": "مثقاب لاسلكي مع بطاريتين",
    "rtl unfinished": "drill \u202e\u2066\u2067 ten dollars",
    "zero width": "dri\u200b\u200c\u200d\ufeffll \u2060x",
    "combining": "d" + "\u0335\u0489\u0346" * 30 + "rill",
    "emoji": "🎉👩\u200d👩\u200d👧🏳️\u200d🌈 ☠\ufe0f",
    "one long word": "x" * 150,
    "not a character": "a\ufffeb \ufdd0 \U0010ffff",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_shown_as_typed_and_runs_nothing(lab, name):
    text = HOSTILE[name]
    lab.ask(text, shows="80 % likely")
    lab.page.wait_for_timeout(100)  # time enough for an event handler to fire
    assert lab.form.locator(".pricelab-echo").text_content() == f"“{as_shown(text)}”"
    assert lab.page.evaluate("window.hit === undefined")
    forbidden = "script, img, iframe, object, embed, form, input, details, a, i, b, body, meta, base, math, template"
    assert lab.result.locator(f"{forbidden}, [style*=fixed]").count() == 0
    assert lab.form.locator("svg").count() == 2  # the two charts
    assert lab.result.evaluate("part => part.scrollWidth <= part.clientWidth")


def test_hostile_texts_stand_in_the_history_as_typed_too(lab):
    texts = [text for text in HOSTILE.values() if "\n" not in text and len(text) < 80][:15]
    for text in texts:
        lab.ask(text, shows=f"“{as_shown(text)}”")
    history = open_part(lab, "History")
    shown = [cell.text_content() for cell in history.locator("td:nth-child(2)").all()][: len(texts)]
    close_parts(lab)
    assert shown == [" ".join(as_shown(text).split()) for text in reversed(texts)]
    assert lab.page.evaluate("window.hit === undefined")
