"""A category is streamed, cleaned, sampled and cached; a local server stands in for the hub."""

import http.server
import json
import threading
import tracemalloc
from itertools import count

import pytest

from pricelab import amazon, hub_stream, load_catalog
from pricelab.amazon import CATEGORIES, NOT_DRAWN, REPO, REVISION, load_category, sample_rows
from pricelab.amazon_rules import MAX_LINE_BYTES, PRICE_RANGE_USD
from pricelab.files import cache_dir

FILE = "raw/meta_categories/meta_Appliances.jsonl"
WORDS = ["steel", "glass", "oak", "linen", "copper", "felt", "cork", "slate", "brass", "wool", "clay", "birch", "silk"]
TEXT = " ".join(WORDS * 5)


def listing(number, **changes):
    """One raw line; texts of different numbers differ, the same number gives the same line."""
    letters = str(number).translate(str.maketrans("0123456789", "abcdefghij"))  # no digits, which might be a price
    row = {
        "main_category": "Appliances",
        "title": f"Kettle {letters}",
        "features": [f"Made of {TEXT[number % 50 :]}."],
        "description": [],
        "price": 20.99 + number % 50,
        "store": "Ock",
        "details": {"Color": WORDS[number % 7]},
        "parent_asin": f"B{number:09d}",
    }
    return json.dumps(row | changes).encode()


