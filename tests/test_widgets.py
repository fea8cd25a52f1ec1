"""The price predictor without a browser: its state, its texts, its view on core ipywidgets."""

import html.parser
import re
import sys
import threading
import time
from types import SimpleNamespace

import ipywidgets
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import leaves

from pricelab.estimates import PriceEstimate
from pricelab.price_format import PriceFormat
from pricelab.widgets import PredictorState, PricePredictor, cards
from pricelab.widgets.predictor_examples import EXAMPLES, by_category
from pricelab.widgets.predictor_state import MAX_CHARACTERS

DRILL = EXAMPLES["tools"]["Cordless drill driver kit"]


def estimate(price=89.0, warning=None):
    return PriceEstimate(price, price * 0.7, price * 1.5, np.full(999, 1 / 999), warning)


@pytest.mark.parametrize(
    ("written", "price", "named"),
    [
        (PriceFormat(), 89.0, ["$1", "$10", "$100", "$1,000"]),
        (PriceFormat(5), 12_300.0, ["$1", "$10", "$100", "$1,000", "$10,000", "$100,000"]),
        (PriceFormat(cents=True), 0.49, ["$0.01", "$0.10", "$1", "$10", "$100", "$1,000"]),
        (PriceFormat(5, cents=True), 0.49, ["$0.01", "$1", "$100", "$10,000"]),
    ],
    ids=str,
)
def test_a_chart_reaches_as_far_as_the_prices(written, price, named):
    count = len(written.prices)
    found = PriceEstimate(price, price * 0.7, price * 1.5, np.full(count, 1 / count), None, written.prices)
    page = cards.card("Fine-tuned", "", found, filled=True)
    assert re.findall(r"<span style=[^>]*>([^<]*)</span>", page) == named
    assert f'<p class="pricelab-price">{cards.usd(price)}</p>' in page and "$0<" not in page
    places = [float(x) for x in re.findall(r"[ML](\d+\.\d) ", page)]
    assert min(places) >= 0 and max(places) <= cards.CHART_WIDTH


class Pricer:
    """Answers every text with the same estimate, or fails; remembers what it was asked."""

    def __init__(self, answer=None, failure=None, name="small base + adapter"):
        self.answer, self.failure, self.name, self.asked = answer or estimate(), failure, name, []

    @property
    def untuned(self):
        return Pricer(estimate(240.0), self.failure)

    def estimate(self, text):
        self.asked.append(text)
        if self.failure:
            raise self.failure
        return self.answer


