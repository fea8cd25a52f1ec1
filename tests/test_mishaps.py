"""Four more ways to go wrong: each is shown, and leaves nothing behind."""

import dataclasses
import re

import pytest

from pricelab import mishaps, prompt
from pricelab.pricer import Pricer


@pytest.fixture(scope="module")
def tuned(finetuned):
    return Pricer.load(finetuned["lora"].folder)


def test_a_rate_that_is_far_too_high_ends_with_the_librarys_own_words(toy_catalog):
    message = mishaps.explode(toy_catalog["train"][:8], rate=1e8)
    assert "lower the learning rate (it is 1e+08)" in message and "--" not in message


def test_the_rate_that_the_table_shows_makes_the_loss_rise(toy_catalog):
    told = mishaps.explode(toy_catalog["train"][:16])
    last, first = (float(number) for number in re.findall(r"[\d.]+(?:e[+-]?\d+)?", told))
    assert last > 2 * first


def test_a_rate_that_is_fine_is_told_by_its_losses(toy_catalog):
    assert mishaps.explode(toy_catalog["train"][:8], rate=1e-4).startswith("no error, but a loss of")


def test_another_prompt_gives_other_prices_and_the_contract_is_restored(tuned, toy_catalog):
    items, suffix = toy_catalog["test"][:6], prompt.SUFFIX
    right = mishaps.priced_with(tuned, items, suffix)
    wrong = mishaps.priced_with(tuned, items, mishaps.OTHER_SUFFIX)
    assert (right == mishaps._estimates(tuned, items)).all() and (right != wrong).any()
    assert suffix == prompt.SUFFIX


def test_the_contract_is_restored_after_an_error_too(toy_catalog):
    class Broken:
        def estimate(self, texts):
            raise RuntimeError

    suffix = prompt.SUFFIX
    with pytest.raises(RuntimeError):
        mishaps.priced_with(Broken(), toy_catalog["test"][:2], "?")
    assert suffix == prompt.SUFFIX


def test_a_model_taught_cheap_items_says_how_high_it_goes():
    from pricelab.catalog import load_catalog

    catalog = load_catalog("workshop")
    catalog = dataclasses.replace(catalog, splits={**catalog.splits, "train": catalog["train"][:400]})
    name, whole, narrow, n, note = mishaps.beyond_range(catalog)
    assert name == "prices beyond the training range" and n == str(mishaps.ITEMS)
    assert float(narrow.split()[0].strip("$")) > float(whole.split()[0].strip("$"))
    assert "taught below $100 says $" in note


def test_the_table_has_a_row_for_each_and_escapes_the_message(tuned, toy_catalog):
    from pricelab.catalog import load_catalog

    splits = {
        **load_catalog("workshop").splits,
        "test": toy_catalog["test"],
        "train": load_catalog("workshop")["train"][:200],
    }
    dear = tuple(item for item in load_catalog("workshop")["test"] if item.price > 200)[:4]
    splits |= {"test": (*toy_catalog["test"][:4], *dear), "test-unseen": splits["test-unseen"][:4]}
    table = mishaps.try_all(tuned, dataclasses.replace(toy_catalog, splits=splits))
    assert re.search(r"saves −?\$[\d.]+ \[.+, .+\] per item, n = 8$", table.rows[2][-1])
    assert len(table.rows) == 3 and all(len(row) == len(mishaps._HEADERS) for row in table.rows)
    assert re.search(r"^on unseen families more by −?\$[\d.]+ \[.+, .+\]$", table.rows[0][-1])
    told = "A learning rate of 1, for all weights of the base tiny, ends with: no error, but a loss of"
    assert told in str(table) and told in table._repr_html_()
