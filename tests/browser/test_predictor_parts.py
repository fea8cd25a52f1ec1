"""The parts of the price predictor in JupyterLab, in a real browser: cancel, what if, a priced file, the history."""

import csv
import io

import pytest
from axe_check import violations
from playwright.sync_api import expect
from predictor_parts import NAMES, close_parts, open_part, part_button, saved, upload

pytestmark = pytest.mark.browser

DRILL = "Cordless drill driver kit, 2 m cable. New."  # 42 characters: the fake pricer says $82
SHOP = (
    "title,description,stock\n"
    'Drill,"18 V, two batteries",3\n'
    ",,1\n"
    "<img src=x onerror='window.hit = 1'>,=cmd|' /C calc'!A0,-5\n"
)

# All elements at once: one that is there for a moment, such as a Cancel, can't be gone before it is measured
TOO_WIDE = "all => all.filter(e => e.clientWidth && e.scrollWidth > e.clientWidth).map(e => e.outerHTML.slice(0, 200))"
BOXES = "all => all.map(e => e.getBoundingClientRect()).map(box => [box.height, box.right])"


@pytest.fixture(autouse=True)
def calm(lab):
    """Every test starts from an inline error with all parts closed, and must end without a dialog."""
    lab.dialogs.clear()
    lab.page.evaluate("delete window.hit")
    lab.resize(1280)
    close_parts(lab)
    lab.ask("", shows="is empty")
    yield
    close_parts(lab)
    assert lab.dialogs == [] and lab.page.evaluate("window.hit === undefined")


@pytest.fixture
def gate(tmp_path):
    """A file that lets the fake pricer go on, once `touch` makes it; at the latest after the test."""
    gate = tmp_path / "gate"
    yield gate
    gate.touch()


# ---- cancel


def test_cancel_gets_through_while_an_estimate_is_under_way(lab, gate):
    cancel = lab.form.locator(".pricelab-cancel:visible")
    assert cancel.count() == 0
    lab.box.fill(f"wait for {gate}")
    lab.button.click()
    cancel.click()
    lab.result.filter(has_text="Cancelled; nothing was priced").wait_for(timeout=10_000)
    expect(lab.button).to_be_enabled()
    assert cancel.count() == 0 and "$" not in lab.result.inner_text()
    gate.touch()


def test_while_one_is_under_way_no_other_begins(lab, gate):
    lab.box.fill(f"wait for {gate}")
    lab.button.click()
    lab.form.locator(".pricelab-cancel:visible").wait_for()
    expect(lab.form.locator(".pricelab-examples button:visible").first).to_be_disabled()
    expect(lab.form.locator(".pricelab-ask").first).to_be_disabled()
    lab.form.locator(".pricelab-cancel:visible").click()
    lab.result.filter(has_text="Cancelled").wait_for(timeout=10_000)
    gate.touch()
    lab.ask(DRILL, shows="$82")


# ---- examples


def test_examples_change_with_their_category(lab):
    lab.form.get_by_label("Examples").select_option("office and computers")
    lab.form.get_by_role("button", name="Ballpoint pens").click()
    lab.result.filter(has_text="“Ballpoint pens, medium tip").wait_for()
    lab.form.get_by_label("Examples").select_option("tools")
    lab.form.get_by_role("button", name="Cordless drill driver kit").wait_for()


# ---- similar items


def test_a_pricer_without_items_says_so_in_words(lab):
    lab.ask(DRILL, shows="$82")
    part = open_part(lab, "Similar items")
    part.locator(".pricelab-out").filter(has_text="knows no items").wait_for(timeout=10_000)


# ---- what if


def test_a_change_shows_its_difference_and_the_noise(lab):
    lab.ask(DRILL, shows="$82")
    part = open_part(lab, "What if")
    part.get_by_label("Brand").fill("Makita")
    part.get_by_label("Condition").select_option("refurbished")
    part.get_by_role("button", name="Show the difference").click()
    part.locator(".pricelab-change").filter(has_text="→").wait_for(timeout=10_000)
    shown = part.inner_text()
    assert "“Makita Cordless drill driver kit, 2 m cable. Refurbished.”" in shown
    assert "+$15" in part.locator(".pricelab-change").inner_text()  # 7 and 8 characters more
    assert "mere rewording" in shown and part.locator("tbody tr").count() == 3


def test_before_a_price_there_is_nothing_to_change(lab):
    part = open_part(lab, "What if")
    part.locator(".pricelab-out").filter(has_text="Estimate a price first").wait_for(timeout=10_000)
    assert part.get_by_label("Brand").count() == 0 or not part.get_by_label("Brand").is_visible()


def test_a_change_that_makes_no_sense_is_refused_in_place(lab):
    lab.ask("plain lamp", shows="$50")
    part = open_part(lab, "What if")
    part.get_by_label("Size").fill("3")
    part.get_by_role("button", name="Show the difference").click()
    part.get_by_role("alert").filter(has_text="names no size").wait_for(timeout=10_000)


# ---- a whole file


def test_a_csv_is_priced_and_downloaded(lab):
    part = open_part(lab, "A whole file")
    upload(lab, part, "shop.csv", SHOP)
    part.get_by_role("button", name="Price 3 rows").click()
    part.locator(".pricelab-out").filter(has_text="3 rows, 2 with a price, 1 without").wait_for(timeout=10_000)
    text, name = saved(lab, part.get_by_role("link", name="Download shop-priced.csv"))
    rows = list(csv.reader(io.StringIO(text)))
    assert name == "shop-priced.csv"
    assert rows[0] == [
        "title",
        "description",
        "stock",
        "estimate",
        "low",
        "high",
        "warning",
    ]
    assert rows[1][:4] == ["Drill", "18 V, two batteries", "3", "65.0"]
    assert rows[2][3:6] == ["", "", ""] and "empty" in rows[2][6]
    assert rows[3][:3] == ["<img src=x onerror='window.hit = 1'>", "'=cmd|' /C calc'!A0", "-5"]
    assert float(rows[3][3]) > 1
    assert "<img src=x onerror='window.hit = 1'>" in part.inner_text() and part.locator("img").count() == 0