class Page(html.parser.HTMLParser):
    """Elements, attribute names and text of an HTML page, as a browser would see them."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.attributes, self.text = set(), set(), ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data):
        self.text += data


OUR_ELEMENTS = {"div", "p", "bdi", "section", "svg", "path", "span", "strong"}


def press(predictor, button):
    """Click a button and wait until the work that it starts has ended."""
    button.click()
    assert predictor.work.wait(10)


# ---- state


def test_an_answer_is_kept_with_the_untuned_one():
    state = PredictorState(Pricer())
    state.ask(DRILL)
    assert (state.status, state.text, state.error) == ("answered", DRILL, "")
    assert state.answer is state.pricer.answer and state.untuned.estimate == 240


def test_the_fine_tuned_answer_stands_there_while_the_base_is_still_asked():
    predictor, seen = PricePredictor(Pricer()), []
    refresh = predictor.state.on_change
    predictor.state.on_change = lambda: (refresh(), seen.append(Page(predictor.result.value).text))
    predictor.ask(DRILL)
    assert "Estimating…" in seen[0] and "$89" not in seen[0]
    assert "$89" in seen[1] and "Untuned base, for comparisonEstimating…" in seen[1]
    assert "$89" in seen[2] and "$240" in seen[2] and "Estimating…" not in seen[2]


def test_cancel_while_only_the_base_is_still_asked_keeps_the_answer():
    pricer, state = Pricer(), PredictorState(Pricer())
    asked, go_on = threading.Event(), threading.Event()
    base = SimpleNamespace(estimate=lambda text: (asked.set(), go_on.wait(10), estimate(240.0))[-1])
    state.pricer = SimpleNamespace(estimate=pricer.estimate, untuned=base, name="two")
    assert state.start(DRILL) and asked.wait(10) and state.answer.estimate == 89 and state.status == "estimating"
    assert state.cancel()
    go_on.set()
    assert state.work.wait(10)
    assert (state.status, state.answer.estimate, state.untuned) == ("answered", 89.0, None)
    assert len(state.history.entries) == 1


def test_without_comparison_the_untuned_base_is_not_asked():
    state = PredictorState(Pricer(), compare=False)
    state.ask(DRILL)
    assert state.untuned is None and state.status == "answered"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("  \n\t", "is empty"),
        (None, "is empty"),
        ("x" * 20_001, "20,001 characters, at most 20,000"),
    ],
)
def test_a_text_that_cannot_be_priced_is_refused_before_the_model(text, words):
    state = PredictorState(Pricer())
    state.ask(text)
    assert state.status == "failed" and words in state.error
    assert state.answer is None and state.pricer.asked == []


def test_the_longest_text_is_still_priced():
    state = PredictorState(Pricer())
    state.ask("x" * MAX_CHARACTERS)
    assert state.status == "answered"


@pytest.mark.parametrize(
    ("pricer", "words"),
    [
        (Pricer(failure=RuntimeError("out of memory")), "out of memory"),
        (Pricer(failure=KeyError()), "KeyError"),
        (Pricer(estimate(float("nan"), "nothing to price here")), "nothing to price here"),
        (Pricer(estimate(float("nan"))), "no price"),
    ],
)
def test_a_failure_is_told_in_words_and_never_as_a_price(pricer, words):
    state = PredictorState(pricer)
    state.ask(DRILL)
    assert state.status == "failed" and words in state.error and state.answer is None
    assert "Traceback" not in state.error and "$" not in state.error


def test_an_earlier_answer_does_not_outlive_a_failure():
    state = PredictorState(Pricer())
    state.ask(DRILL)
    state.ask("")
    assert state.answer is None and state.untuned is None
    state.ask(DRILL)
    assert state.error == "" and state.answer is not None


def test_an_interrupt_passes_through_and_leaves_the_form_usable():
    state = PredictorState(Pricer(failure=KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        state.ask(DRILL)
    assert state.status == "failed" and "stopped" in state.error


def test_one_question_at_a_time():
    busy, most = [], []

    def slow(text):
        busy.append(text)
        most.append(len(busy))
        time.sleep(0.02)
        busy.remove(text)
        return estimate()

    state = PredictorState(SimpleNamespace(estimate=slow, name="slow"), compare=False)
    threads = [threading.Thread(target=state.ask, args=(f"item {k}",)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1] and state.status == "answered"


# ---- view


def test_the_form_is_busy_while_it_estimates():
    seen = []
    pricer = Pricer()
    predictor = PricePredictor(pricer)

    def slow(text):
        seen.append((predictor.button.disabled, predictor.button.description, predictor.result.value))
        return estimate()

    pricer.estimate = slow
    predictor.box.value = DRILL
    press(predictor, predictor.button)
    [(disabled, words, page)] = seen
    assert disabled and words == "Estimating…" and "Estimating…" in page
    assert not predictor.button.disabled and predictor.button.description == "Estimate price"
    assert all(not button.disabled for button in predictor.examples)


def test_price_interval_and_both_models_stand_on_the_page():
    predictor = PricePredictor(Pricer())
    predictor.ask(DRILL)
    text = Page(predictor.result.value).text
    assert "$89" in text and "80 % likely between $62 and $134" in text and "$240" in text
    assert "Fine-tuned (small base + adapter)" in text and "Untuned base" in text
    assert predictor.result.value.count("<svg") == 2
    assert predictor.box.value == DRILL


def test_a_warning_stands_beside_the_price():
    predictor = PricePredictor(Pricer(estimate(warning="cut after 200 tokens")), compare=False)
    predictor.ask(DRILL)
    assert "Warning: cut after 200 tokens" in Page(predictor.result.value).text


def test_an_untuned_base_without_a_price_shows_no_number():
    page = cards.result("x", estimate(), untuned=estimate(float("nan"), "no digits"))
    assert "no price" in page and "$nan" not in page and "no digits" in page and page.count("<svg") == 1


def test_an_error_stands_inline_and_is_announced():
    predictor = PricePredictor(Pricer())
    press(predictor, predictor.button)
    assert 'role="alert"' in predictor.result.value and "is empty" in predictor.result.value


def test_an_example_fills_the_box_and_asks():
    predictor = PricePredictor(Pricer(), examples={"Pens": "Ballpoint pens, pack of 12"})
    [pens] = predictor.examples
    press(predictor, pens)
    assert predictor.box.value == predictor.state.text == "Ballpoint pens, pack of 12"


def test_examples_without_labels_get_their_first_line():
    hose = "Garden hose, 20 m\nwith fittings"
    assert by_category([hose]) == {"": {"Garden hose, 20 m": hose}}
    assert PricePredictor(Pricer(), examples=[]).examples == []


def test_examples_come_by_category():
    predictor = PricePredictor(Pricer())
    assert list(predictor.category.options) == list(EXAMPLES) and len(EXAMPLES) >= 4
    for category, group in EXAMPLES.items():
        predictor.category.value = category
        there = [button for button in predictor.examples if button.layout.display != "none"]
        assert [button.description for button in there] == list(group)
        press(predictor, there[-1])
        assert predictor.state.text == list(group.values())[-1] and predictor.state.status == "answered"


def test_the_button_follows_the_box_in_tab_order():
    predictor = PricePredictor(Pricer())
    order = [widget for widget in leaves(predictor.view) if isinstance(widget, ipywidgets.Button | ipywidgets.Textarea)]
    assert order[:3] == [predictor.box, predictor.button, predictor.cancel]
    assert order[3 : 3 + len(predictor.examples)] == predictor.examples


@pytest.mark.parametrize("act", ["type", "click"])
def test_whatever_happens_the_kernel_writes_to_box_and_buttons_alike(monkeypatch, act):
    predictor, written = PricePredictor(Pricer()), set()
    monkeypatch.setattr(ipywidgets.Widget, "send_state", lambda self, key=None: written.add(self))
    if act == "type":
        predictor.box.value = "a kettle"
    else:
        press(predictor, predictor.button)
    assert {predictor.box, predictor.button, predictor.cancel, *predictor.examples} <= written


def test_nothing_but_core_widgets_is_used():
    for widget in leaves(PricePredictor(Pricer()).view):
        assert widget._model_module == "@jupyter-widgets/controls"


def test_no_width_is_fixed_in_pixels():
    assert not re.search(r"(?<!max-)width: ?\d+px", cards.STYLE)
    assert all("px" not in (leaf.layout.width or "") for leaf in leaves(PricePredictor(Pricer()).view))


def test_the_display_holds_the_widget_and_words_for_where_it_does_not_run():
    predictor = PricePredictor(Pricer())
    bundle = predictor._repr_mimebundle_()
    predictor.ask(DRILL)
    before, after = bundle["text/plain"], predictor._repr_mimebundle_()["text/plain"]
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == predictor.view.model_id
    assert "JupyterLab or Colab" in before and "$" not in before
    assert "Cordless drill driver kit" in after and "$89, 80 % likely between" in after


def test_the_display_holds_the_answer_as_plain_html_too():
    predictor = PricePredictor(Pricer())
    predictor.ask("<script>alert(1)</script> drill")
    page = predictor._repr_mimebundle_(include=None, exclude=None)["text/html"]
    text = Page(page).text
    assert "<script>alert(1)</script> drill" in text and "$89" in text and "80 % likely between $62 and $134" in text
    assert Page(page).elements <= OUR_ELEMENTS | {"style"}
    assert not re.search(r">[^<$]*\$[^<]+\$", page)  # no two dollar signs in one piece of text: no formula


def test_where_the_fallback_might_hide_the_widget_there_is_none(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    assert "text/html" not in PricePredictor(Pricer())._repr_mimebundle_()


def test_ipython_shows_the_bundle_and_writes_nothing_else():
    from IPython.core.interactiveshell import InteractiveShell

    data, _ = InteractiveShell.instance().display_formatter.format(PricePredictor(Pricer()))
    assert set(data) == {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}


# ---- text from outside

HOSTILE = [
    "<script>window.hit = 1</script>",
    "<img src=x onerror='window.hit = 1'>",
    "<svg onload=alert(1)>",
    "</bdi></p></div><iframe src=javascript:alert(1)>",
    '" onmouseover="alert(1)',
    "&lt;script&gt; &amp; &#60;b&#62;",
    "[x](javascript:alert(1)) $\\href{javascript:alert(1)}{x}$",
    "\u202egnp.exe\u202c שלום",
    "<!-- <b>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text_wherever_it_comes_from(text):
    pages = [
        cards.result(text, estimate(warning=text), estimate(warning=text), name=text),
        cards.error(text),
        cards.note(text),
    ]
    for page in map(Page, pages):
        assert text in page.text
        assert page.elements <= OUR_ELEMENTS
        assert not [name for name in page.attributes if name.startswith("on") or name in ("href", "src")]


@given(st.text(max_size=200))
def test_any_text_leaves_the_page_as_it_was_built(text):
    page = Page(cards.error(text))
    assert page.elements <= OUR_ELEMENTS and not re.search(r"[\x00-\x08\x0b-\x1f\ud800-\udfff]", page.text)


def test_control_characters_become_visible():
    assert cards.shown("a\x00b\ud800") == "a␀b\ufffd"


def test_a_long_description_is_repeated_in_part():
    page = Page(cards.result("x" * 5000, estimate()))
    assert "x" * cards.ECHO_CHARACTERS + "…" in page.text and "x" * 161 not in page.text


@pytest.mark.parametrize("price", [0.4, 1.0, 999.0, 5000.0])
def test_a_chart_stays_within_its_frame(price):
    numbers = re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", cards.chart(estimate(price), filled=True))
    assert numbers
    for x, y in numbers:
        assert 0 <= float(x) <= cards.CHART_WIDTH and 0 <= float(y) <= cards.CHART_HEIGHT
