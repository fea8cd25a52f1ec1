"""A whole file in the predictor: every row keeps its place, none costs $0, mistakes are told in words, Cancel works."""

import base64
import codecs
import csv
import io
import re
import threading
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import Page

from pricelab.batch import ADDED_COLUMNS, predict_file
from pricelab.estimates import PriceEstimate
from pricelab.widgets import PricePredictor
from pricelab.widgets.predictor_batch import CHUNK, MAX_BYTES, BatchState
from pricelab.widgets.predictor_batch_tab import BatchTab, page
from pricelab.widgets.predictor_files import download_link, harmless, uploaded

HEAD = "title,description,stock\n"
SHOP = HEAD + 'Drill,"18 V, two batteries",3\nKettle,1.7 l,\n'


class Pricer:
    """A text costs as many dollars as it has characters; some texts fail."""

    name = identity = "by length"
    ridge, manifest, untuned = None, None, None

    def estimate(self, what, progress=False):
        if not isinstance(what, str):
            return [self.estimate(text) for text in what]
        if "explode" in what:
            raise RuntimeError("out of memory")
        price = float(len(what)) if what else float("nan")
        warning = None if what else "the description is empty: nothing to price"
        distribution = np.full(999, 1 / 999)
        return PriceEstimate(price, price, price, distribution, warning)


def loaded(content, name="shop.csv", pricer=None):
    state = BatchState(pricer or Pricer())
    state.load(name, content.encode() if isinstance(content, str) else content)
    return state


def priced(content, name="shop.csv"):
    state = loaded(content, name)
    assert state.error == ""
    state.price()
    assert state.status == "done", state.error
    return state.result


def rows_of(result, delimiter=","):
    return list(csv.reader(io.StringIO(result.content.decode("utf-8-sig")), delimiter=delimiter))


def test_a_file_comes_back_with_its_rows_columns_and_estimates():
    result = priced(SHOP)
    head, drill, kettle = rows_of(result)
    assert head == ["title", "description", "stock", *ADDED_COLUMNS] and result.name == "shop-priced.csv"
    assert drill == ["Drill", "18 V, two batteries", "3", "25.0", "25.0", "25.0", ""]
    assert kettle[:4] == ["Kettle", "1.7 l", "", "12.0"]
    assert (result.rows, result.without, result.formulas, result.finished) == (2, 0, 0, True)


def test_the_result_is_what_the_command_line_writes(tmp_path):
    (tmp_path / "in.csv").write_text(SHOP)
    predict_file(Pricer(), tmp_path / "in.csv", tmp_path / "out.csv", progress=False)
    assert priced(SHOP).content == (tmp_path / "out.csv").read_bytes()


def test_a_row_without_a_description_keeps_its_place_and_has_no_price():
    result = priced(HEAD + "Drill,x,1\n,,2\n   ,,3\n")
    assert [row[3] for row in rows_of(result)[1:]] == ["7.0", "", ""] and result.without == 2
    assert all("empty" in row[-1] for row in rows_of(result)[2:])


def test_a_row_that_the_model_fails_on_does_not_cost_the_others():
    result = priced(HEAD + "".join(f"{'explode' if n == 5 else 'item'},{n},\n" for n in range(CHUNK + 4)))
    found = rows_of(result)[1:]
    assert len(found) == CHUNK + 4 and result.without == 1
    assert found[5][3] == "" and "out of memory" in found[5][-1] and found[6][3] != ""


def test_formulas_get_an_apostrophe_and_numbers_none():
    result = priced(HEAD + "=cmd|' /C calc'!A0,@SUM(1),-5\n+1 555,-3.50,\"\t=1\"\n")
    first, second = (row[:3] for row in rows_of(result)[1:])
    assert first == ["'=cmd|' /C calc'!A0", "'@SUM(1)", "-5"] and second == ["+1 555", "-3.50", "'\t=1"]
    assert result.formulas == 3


@given(st.text(max_size=12))
def test_what_is_harmless_begins_with_nothing_that_runs(text):
    cell = harmless(text)
    assert cell in (text, f"'{text}") and harmless(cell) == cell
    begins = cell.lstrip()[:1]
    assert begins not in ("=", "@") and (begins not in ("+", "-") or any(map(str.isdigit, cell)))


@settings(max_examples=30)
@given(st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8), min_size=2,
                         max_size=2), min_size=1, max_size=40))  # fmt: skip
