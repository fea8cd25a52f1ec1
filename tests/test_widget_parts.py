"""The parts below the predictor's answer, without a browser: similar items, what if, the session's history."""

import csv
import io
import threading
from datetime import datetime
from types import SimpleNamespace

import numpy as np
import pytest
from pages import Page, leaves

from pricelab import edits, why
from pricelab.estimates import PriceEstimate
from pricelab.files import data_dir
from pricelab.intervals import quantile
from pricelab.items import Item
from pricelab.pricer import Pricer as RealPricer
from pricelab.widgets import PricePredictor
from pricelab.widgets.predictor_history import COLUMNS, SHOWN_ENTRIES, History, page
from pricelab.widgets.predictor_similar import SimilarState, known_items
from pricelab.widgets.predictor_what_if import MOST_CHARACTERS, WhatIfState

EVIL = "<img src=x onerror=alert(1)> =cmd|' /C calc'!A0"
DRILL = "Boltrum Drill, 18 V\nHose 2 m. Refurbished."
ITEMS = [
    Item("1", "Boltrum Drill, 20 V", 80.0, brand="Boltrum", category="tools"),
    Item("2", "Kestrow Saw", 60.0, brand="Kestrow", category="tools"),
    Item("3", "Kestrow Grinder", 70.0, brand="Kestrow", category="tools"),
    Item("4", f"Lamp {EVIL}", 20.0, brand="Lumo", category="lighting"),
]


class Pricer:
    """A text costs as many dollars as it has characters, half if it is refurbished; remembers what it was asked."""

    name, ridge, manifest, untuned = "by length", None, None, property(lambda self: self)

    def __init__(self):
        self.asked = []

    def estimate(self, what):
        if not isinstance(what, str):
            return [self.estimate(text) for text in what]
        self.asked.append(what)
        price = len(what) / (2 if "refurbished" in what.lower() else 1)
        distribution = np.zeros(999)
        distribution[round(price) - 1] = 1
        return PriceEstimate(price, price, price, distribution, None)


@pytest.fixture
def nearest(monkeypatch):
    """Similarity without hidden states: the items in their order."""
    found = [why.Neighbour(item, 0.9) for item in ITEMS]
    monkeypatch.setattr(why, "nearest", lambda pricer, text, items, count=5: found[: len(items)])


@pytest.fixture
def predictor(nearest):
    predictor = PricePredictor(Pricer(), items=ITEMS)
    predictor.ask(DRILL)
    return predictor


def part(predictor, title):
    return next(part for part in predictor.parts if part.title.startswith(title))


def opened(predictor, title):
    found = part(predictor, title)
    predictor.part_buttons[predictor.parts.index(found)].click()
    assert predictor.work.wait(10)
    return found


def press(predictor, button):
    button.click()
    assert predictor.work.wait(10)


# ---- parts in general


def test_one_part_is_open_at_a_time_and_says_so_in_words(predictor):
    for title in ("Similar", "What if", "History"):
        found = opened(predictor, title)
        shown = [p for p in predictor.parts if p.view.layout.display != "none"]
        assert shown == [found]
        marks = [button.description[0] for button in predictor.part_buttons]
        assert marks.count("▾") == 1 and marks.index("▾") == predictor.parts.index(found)
    opened(predictor, "History")  # a second press closes it
    assert all(p.view.layout.display == "none" and not p.result.value for p in predictor.parts)


def test_nothing_is_read_before_it_is_asked_for(predictor, monkeypatch):
    monkeypatch.setattr(why, "nearest", lambda *_: pytest.fail("read"))
    asked = len(predictor.state.pricer.asked)
    for title in ("What if", "A whole", "History"):
        opened(predictor, title)
    predictor.ask("kettle")
    assert predictor.state.pricer.asked[asked:] == ["kettle", "kettle"]  # the model and the untuned one


def test_before_an_answer_each_part_says_what_it_is_for():
    predictor = PricePredictor(Pricer(), items=ITEMS)
    for title in ("Similar", "What if"):
        assert "Estimate a price first" in opened(predictor, title).result.value
        assert part(predictor, title).start.button.disabled
    assert "Nothing asked yet" in opened(predictor, "History").result.value


def test_every_control_has_words_and_none_a_width_in_pixels(predictor):
    for leaf in leaves(predictor.view):
        assert leaf._model_module == "@jupyter-widgets/controls" and "px" not in (leaf.layout.width or "")
        if leaf._view_name not in ("HTMLView", "ProgressView", "LabelView"):
            assert leaf.description, leaf


# ---- similar items


