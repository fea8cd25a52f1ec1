"""The audit: what is planted is found, what is not there is not, and the offered fixes do what they say."""

from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricelab.audit import KINDS, Audit, audit
from pricelab.catalog import Catalog, Item, LoadReport, load_catalog
from pricelab.findings import title_head


@pytest.fixture(scope="module")
def workshop():
    return load_catalog("workshop")


@pytest.fixture(scope="module")
def few(workshop):
    """A small catalog without faults."""
    return replace(workshop, splits={split: items[:30] for split, items in workshop.splits.items()})


def planted(catalog, split, *items, at=None):
    """The catalog with items added to a split, or put in the place ``at``."""
    old = catalog[split]
    new = (*old, *items) if at is None else (*old[:at], *items, *old[at + 1 :])
    return replace(catalog, splits={**catalog.splits, split: new})


def kinds(found):
    return [finding.kind for finding in found.findings]


def test_the_workshop_catalog_has_no_fault_that_we_look_for(workshop):
    found = audit(workshop)
    assert found.findings == ()
    again, changes = found.fixed()
    assert again.splits == workshop.splits and len(changes) == 0 and str(changes) == "nothing was changed"


def test_a_test_item_in_train_is_found_whatever_its_case_punctuation_and_markup(few):
    text = few["test"][3].text
    for same in (text, text.upper(), f"<p>{text}</p>", f"“{text}” !"):
        found = audit(planted(few, "train", replace(few["test"][3], id="copy", text=same)))
        (finding,) = found["exact duplicate"]
        assert finding.items == (("train", "copy"), ("test", few["test"][3].id))
        assert finding.rows == (30, 3) and finding.splits == ("train", "test") and finding.fakes_score
        assert not found["near duplicate"]


def test_a_reworded_test_item_in_train_is_found_with_its_similarity(few):
    old = max(few["test"], key=lambda item: len(item.text))
    copy = replace(old, id="copy", text=f"{old.text} New!")
    (finding,) = audit(planted(few, "train", copy)).findings
    assert finding.kind == "near duplicate" and finding.fakes_score
    assert finding.items == (("train", "copy"), ("test", old.id))
    assert 0.8 <= finding.similarity < 1


@settings(deadline=None, max_examples=15)
@given(row=st.integers(0, 29), split=st.sampled_from(["validation", "calibration", "test", "test-unseen"]))
def test_every_planted_duplicate_is_found_and_fixed(few, row, split):
    old = few[split][row]
    faulty = planted(few, "train", replace(old, id="copy", text=old.text.lower(), family="", category=""))
    found = audit(faulty)
    assert [finding.items for finding in found["exact duplicate"]] == [(("train", "copy"), (split, old.id))]
    clean, changes = found.fixed()
    assert clean.splits == few.splits and [change[:2] for change in changes] == [("train", "copy")]


def test_duplicates_among_held_out_items_are_reported_and_stay(few):
    faulty = planted(few, "calibration", replace(few["test"][0], id="copy"))
    found = audit(faulty)
    (finding,) = found.findings
    assert finding.kind == "exact duplicate" and not finding.fakes_score
    assert found.fixed()[0].splits == faulty.splits


def test_repeats_within_train_are_told_apart_and_one_of_each_price_is_kept(few):
    first = few["train"][0]
    copies = [
        replace(first, id=name, price=price) for name, price in (("same", first.price), ("other", 1.5 * first.price))
    ]
    found = audit(planted(few, "train", *copies))
    (finding,) = found.findings
    assert finding.kind == "repeat in train" and not finding.fakes_score
    assert [identifier for _, identifier in finding.items] == [first.id, "same", "other"]
    kept = [item.id for item in found.fixed()[0]["train"]]
    assert "same" not in kept and {first.id, "other"} <= set(kept)


def test_a_price_in_the_text_is_found_in_every_split_and_cut_out(few):
    old = few["test"][5]
    faulty = planted(few, "test", replace(old, text=f"{old.text} Only ${old.price:.2f}!"), at=5)
    found = audit(faulty)
    (finding,) = found.findings
    assert finding.kind == "price in text" and finding.items == (("test", old.id),) and finding.fakes_score
    clean, changes = found.fixed()
    assert clean["test"][5].text == f"{old.text} Only!" and audit(clean).findings == ()
    assert faulty["test"][5].text.endswith(f"${old.price:.2f}!")  # the audited catalog stays as it was
    assert [change.split for change in changes] == ["test"]


def test_markup_is_stripped_from_text_and_title_and_hides_no_price(few):
    old = few["train"][4]
    text = f"<b>{old.text}</b> only &#36;<i>{old.price:.2f}</i>"
    found = audit(planted(few, "train", replace(old, title=f"<b>{old.title}</b>", text=text), at=4))
    assert kinds(found) == ["price in text", "markup"]
    clean, changes = found.fixed()
    assert "<" not in clean["train"][4].text and str(old.price) not in clean["train"][4].text
    assert clean["train"][4].title == old.title and len(changes) == 2


def test_what_a_mended_text_turns_out_to_be_is_looked_for_again(few):
    text = f"${few['test'][0].price:.2f}"
    bare = replace(few["train"][0], price=few["test"][0].price, text=text)
    clean, changes = audit(planted(few, "train", bare, at=0)).fixed()
    assert bare.id not in {item.id for item in clean["train"]}
    assert [change.what.partition(":")[0] for change in changes] == ["price in text", "empty text"]