def test_no_row_is_lost_and_none_costs_nothing(rows):
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([["title", "note"], *rows])
    found = rows_of(priced(text.getvalue()))[1:]
    assert [row[:2] for row in found] == [[harmless(cell) for cell in row] for row in rows]
    assert all(row[2] == "" and row[5] or float(row[2]) >= 1 for row in found)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("shop.csv", b"", "empty"),
        ("shop.csv", b"title,price\n", "nothing below it"),
        ("shop.csv", b"\xff\xfe\x00t", "is not UTF-8"),
        ("shop.csv", b"PK\x03\x04rest", "save it as CSV"),
        ("shop.xlsx", b"PK\x03\x04rest", "save it as CSV"),
        ("shop.csv", b"title,note\nDrill\n", "row 2 has 1 cells and the header 2"),
        ("shop.csv", b'title,note\n"Drill,1\n', "the CSV breaks at line"),
        ("shop.csv", b"title,title\na,b\n", "'title' occurs more than once"),
        ("shop.csv", b"title,estimate\na,b\n", "already has the columns estimate"),
        ("shop.jsonl", b'{"title": 1\n', "line 1 is not a JSON object"),
        ("shop.parquet", b"PAR1nonsense", "can't be read as Parquet"),
        ("photo.png", b"\x89PNG", "photo.png is no .csv"),
        ("<script>alert(1)</script>", b"a", "<script>alert(1)</script> is no .csv"),
        ("../../etc/passwd", b"a", "is no .csv"),
        ("big.csv", b"x" * (MAX_BYTES + 1), "at most 8 MB"),
    ],
)
def test_a_file_that_cannot_be_priced_is_refused_in_words(name, content, words):
    state = loaded(content, name)
    shown = Page(page(state)).text
    assert state.status == "failed" and words in shown and name in shown
    assert "/tmp" not in shown and not state.start()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("shop.tsv", "title\tdescription\nDrill\t18 V\n"),
        ("shop.csv", "title;description\nDrill;18 V\n"),
        ("shop.jsonl", '{"title": "Drill", "description": "18 V"}\n'),
    ],
)
def test_other_formats_stay_what_they_are(name, content):
    result = priced(content, name)
    assert result.name == name.replace("shop", "shop-priced") and b"10.0" in result.content


def test_parquet_comes_back_as_parquet():
    import pyarrow as pa
    import pyarrow.parquet

    file = io.BytesIO()
    pa.parquet.write_table(pa.table({"title": ["Drill", ""]}), file)
    table = pa.parquet.read_table(io.BytesIO(priced(file.getvalue(), "shop.parquet").content))
    assert table["estimate"].to_pylist() == [5.0, None]


def test_a_file_that_a_spreadsheet_marked_as_unicode_stays_marked():
    result = priced(codecs.BOM_UTF8 + "title,description\nमेज,लकड़ी\n".encode())
    assert result.content.startswith(codecs.BOM_UTF8) and rows_of(result)[1][:2] == ["मेज", "लकड़ी"]


def test_columns_that_cannot_be_guessed_are_chosen():
    state = loaded("what,more\nDrill,18 V\n")
    assert state.status == "loaded" and state.columns is None and not state.start()
    assert "Which column describes the product?" in page(state)
    state.choose(None, "what")
    state.price()
    assert state.result.content.startswith(b"what,more,estimate") and b"Drill,18 V,5.0" in state.result.content


# ---- cancel


class Stops(Pricer):
    """Stands still at the second chunk until `release`."""

    def __init__(self):
        self.begun, self.release, self.chunks = threading.Event(), threading.Event(), 0

    def estimate(self, what):
        if not isinstance(what, str):
            self.chunks += 1
            if self.chunks == 2:
                self.begun.set()
                assert self.release.wait(10)
        return super().estimate(what)


def test_cancel_between_chunks_keeps_what_is_priced():
    pricer = Stops()
    state = loaded(HEAD + "".join(f"item,{n},\n" for n in range(3 * CHUNK)), pricer=pricer)
    assert state.start() and pricer.begun.wait(10)
    assert state.status == "pricing" and f"{CHUNK} of {3 * CHUNK} rows priced" in page(state)
    assert state.work.cancel()
    pricer.release.set()
    assert state.work.wait(10) and pricer.chunks == 2  # the third never began
    found = rows_of(state.result)[1:]
    assert len(found) == 3 * CHUNK and not state.result.finished
    assert all(row[3] for row in found[:CHUNK])
    assert all(row[3] == "" and "cancelled" in row[-1] for row in found[CHUNK:])
    assert "Cancelled on the way" in page(state) and f"{2 * CHUNK} without" in page(state)


def test_cancel_before_the_first_answer_leaves_the_file_ready():
    pricer = Stops()
    pricer.chunks = 1  # so that the first stands still
    state = loaded(SHOP, pricer=pricer)
    assert state.start() and pricer.begun.wait(10)
    state.work.cancel()
    pricer.release.set()
    assert state.work.wait(10) and state.status == "loaded" and state.result is None
    state.price()
    assert state.status == "done" and state.result.without == 0