def test_similar_items_stand_with_their_prices_and_nothing_of_them_runs(predictor):
    shown = Page(opened(predictor, "Similar").result.value)
    assert "Boltrum Drill, 20 V" in shown.text and "$80" in shown.text and "0.90" in shown.text
    assert EVIL in shown.text and "img" not in {tag for tag, _ in shown.elements}


def test_a_new_answer_makes_what_was_found_old(predictor):
    similar = opened(predictor, "Similar")
    predictor.ask("kettle")
    assert predictor.similar.status == "ready" and "$80" not in similar.result.value
    press(predictor, similar.start.button)
    assert predictor.similar.status == "found" and "kettle" in similar.result.value


def test_a_pricer_without_items_says_so_in_words(nearest):
    predictor = PricePredictor(Pricer())
    predictor.ask(DRILL)
    shown = opened(predictor, "Similar").result.value
    assert "knows no items" in shown and 'items=catalog["train"]' in Page(shown).text and "<table" not in shown


def test_a_pricer_of_the_workshop_catalog_finds_its_items_by_itself():
    from pricelab import load_catalog

    catalog = load_catalog()
    made = SimpleNamespace(manifest=SimpleNamespace(data={"fingerprint": catalog.fingerprint}))
    assert known_items(made) == catalog["train"]
    assert known_items(SimpleNamespace(manifest=SimpleNamespace(data={"fingerprint": "other"}))) == ()
    assert known_items(SimpleNamespace()) == ()


def test_a_failure_of_the_search_is_told_in_words(monkeypatch):
    state = SimilarState(Pricer(), ITEMS, text=DRILL)
    monkeypatch.setattr(why, "nearest", lambda *_: 1 / 0)
    state.find()
    assert state.status == "failed" and "division by zero" in state.error


def test_a_search_can_be_cancelled(monkeypatch):
    begun, release = threading.Event(), threading.Event()

    def slow(pricer, text, items, count=5):
        begun.set()
        assert release.wait(10)
        return [why.Neighbour(ITEMS[0], 0.9)]

    monkeypatch.setattr(why, "nearest", slow)
    predictor = PricePredictor(Pricer(), items=ITEMS)
    predictor.ask(DRILL)
    found = part(predictor, "Similar")
    predictor.show(found)
    assert begun.wait(10) and found.start.cancel.layout.display != "none"
    assert predictor.button.disabled and predictor.cancel.layout.display == "none"
    found.start.cancel.click()
    release.set()
    assert predictor.work.wait(10) and predictor.similar.status == "cancelled" and predictor.similar.found == ()
    assert "Cancelled" in found.result.value and not predictor.button.disabled


# ---- what if


def test_the_fields_say_what_the_text_has_and_offer_others(predictor):
    form = opened(predictor, "What if")
    assert form.brand.description == "Brand (Boltrum now)" and form.brand.options == ("Kestrow",)
    assert form.size.description == "Size (2 now)" and form.size.options == ("1", "4")
    assert form.condition.description == "Condition (Refurbished now)"
    predictor.ask("kettle")
    assert "none" in form.brand.description and "none" in form.size.description and form.size.options == ()


def test_a_change_is_shown_as_a_difference_in_dollars_beside_the_noise(predictor):
    form = opened(predictor, "What if")
    form.condition.value = "used"
    press(predictor, form.start.button)
    before, after = len(DRILL) / 2, len(DRILL.replace("Refurbished", "Used"))
    found = predictor.what_if.found
    assert found.price == pytest.approx(before, abs=1) and found.changes[0].price == pytest.approx(after, abs=1)
    text = Page(form.result.value).text
    assert found.changes[0].difference == pytest.approx(after - before, abs=1)
    assert why.signed(found.changes[0].difference) in text and "mere rewording" in text and "Used." in text
    assert [c.name for c in found.changes] == ["used"]


def test_several_changes_stand_alone_and_together(predictor):
    form = opened(predictor, "What if")
    form.brand.value, form.size.value, form.condition.value = "Kestrow", "4", "brand new"
    press(predictor, form.start.button)
    names = [change.name for change in predictor.what_if.found.changes]
    assert names == ["brand Kestrow", "size 4", "brand new", "all of it"]
    assert predictor.what_if.found.changes[-1].text == "Kestrow Drill, 18 V\nHose 4 m. Brand new."