def test_a_bad_file_is_refused_in_words_and_the_next_one_taken(lab):
    part = open_part(lab, "A whole file")
    upload(lab, part, "shop.csv", "title,note\nDrill\n")
    part.get_by_role("alert").filter(has_text="row 2 has 1 cells and the header 2").wait_for(timeout=10_000)
    upload(lab, part, "shop.csv", "what,more\nDrill,18 V\n")
    part.locator(".pricelab-out").filter(has_text="Which column describes the product?").wait_for(timeout=10_000)
    part.get_by_label("Column with the description").select_option("what")
    part.get_by_role("button", name="Price 1 row").click()
    part.get_by_role("link", name="Download shop-priced.csv").wait_for(timeout=10_000)


def test_a_file_is_cancelled_on_the_way_and_keeps_every_row(lab, gate):
    part = open_part(lab, "A whole file")
    rows = [f"drill number {n}" for n in range(32)]
    rows[20] = f"wait for {gate}"
    upload(lab, part, "long.csv", "title\n" + "\n".join(rows) + "\n")
    part.get_by_role("button", name="Price 32 rows").click()
    part.locator(".pricelab-out").filter(has_text="16 of 32 rows priced").wait_for(timeout=10_000)
    part.locator(".pricelab-cancel").click()
    part.locator(".pricelab-out").filter(has_text="32 rows, 16 with a price, 16 without").wait_for(timeout=10_000)
    gate.touch()
    text, _ = saved(lab, part.get_by_role("link", name="Download long-priced.csv"))
    found = list(csv.DictReader(io.StringIO(text)))
    assert [row["title"] for row in found] == rows
    assert [row["estimate"] != "" for row in found] == [True] * 16 + [False] * 16


# ---- history


def test_the_history_is_exported(lab):
    lab.ask(DRILL, shows="$82")
    lab.ask("=1+1 שלום 🎉", shows="80 % likely")
    part = open_part(lab, "History")
    text, name = saved(lab, part.get_by_role("link", name="Download as CSV"))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert name == "price-history.csv"
    assert rows[-2]["description"] == DRILL and rows[-2]["estimate"] == "82.0" and rows[-2]["untuned base"]
    assert rows[-1]["description"] == "'=1+1 שלום 🎉"
    part.get_by_role("button", name="Clear the history").click()
    part.locator(".pricelab-out").filter(has_text="Nothing asked yet").wait_for(timeout=10_000)


# ---- all parts


def test_the_keyboard_alone_opens_changes_and_compares(lab):
    lab.ask(DRILL, shows="$82")
    part_button(lab, "What if").focus()
    lab.page.keyboard.press("Enter")
    part = lab.form.locator(".pricelab-what-if")
    part.wait_for(timeout=10_000)
    for _ in ("A whole file", "History", "Brand"):
        lab.page.keyboard.press("Tab")
    expect(part.get_by_label("Brand")).to_be_focused()
    lab.page.keyboard.type("Makita")
    for key in ("Tab", "Tab", "Tab", "Enter"):
        lab.page.keyboard.press(key)
    part.locator(".pricelab-change").filter(has_text="+$7").wait_for(timeout=10_000)


@pytest.mark.parametrize("width", [400, 550])  # a phone; a window of 1,100 pixels at 200 %
def test_every_part_fits_without_scrolling_sideways(lab, width):
    lab.ask(DRILL, shows="$82")
    lab.resize(width)
    for name in NAMES:
        part = open_part(lab, name)
        if name == "What if":
            part.get_by_label("Condition").select_option("used")
            part.get_by_role("button", name="Show the difference").click()
            part.locator(".pricelab-change").wait_for(timeout=10_000)
        if name == "Similar items":
            part.locator(".pricelab-out").filter(has_text="knows no items").wait_for(timeout=10_000)
        for inner in (lab.form, part, part.locator(".pricelab-out, .pricelab-out *, .pricelab-fields")):
            assert inner.evaluate_all(TOO_WIDE) == [], name
        boxes = part.locator("button:visible, select:visible, input:visible").evaluate_all(BOXES)
        # Large enough to hit, and in sight
        assert all(height >= 24 and right <= width for height, right in boxes), (name, boxes)
        assert boxes or name == "Similar items"


def test_axe_finds_no_serious_violation_in_any_part(lab):
    lab.ask(DRILL, shows="$82")
    for name in NAMES:
        part = open_part(lab, name)
        if name == "A whole file":
            upload(lab, part, "shop.csv", SHOP)
            part.get_by_role("button", name="Price 3 rows").click()
            part.get_by_role("link", name="Download shop-priced.csv").wait_for(timeout=10_000)
        assert violations(lab.page, ".jp-OutputArea") == [], name


def test_nothing_in_the_parts_is_without_a_name(lab):
    lab.ask(DRILL, shows="$82")
    for name in NAMES:
        part = open_part(lab, name)
        for role in ("button", "combobox", "textbox"):
            names = part.get_by_role(role).evaluate_all("all => all.map(c => (c.labels?.[0] ?? c).textContent.trim())")
            assert all(names), (name, role, names)