def test_empty_texts_leave_train_only(few):
    faulty = planted(
        planted(few, "train", replace(few["train"][0], text=" -- "), at=0), "test", replace(few["test"][0], text="")
    )
    found = audit(faulty)
    assert kinds(found) == ["empty text"] * 2
    clean, _ = found.fixed()
    assert len(clean["train"]) == 29 and len(clean["test"]) == 31


def test_a_family_meant_to_be_unseen_is_found_in_train_and_leaves_it(few):
    stray = replace(few["test-unseen"][2], id="stray", text="something else entirely")
    found = audit(planted(few, "train", stray))
    (finding,) = found.findings
    assert finding.kind == "family in two splits" and finding.fakes_score and finding.quote == stray.family
    assert finding.items[0] == ("train", "stray") and ("test-unseen", few["test-unseen"][2].id) in finding.items
    assert found.fixed()[0].splits == few.splits


def test_families_that_a_file_does_not_name_are_guessed_from_titles_and_only_reported(few):
    def item(name, title):
        return Item(name, title, 9.99 + len(title), title=title, brand="Brennick")

    splits = {
        "train": (item("a", "Brennick Torque Wrench 40 Nm"), item("b", "Garden Hose - 20 m")),
        "test-unseen": (item("c", "Torque Wrench, by Brennick"), item("d", "Floor Lamp, LED")),
    }
    found = audit(replace(few, splits=splits))
    (finding,) = found.findings
    assert finding.kind == "family in two splits" and finding.items == (("train", "a"), ("test-unseen", "c"))
    assert not finding.fakes_score and found.fixed()[0].splits == splits


@pytest.mark.parametrize(
    "title, head",
    [
        ("Drill Driver, Steinbrecht, 24 V", "drill driver"),
        ("BRENNICK Glass Kettle 1.7 l with Filter", "glass kettle"),
        ("24 V | Cordless Drill", "cordless drill"),
        ("12 / 40", ""),
    ],
)
def test_the_head_of_a_title(title, head):
    assert title_head(Item("a", title, 1.0, title=title, brand="Brennick")) == head


def test_odd_prices_are_reported_and_never_fixed(few):
    odd = [replace(few["train"][row], price=0.01) for row in range(8)]
    faulty = replace(few, splits={**few.splits, "train": (*odd, *few["train"][8:])})
    found = audit(faulty)
    assert {finding.kind for finding in found.findings} == {"odd price"}
    assert found["odd price"][-1].items == tuple(("train", item.id) for item in odd)
    assert not any(finding.fakes_score for finding in found.findings)
    assert found.fixed()[0].splits == faulty.splits


def test_items_with_the_same_id_are_told_apart_by_their_place(few):
    twin = replace(few["train"][0], text="")  # an id may come twice in a file
    clean, _ = audit(planted(few, "train", twin)).fixed()
    assert clean["train"] == few["train"]


def test_it_shows_itself_as_a_table_that_escapes(few):
    faulty = planted(
        few, "test", replace(few["test"][0], text="<script>alert(1)</script> &amp; kettle", id="<i>"), at=0
    )
    found = audit(faulty)
    assert "1 findings, 0 of them fake a score" in str(found) and repr(found) == str(found)
    page = found._repr_html_()
    assert "<script>" not in page and "<i>" not in page and "&lt;script&gt;" in page
    assert all(kind in str(found) and kind in page for kind in KINDS) and KINDS["markup"].why in page
    changes = found.fixed()[1]
    assert "markup" in str(changes) and repr(changes) == str(changes) and "<script>" not in changes._repr_html_()


def test_an_empty_catalog_has_nothing_to_find():
    found = audit(Catalog("none", {}, LoadReport(0, 0)))
    assert found.findings == () and len(found.fixed()[1]) == 0
    assert "0 items" in str(found) and isinstance(found, Audit)


@pytest.mark.parametrize("wrong", [None, "workshop", [], {"train": ()}])
def test_what_is_no_catalog_is_refused(wrong):
    with pytest.raises(ValueError, match="takes a Catalog"):
        audit(wrong)


def test_an_unknown_kind_is_refused_with_the_known_ones(few):
    with pytest.raises(ValueError, match="no kind of finding 'leak'; there are exact duplicate"):
        audit(few)["leak"]


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_a_fixed_catalog_has_nothing_left_to_fix(few, data):
    listed = few["test"][0].text
    texts = st.text(alphabet="ab <p>&;$1.9\n", max_size=12) | st.sampled_from([listed, f"{listed} x"])
    item = st.builds(partial(Item, "x"), texts, st.sampled_from([1.99, 9.0, 199.99]))
    splits = {split: tuple(data.draw(st.lists(item, max_size=6), split)) for split in ("train", "calibration", "test")}
    clean, _ = audit(replace(few, splits=splits)).fixed()
    assert [len(clean[split]) for split in ("calibration", "test")] == [len(splits[s]) for s in ("calibration", "test")]
    left = audit(clean)
    assert not left["markup"] and not left["price in text"]
    for finding in left["repeat in train"]:  # a text may have several prices, but each of them once
        assert len({clean["train"][row].price for row in finding.rows}) == len(finding.rows)
    assert not any(finding.fakes_score for finding in left.findings)
    assert all("train" not in finding.splits for finding in left["empty text"])