UGLY = [
    listing(900, price=None),
    listing(901, price="—"),
    listing(902, price="from $12.99"),
    listing(903, price=0.01),
    listing(904, price=12000.0),
    listing(905, title="x", features=None, description="", details=None),
    listing(906, parent_asin=None),
    listing(907, title="half \ud83e"),
    listing(1),  # again
    listing(908, **{key: json.loads(listing(2))[key] for key in ("title", "features", "details")}),  # the same text
    listing(909, details='{"Color": "red"}', description="<p>Fine &amp; <b>red</b> 🧺</p>"),
    b'{"title": "cut off',
    b"",
    b"null",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"price": ' + b"9" * 5000 + b"}",
    listing(910, description="x" * (MAX_LINE_BYTES + 1)),
]
RAW = b"\n".join([*map(listing, range(60)), *UGLY])  # no line end at the end


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers as the hub does: a redirect with the commit and size, then the bytes, in ranges."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer(with_body=False)

    def do_GET(self):
        self.answer(with_body=True)

    def answer(self, with_body):
        told = self.server.told
        told["requests"].append((self.command, self.path, self.headers.get("Range")))
        if self.path == f"/datasets/{REPO}/resolve/{REVISION}/{FILE}" and not told["gone"]:
            place = f"http://localhost:{self.server.server_port}/store/file"
            about = {
                "X-Repo-Commit": told["commit"],
                "X-Linked-Size": told.get("size", len(told["raw"])),
                "ETag": '"1"',
            }
            return self.reply(302, {"Location": place, "Content-Length": 0, **about})
        if self.path != "/store/file":
            return self.reply(404, {"X-Error-Code": "EntryNotFound", "Content-Length": 0})
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        start = start if told["ranges"] else 0
        body = told["raw"][start : told["raw_end"]]
        headers = {"Content-Length": len(body)} | ({"Content-Range": f"bytes {start}-/*"} if told["ranges"] else {})
        self.reply(206 if told["ranges"] else 200, headers)
        cut = told["drops"].pop(0) if told["drops"] else None
        self.wfile.write(body[:cut])
        if cut is not None:
            self.wfile.flush()
            self.close_connection = True  # in the middle of what was promised

    def reply(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()


@pytest.fixture
def hub(monkeypatch):
    """A server on this machine that `HF_ENDPOINT` points to; the dictionary says how it behaves."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.told = {"raw": RAW, "raw_end": None, "requests": [], "drops": [], "ranges": True, "gone": False}
    server.told["commit"] = REVISION
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub_stream.time, "sleep", lambda seconds: None)
    yield server.told
    server.shutdown()
    server.server_close()


def cached():
    folder = cache_dir() / "amazon-2023"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def load(**options):
    return load_category("Appliances", progress=False, **options)


# ---- the sample


def sampled(lines, n=1000, seed=0):
    return sample_rows(lines, n, seed, PRICE_RANGE_USD)


def test_every_line_is_kept_or_counted_with_its_reason():
    lines = [None if len(line) > MAX_LINE_BYTES else line for line in RAW.split(b"\n")]
    items, report = sampled(lines)
    assert report.rows_read == len(lines) == report.rows_kept + sum(report.left_out.values())
    assert report.rows_kept == len(items) == 61
    assert report.left_out == {
        "no JSON object": 6,
        "no price in US dollars": 3,
        "price below $0.5": 1,
        "price above $999.49": 1,
        "fewer than 200 characters of text": 1,
        "no product number": 1,
        "half of a character": 1,
        "same product as an earlier row": 1,
        "same text as another product": 1,
        "a line of more than 1,048,576 bytes": 1,
    }
    assert "row 61 'null'" in str(report) and all(item.price >= 0.5 for item in items)
    assert any("Fine & red 🧺 Color: red" in item.text for item in items)


def test_a_sample_is_the_same_for_every_order_and_another_for_another_seed():
    lines = list(map(listing, range(300)))
    items, report = sampled(lines, n=40)
    turned, _ = sampled(lines[::-1], n=40)
    assert items == turned and len(items) == 40
    assert report.left_out == {NOT_DRAWN: 260} and not report.dropped
    other, _ = sampled(lines, n=40, seed=1)
    assert len({item.id for item in items} & {item.id for item in other}) < 20


def test_a_sample_is_spread_over_the_whole_file():
    places = sorted(int(item.id[1:]) for item in sampled(map(listing, range(1000)), n=100)[0])
    assert sum(place < 500 for place in places) in range(30, 71) and places[0] < 100 and places[-1] >= 900


def test_a_product_that_comes_twice_is_never_there_twice_nor_likelier():
    twice = [listing(number, price=price) for price in (20, 30) for number in range(300)]
    items, report = sampled(twice, n=40)
    assert [item.id for item in items] == [item.id for item in sampled(map(listing, range(300)), n=40)[0]]
    assert {item.price for item in items} == {20} and report.left_out["same product as an earlier row"] == 40


def peak_bytes(rows, n=100):
    lines = (listing(number) if number % 10 == 0 else listing(number, price=None) for number in range(rows))
    tracemalloc.start()
    try:
        items, report = sampled(lines, n)
        return tracemalloc.get_traced_memory()[1], len(items), report
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_file():
    peak_bytes(500)  # what is loaded and compiled on first use is not counted
    small, large = peak_bytes(2_000), peak_bytes(20_000)
    assert small[1] == large[1] == 100 and large[2].rows_read == 20_000
    assert large[0] < 1.3 * small[0]


def test_bad_rows_do_not_fill_the_memory_either():
    ugly = (listing(number, price=None) if number % 2 else b"{" * 500 for number in range(4_000))
    _, report = sampled(ugly)
    assert report.left_out == {"no JSON object": 2_000, "no price in US dollars": 2_000} and len(report.dropped) == 10


# ---- lines from chunks


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_lines_come_whole_however_the_bytes_arrive(size):
    raw = "a\nbé\n\n".encode() + b"x" * 50 + b"\nlast"
    chunks = [raw[start : start + size] for start in range(0, len(raw), size)]
    assert list(hub_stream._split(chunks, 20)) == [b"a", "bé".encode(), b"", None, b"last"]
    assert list(hub_stream._split([*chunks, b"\n"], 20))[-1] == b"last"


def test_a_line_without_end_is_never_held():
    tracemalloc.start()
    found = list(hub_stream._split((b"x" * 1000 for _ in range(20_000)), max_bytes=5_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [None] and peak < 1_000_000


# ---- through the hub


def test_a_catalog_comes_through_the_hub_once_and_from_the_cache_afterwards(hub, monkeypatch):
    catalog = load_catalog("amazon-2023:Appliances", seed=3)
    assert catalog.name == "amazon-2023:Appliances" and catalog.currency == "USD"
    assert sum(map(len, catalog.splits.values())) == 61 and catalog.report.rows_read == 78
    assert f"commit {REVISION[:12]}" in str(catalog.report) and "up to 10,000 of 61 usable rows" in str(catalog.report)
    asked = [request[0] for request in hub["requests"] if FILE in request[1] or "store" in request[1]]
    assert asked == ["HEAD", "GET", "GET"]  # the file, its redirect, its bytes
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody there
    again = load_catalog("amazon-2023:Appliances", seed=3)
    assert again.fingerprint == catalog.fingerprint and again.report == catalog.report
    (file,) = cached()
    assert file.name == f"Appliances-{REVISION[:12]}-rules1-0.5-999.49-n10000-seed3.parquet"


def test_no_product_and_no_text_is_in_two_splits(hub):
    splits = load_catalog("amazon-2023:Appliances").splits.values()
    for key in ("id", "text"):
        seen = [getattr(item, key) for split in splits for item in split]
        assert len(seen) == len(set(seen)) == 61


def test_other_settings_make_another_cache(hub):
    everything, _ = load()
    few, report = load(n=30)
    assert {item.id for item in few} < {item.id for item in everything}
    assert 25 < len(few) <= 30 < report.left_out[NOT_DRAWN] and sum(report.left_out.values()) == 78 - len(few)
    cheap, _ = load(price_range=(1, 30))
    assert cheap and max(item.price for item in cheap) <= 30
    wide, _ = load(price_range=(0.001, 1e6))
    assert {0.01, 12000.0} <= {item.price for item in wide}
    assert len(cached()) == 4


def test_a_connection_that_breaks_is_taken_up_where_it_broke(hub):
    expected, _ = sampled([None if len(line) > MAX_LINE_BYTES else line for line in RAW.split(b"\n")], n=10_000)
    hub["drops"] = [5_000, 0, 20_000, 300_000]
    items, report = load()
    assert list(items) == expected and report.rows_read == 78
    starts = [request[2] for request in hub["requests"] if request[:2] == ("GET", "/store/file")]
    assert starts[0] == "bytes=0-" and starts[1] == starts[2] != "bytes=0-" and len(starts) == 5


def test_a_server_without_ranges_is_read_from_the_beginning_but_nothing_counts_twice(hub):
    hub |= {"ranges": False, "drops": [300_000, 50_000]}
    assert load()[1].rows_read == 78


def test_a_stream_that_always_breaks_fails_in_words_and_leaves_nothing(hub):
    hub["drops"] = [10_000] + [0] * 50
    with pytest.raises(ConnectionError, match="did not answer as it should.*nothing half done was kept"):
        load()
    assert not cached()


def test_a_stream_that_ends_early_without_an_error_is_noticed(hub):
    hub["raw_end"] = 20_000
    with pytest.raises(ConnectionError, match="stopped after 20,000 of"):
        load()
    assert not cached()


def test_more_bytes_than_promised_are_refused(hub):
    hub["size"] = 30_000
    with pytest.raises(ConnectionError, match="bytes instead of 30,000"):
        load()
    assert not cached()


def test_an_interruption_leaves_no_half_cache(hub, monkeypatch):
    lines = count()

    def interrupted(*arguments):
        if next(lines) == 40:
            raise KeyboardInterrupt
        return cleaned(*arguments)

    cleaned = amazon.clean
    monkeypatch.setattr(amazon, "clean", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load()
    assert not cached()
    monkeypatch.setattr("pyarrow.parquet.write_table", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        load()
    assert not cached()


def test_no_network_is_told_with_what_to_do(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ConnectionError, match="127.0.0.1:9.*check the network, a proxy and HF_ENDPOINT"):
        load()


def test_offline_mode_is_told():
    with pytest.raises(ConnectionError, match="HF_HUB_OFFLINE"):
        load()


def test_a_hub_without_the_file_and_a_server_that_is_no_hub(hub):
    hub["gone"] = True
    with pytest.raises(ValueError, match=f"no {FILE} in the dataset {REPO}"):
        load()
    hub |= {"gone": False, "commit": "0" * 40}
    with pytest.raises(ConnectionError, match="gave commit 0000"):
        load()


def test_an_unknown_category_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="no category 'Aplliances'; did you mean 'Appliances'.*Video_Games"):
        load_catalog("amazon-2023:Aplliances")
    with pytest.raises(ValueError, match="no category ''; There are All_Beauty"):
        load_catalog("amazon-2023:")
    assert len(CATEGORIES) == len(set(CATEGORIES)) == 34


@pytest.mark.parametrize("n", [0, -1, 2.5, "10", True])
def test_a_number_of_items_is_a_whole_number_above_zero(n):
    with pytest.raises(ValueError, match="is no number of items"):
        load(n=n)


def test_a_damaged_cache_is_named(hub):
    load()
    (file,) = cached()
    file.write_bytes(b"PAR1 and more")
    with pytest.raises(ValueError, match="not as pricelab wrote it.*delete it"):
        load()
    file.unlink()
    assert load()[1].rows_kept == 61


def test_too_few_items_show_the_report(hub):
    with pytest.raises(ValueError, match="fewer than 20 usable items(.|\n)*no price in US dollars"):
        load_catalog("amazon-2023:Appliances", n=5)
