"""Why this price: effects equal differences of estimates, neighbours are near, and nothing unescaped reaches HTML."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from drawing import renders, words
from pages import Page

from pricelab import edits
from pricelab.files import data_dir
from pricelab.intervals import quantile
from pricelab.items import Item
from pricelab.plots.why import change_effects, phrase_effects
from pricelab.pricer import Pricer
from pricelab.why import Change, Neighbour, Phrase, Why, explain, nearest, nearest_in_words, what_if

EVIL = "<script>alert(1)</script> & $5 or $6"


@pytest.fixture(scope="module")
def pricer():
    """The shipped adapter on the base `tiny`."""
    return Pricer.load(data_dir() / "adapters" / "tiny")


@pytest.fixture(scope="module")
def item(toy_catalog):
    return toy_catalog["test"][0]


@pytest.fixture(scope="module")
def why(pricer, item, toy_catalog):
    return explain(pricer, item.text, toy_catalog["train"], neighbours=3)


def median(pricer, text):
    return quantile(pricer.estimate(text).distribution[None], 0.5)[0]


def test_a_phrases_effect_is_the_difference_that_leaving_it_out_makes(pricer, item, why):
    assert why.price == pytest.approx(median(pricer, item.text), rel=0.02)
    assert [(p.start, p.end) for p in why.phrases] == edits.phrases(item.text) and len(why.phrases) >= 3
    for phrase in why.phrases[:2]:
        assert item.text[phrase.start : phrase.end] == phrase.text
        shorter = median(pricer, edits.without(item.text, (phrase.start, phrase.end)))
        assert phrase.effect == pytest.approx(why.price - shorter, abs=0.02 * why.price)
    assert any(abs(phrase.effect) > 0.01 for phrase in why.phrases) and why.noise > 0


def test_a_changes_interval_pairs_equal_quantiles(pricer, item):
    text = item.text + " Refurbished."
    (change,) = explain(pricer, item.text, changes={"refurbished": text}).changes
    before, after = (pricer.estimate(t).distribution[None] for t in (item.text, text))
    moved = [quantile(after, share)[0] - quantile(before, share)[0] for share in np.linspace(0.1, 0.9, 17)]
    near = {"abs": 0.03 * max(map(abs, moved)) + 0.3}
    assert (change.low, change.high) == pytest.approx((min(moved), max(moved)), **near)
    assert change.low <= change.difference <= change.high and change.text == text
    assert change.difference == pytest.approx(change.price - median(pricer, item.text), abs=0.5)


def test_a_change_that_changes_nothing_has_no_difference(pricer, item):
    (change,) = explain(pricer, item.text, changes={"the same": item.text}).changes
    assert max(map(abs, (change.difference, change.low, change.high))) < 0.5


def test_changes_come_from_the_neighbours_brands_and_the_text(why):
    names = " ".join(change.name for change in why.changes)
    assert "refurbished" in names and all(change.low <= change.high for change in why.changes)


def test_the_item_itself_is_its_nearest_neighbour_and_order_is_by_similarity(pricer, toy_catalog):
    items = toy_catalog["train"][:20]
    found = nearest(pricer, items[7].text, items, 5)
    assert found[0].item == items[7] and found[0].similarity == pytest.approx(1, abs=0.02)
    assert [n.similarity for n in found] == sorted((n.similarity for n in found), reverse=True) and len(found) == 5
    assert nearest(pricer, "lamp", [], 5) == []


def test_of_many_items_those_nearest_in_words_are_read(pricer, toy_catalog):
    items = toy_catalog["train"]
    assert nearest_in_words(pricer, items[9].text, items, 4)[0] == items[9]
    assert nearest_in_words(pricer, items[9].text, items[:3], 4) == list(items[:3])
    assert len(nearest_in_words(SimpleNamespace(ridge=None), "lamp", items, 4)) == len(items)


def test_one_phrase_alone_has_no_effect_to_show_and_no_text_no_price(pricer):
    found = explain(pricer, "lamp")
    assert found.phrases == () and found.neighbours == () and found.changes
    with pytest.raises(ValueError, match="no price to explain: the description is empty"):
        explain(pricer, "  ", [Item("1", "lamp", 5.0)])


def made(text=EVIL):
    return Why(
        text=text, estimate=SimpleNamespace(warning=text), price=40.0,
        neighbours=(Neighbour(Item("1", text, 12.5), 0.93),),
        phrases=(Phrase(text, 0, 9, 3.21), Phrase("in steel", 9, 17, -1.5)),
        changes=(Change(f"brand {text}", text, 44.0, 4.0, -1.0, 9.5),), noise=2.0,
    )  # fmt: skip


def test_everything_is_escaped_in_a_notebook_and_readable_in_a_terminal():
    page = Page(made()._repr_html_())
    assert "script" not in [tag for tag, _ in page.elements] and page.text.count(EVIL) == 4 and not page.open
    told = str(made())
    assert all(piece in told for piece in ("+$3.21", "−$1.50", "−$1.00 to +$9.50", "0.93", "$2", "Warning: "))
    assert repr(made()) == told


def test_figures_render_with_names_and_noise():
    assert renders(lambda: phrase_effects(made()), no_y_label=True)
    assert renders(lambda: change_effects(made()), no_y_label=True)
    told = words(phrase_effects(made("long words " * 20)))
    assert "…" in told and "in steel" in told and "mere rewording" in told and "lowers it" in told
    bars = phrase_effects(made()).axes[0].patches
    assert sorted(round(bar.get_width(), 2) for bar in bars) == [-1.5, 3.21, 4.0]  # the last: rewording, −2 to 2
    figure = change_effects(made())
    assert "how far the middle 80 % moves" in words(figure)
    assert [list(line.get_xdata()) for line in figure.axes[0].lines][1:] == [[-1.0, 9.5], [4.0]]


def test_an_item_without_changes_or_phrases_still_draws():
    from dataclasses import replace

    for draw in (phrase_effects, change_effects):
        assert renders(lambda draw=draw: draw(replace(made(), phrases=(), changes=())), no_y_label=True)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda pricer: explain(pricer, None), "expected a description as text, got NoneType"),
        (lambda pricer: what_if(pricer, 24, {}), "expected a description as text, got int"),
        (lambda pricer: what_if(pricer, "lamp", ["red lamp"]), "expected changes as name → changed text, got list"),
        (lambda pricer: explain(pricer, "lamp", neighbours=-1), "neighbours=-1 is no number of items"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_words(pricer, ask, words):
    with pytest.raises(ValueError, match=words):
        ask(pricer)


def test_neighbours_are_those_of_the_model_that_answers(pricer, toy_catalog):
    items = toy_catalog["train"][:40]
    blended = replace(pricer, blend=object(), read_out="blend")
    found = [
        [n.similarity for n in nearest(one, "Cordless drill", items, 40)] for one in (pricer, pricer.bare, blended)
    ]
    assert found[2] == found[1] != found[0]