def test_an_interrupt_leaves_the_form_usable():
    state = loaded(SHOP)
    state.pricer.estimate = lambda texts: (_ for _ in ()).throw(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        state.price()
    assert state.status == "loaded" and state.work.busy == ""


def test_the_time_left_comes_from_the_rows_so_far():
    ticks = iter(range(0, 1000, 8))
    seen = []
    state = loaded(HEAD + "item,,\n" * (2 * CHUNK))
    state.clock = lambda: float(next(ticks))
    state.on_change = lambda: seen.append(page(state))
    state.price()
    assert "about 8 s left" in "".join(seen)


# ---- view


def file_in_8(name, content):
    now = datetime.now(UTC)
    return (
        {"name": name, "type": "text/csv", "size": len(content), "content": memoryview(content), "last_modified": now},
    )


def file_in_7(name, content):
    return {name: {"metadata": {"name": name, "size": len(content)}, "content": content}}


@pytest.mark.parametrize("value", [file_in_7, file_in_8])
def test_an_upload_is_read_in_both_versions_of_ipywidgets(value):
    assert uploaded(value("shop.csv", b"a,b")) == ("shop.csv", b"a,b")
    assert uploaded({}) is None and uploaded(()) is None


@pytest.fixture
def form():
    predictor = PricePredictor(Pricer(), compare=False)
    tab = next(part for part in predictor.parts if isinstance(part, BatchTab))
    predictor.show(tab)
    return SimpleNamespace(predictor=predictor, tab=tab)


def upload(form, content, name="shop.csv"):
    """What the page does when a file is chosen."""
    widget, file = form.tab.upload, content.encode()
    if isinstance(widget.value, dict):  # ipywidgets 7
        widget.metadata, widget.data = [{"name": name}], [file]
        widget._counter += 1
    else:
        widget.value = file_in_8(name, file)
    assert not widget.value  # forgotten, so that the same file can be chosen again


def test_the_form_goes_from_upload_to_download(form):
    tab = form.tab
    assert tab.start.view.layout.display == tab.bar.layout.display == "none"
    upload(form, SHOP)
    assert tab.start.button.description == "Price 2 rows" and not tab.start.button.disabled
    assert (tab.title_column.value, tab.description_column.value) == ("title", "description")
    tab.start.button.click()
    assert form.predictor.work.wait(10)
    link = re.search(r'download="(.*?)" href="data:text/csv;charset=utf-8;base64,(.*?)"', tab.result.value)
    assert link[1] == "shop-priced.csv" and base64.b64decode(link[2]) == form.predictor.batch.result.content
    assert "2 rows, 2 with a price, 0 without" in Page(tab.result.value).text


def test_columns_are_chosen_in_the_form(form):
    upload(form, "what,more\nDrill,18 V\n")
    assert form.tab.start.button.disabled and form.tab.description_column.value == ""
    form.tab.description_column.value = "what"
    assert not form.tab.start.button.disabled
    form.tab.description_column.value = ""
    assert form.tab.start.button.disabled


def test_a_second_file_takes_the_place_of_the_first(form):
    upload(form, SHOP)
    upload(form, "name\nlamp\n", "other.csv")
    assert form.tab.title_column.value == "name" and "other.csv: 1 row," in form.tab.result.value
    upload(form, "broken", "broken.png")
    assert form.tab.start.view.layout.display == "none" and "broken.png" in form.tab.result.value


def test_while_a_file_is_priced_nothing_else_starts_and_the_bar_moves(form):
    pricer = Stops()
    form.predictor.batch.pricer = pricer
    upload(form, HEAD + "item,,\n" * (2 * CHUNK))
    form.tab.start.button.click()
    assert pricer.begun.wait(10)
    assert (form.tab.bar.value, form.tab.bar.max, form.tab.bar.layout.display) == (CHUNK, 2 * CHUNK, None)
    assert form.predictor.button.disabled and form.tab.upload.disabled and not form.predictor.state.start("drill")
    form.tab.start.cancel.click()
    assert not form.predictor.button.disabled and "Cancelled on the way" in form.tab.result.value
    pricer.release.set()
    assert form.predictor.work.wait(10)


def test_a_hostile_file_name_cannot_leave_the_link():
    link = Page(download_link('"><script>alert(1)</script>.csv', b"x", "Download"))
    [(tag, attributes)] = link.elements
    assert tag == "a" and set(attributes) == {"class", "download", "href"}