@pytest.mark.parametrize(
    ("text", "settings", "words"),
    [
        (DRILL, {}, "nothing is changed"),
        (DRILL, {"brand": "Boltrum"}, "nothing is changed"),
        (DRILL, {"brand": "x" * (MOST_CHARACTERS + 1)}, "61 characters; give at most 60"),
        ("lamp", {"size": "3"}, "names no size"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_in_words(text, settings, words):
    state = WhatIfState(Pricer(), lambda: ITEMS, text=text, **settings)
    state.compare()
    assert state.status == "failed" and words in state.error and state.pricer.asked == []


def test_a_brand_that_the_text_lacks_comes_in_front():
    state = WhatIfState(Pricer(), tuple, text="lamp", brand="Lumo")
    assert state.changes() == {"brand Lumo": "Lumo lamp"}


def test_a_hostile_brand_stays_text(predictor):
    form = opened(predictor, "What if")
    form.brand.value = EVIL[:50]
    press(predictor, form.start.button)
    shown = Page(form.result.value)
    assert EVIL[:50] in shown.text and "img" not in {tag for tag, _ in shown.elements}


@pytest.mark.parametrize("text", [DRILL, "Lamp, used", "Open-box TV 2 m", "NEW. Kettle 1.7 l", "plain"])
def test_the_parts_of_a_text_agree_with_the_changes_that_notebooks_show(text):
    brands = [item.brand for item in ITEMS]
    for name, changed in edits.changes(text, brands).items():
        if name in edits.CONDITIONS:
            assert changed == edits.with_condition(text, name)
        elif name.startswith("brand "):
            assert changed == edits.with_brand(text, edits.brand_in(text, brands), name.removeprefix("brand "))
        else:
            assert changed == edits.with_size(text, name.split("→ ")[1].rstrip(")"))


def test_the_shipped_predictor_finds_its_items_and_compares():
    pricer = RealPricer.load(data_dir() / "adapters" / "tiny")
    predictor = PricePredictor(pricer, compare=False)
    predictor.ask("Ironpike Brushed Drill Driver, 24V\nCable 2 m. New.")
    predictor.similar.find()
    assert "Drill" in predictor.similar.found[0].item.title and len(predictor.similar.found) == why.NEIGHBOURS
    form = part(predictor, "What if")
    predictor.show(form)
    assert form.brand.description == "Brand (Ironpike now)" and len(form.brand.options) > 5
    form.condition.value = "used"
    press(predictor, form.start.button)
    [change] = predictor.what_if.found.changes
    assert change.low <= change.difference <= change.high and predictor.what_if.found.noise > 0
    direct = quantile(pricer.estimate([predictor.state.text, change.text])[1].distribution[None], 0.5)[0]
    assert change.price == pytest.approx(direct, rel=0.02)


# ---- history


def test_every_answer_stands_in_the_history_the_newest_first(predictor):
    predictor.ask("kettle")
    predictor.ask("x" * 20_001)
    predictor.ask("   ")  # nothing was asked
    shown = Page(opened(predictor, "History").result.value).text
    assert "3 answers" in shown and shown.index("no price") < shown.index("kettle") < shown.index("Boltrum")
    assert "at most 20,000 are read" in shown


def test_the_export_holds_all_and_runs_nothing_in_a_spreadsheet():
    history = History(now=lambda: datetime(2026, 11, 25, 3, 4, 5))
    answer = SimpleNamespace(estimate=12.345, low=9.0, high=20.0, warning="cut\nshort")
    for text in (EVIL, "=1+1", 'שלום 🎉, "quoted"', "line\nbreak"):
        history.add(text, answer, SimpleNamespace(estimate=40.0))
    history.add("none", None, None, "no price")
    rows = list(csv.reader(io.StringIO(history.csv())))
    assert tuple(rows[0]) == COLUMNS and len(rows) == 6
    assert rows[1] == ["2026-11-25 03:04:05", EVIL, "12.35", "9.0", "20.0", "40.0", "cut\nshort"]
    assert rows[2][1] == "'=1+1" and rows[3][1] == 'שלום 🎉, "quoted"' and rows[4][1] == "line\nbreak"
    assert rows[5] == ["2026-11-25 03:04:05", "none", "", "", "", "", "no price"]


def test_a_long_history_shows_the_newest_and_exports_all():
    history = History()
    for number in range(SHOWN_ENTRIES + 5):
        history.add(f"item {number}", None, None, "none")
    shown = page(history)
    assert shown.count("<tr>") == SHOWN_ENTRIES + 1 and "item 24" in shown and "item 4<" not in shown
    assert len(history.csv().splitlines()) == SHOWN_ENTRIES + 6


def test_the_history_can_be_cleared(predictor):
    form = opened(predictor, "History")
    form.clear.click()
    assert predictor.history.entries == [] and "Nothing asked yet" in form.result.value


def test_half_a_character_does_not_break_the_export():
    history = History()
    history.add("a\ud800b", None, None, "none")
    assert "download=" in page(history)
