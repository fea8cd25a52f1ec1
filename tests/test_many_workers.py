"""Many workers on one file: one row out for each row in, in order, with two workers of which one is killed mid-way."""

import os
import time
from datetime import date
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pricelab import cli, many_workers
from pricelab.batch import row_texts
from pricelab.columns import Columns
from pricelab.many_workers import predict_parquet
from pricelab.processes import ProcessEnded
from pricelab.ray_session import import_ray, running
from pricelab.row_stream import read_through

ROWS = 60


@pytest.fixture
def shop(tmp_path):
    """Rows of several kinds in row groups of 25: plain ones, blank ones, one that breaks the predictor."""
    texts = ["" if n % 10 == 7 else "boom" if n == 33 else f"thing-{'x' * n}" for n in range(ROWS)]
    table = pa.table({"sku": list(range(ROWS)), "description": texts, "weight": [n / 2 for n in range(ROWS)]})
    pq.write_table(table, tmp_path / "shop.parquet", row_group_size=25)
    return tmp_path / "shop.parquet"


@pytest.fixture(scope="module")
def session():
    """Ray as a caller's own, for the tests that needn't see it start."""
    ray = import_ray()
    with running(ray, 2, None):
        yield ray


def maker(kill_once=None, slow_on=None, kill_always=False):
    """A function that makes a predictor by length; the first to meet row 20 dies when ``kill_once`` is a path.

    A window that holds the text ``slow_on`` takes seconds; with ``kill_always`` row 20 ends whoever meets it.
    """

    def load(folder):
        import numpy as np

        from pricelab.estimates import PriceEstimate

        class ByLength:
            def estimate(self, texts):
                if "boom" in texts:
                    raise RuntimeError(f"cannot price {texts}")
                if any(len(text) == 26 for text in texts) and (
                    kill_always or (kill_once and not os.path.exists(kill_once))
                ):
                    if kill_once:
                        open(kill_once, "w", encoding="utf-8").close()
                    os._exit(1)
                if slow_on in texts:
                    time.sleep(3)
                nan = float("nan")
                found = [float(len(text)) if text else nan for text in texts]
                none = np.full(999, nan)
                return [PriceEstimate(f, f, f, none, None if f == f else "nothing to price") for f in found]

        return ByLength()

    return load


def expected(n):
    if n % 10 == 7:
        return None, "nothing to price"
    return (None, "could not be priced (RuntimeError)") if n == 33 else (6.0 + n, "")


@pytest.mark.timeout(300)
def test_two_workers_one_killed_mid_way_answer_every_row_once(shop, tmp_path):
    out, killed = tmp_path / "priced.parquet", tmp_path / "killed"
    rows = predict_parquet(tmp_path, shop, out, workers=2, window_rows=10, load=maker(str(killed)))
    table = pq.read_table(out)
    assert killed.exists() and rows == table.num_rows == ROWS
    assert table.column_names == ["sku", "description", "weight", "estimate", "low", "high", "warning"]
    assert table["sku"].to_pylist() == list(range(ROWS))
    found = list(zip(table["estimate"].to_pylist(), table["warning"].to_pylist(), strict=True))
    assert found == [expected(n) for n in range(ROWS)]
    assert table.select(["sku", "description", "weight"]).equals(pq.read_table(shop))
    assert not import_ray().is_initialized(), "it was started here and has to end here"


@pytest.mark.timeout(300)
def test_rows_that_end_every_worker_end_the_job_in_words(session, shop, tmp_path):
    out = tmp_path / "priced.parquet"
    with pytest.raises(ProcessEnded, match="rows 21 to 25 got no answer.*3 tries"):
        predict_parquet(tmp_path, shop, out, workers=2, window_rows=10, load=maker(kill_always=True))
    assert not out.exists() and session.is_initialized(), "the session is the caller's"


@pytest.mark.timeout(300)
def test_what_a_worker_meets_and_the_end_of_ray_are_told_in_words(session, shop, tmp_path, monkeypatch):
    def load(folder):
        raise OSError(f"no base for {folder} on this machine")

    with pytest.raises(ValueError, match="no base for .* on this machine"):
        predict_parquet(tmp_path, shop, tmp_path / "out.parquet", load=load)

    def rows(dataset):
        raise session.exceptions.RayError("traceback\nthe head is gone")
        yield

    monkeypatch.setattr(session.data.Dataset, "iter_rows", rows)
    with pytest.raises(ProcessEnded, match=r"Ray ended \(the head is gone\)"):
        predict_parquet(tmp_path, shop, tmp_path / "out.parquet", load=maker())
    assert session.data.DataContext.get_current().max_errored_blocks == 0, "the context is the caller's"


def test_windows_cover_every_row_once_whatever_the_row_groups(shop):
    file = pq.ParquetFile(shop)
    for size in (1, 7, 25, 100):
        skus = [
            n
            for window in many_workers._windows(file, size)
            for n in many_workers._Rows(file).of(window)["sku"].to_pylist()
        ]
        assert skus == list(range(ROWS))


def test_a_row_group_is_read_once_for_all_its_windows(shop, tmp_path, monkeypatch):
    read, file = [], pq.ParquetFile(shop)

    class Counting:
        schema_arrow = file.schema_arrow

        def read_row_group(self, group, columns=None):
            read.append(group)
            return file.read_row_group(group, columns=columns)

    windows = list(many_workers._windows(file, 7))
    answers = [(n, [[1.0, None, 2.0, ""]] * rows) for n, (_, _, rows) in enumerate(windows)]
    many_workers._write(Counting(), tmp_path / "out.parquet", windows, iter(answers))
    assert read == [0, 1, 2] and len(windows) > 3
    monkeypatch.setattr(many_workers, "open_parquet", lambda path: Counting())
    worker = many_workers._Worker("folder", "file", None, "description", maker())
    found = [worker({"number": np.array([n]), "window": np.array([window])}) for n, window in enumerate(windows)]
    assert not any(answer["failure"][0] for answer in found)
    assert read == [0, 1, 2] * 2


def test_answers_are_written_in_the_files_order_or_not_at_all(shop, tmp_path):
    file, out = pq.ParquetFile(shop), tmp_path / "out.parquet"
    windows = list(many_workers._windows(file, 7))
    answers = [(n, [[1.0 * n, None, 2.0, ""]] * rows) for n, (_, _, rows) in enumerate(windows)]
    assert many_workers._write(file, out, windows, iter(answers)) == ROWS
    assert pq.read_table(out)["sku"].to_pylist() == list(range(ROWS))
    for wrong, words in ((answers[:-1], "rows 58 to 60 got"), (answers[1:], "rows 1 to 7 got")):
        with pytest.raises(ProcessEnded, match=words):
            many_workers._write(file, tmp_path / "half.parquet", windows, iter(wrong))
    assert not (tmp_path / "half.parquet").exists()


@pytest.mark.timeout(300)
def test_the_order_holds_when_the_first_window_is_the_last_to_be_answered(session, shop, tmp_path):
    out = tmp_path / "priced.parquet"
    assert predict_parquet(tmp_path, shop, out, workers=2, window_rows=5, load=maker(slow_on="thing-")) == ROWS
    assert pq.read_table(out)["sku"].to_pylist() == list(range(ROWS))


@pytest.mark.parametrize(("group", "sizes"), [(1000, [8192, 8192, 3616]), (10_000, [8192, 1808] * 2)])
def test_row_groups_are_as_large_as_without_ray(tmp_path, group, sizes):
    """Windows of 512 are joined, but not across large row groups, of which two would have to be in memory."""
    source, out = tmp_path / "many.parquet", tmp_path / "out.parquet"
    pq.write_table(pa.table({"sku": range(20_000)}), source, row_group_size=group)
    file = pq.ParquetFile(source)
    windows = list(many_workers._windows(file, 512))
    answers = ((n, [[1.0, None, 2.0, ""]] * rows) for n, (_, _, rows) in enumerate(windows))
    assert many_workers._write(file, out, windows, answers) == 20_000
    written = pq.ParquetFile(out)
    found = [written.metadata.row_group(n).num_rows for n in range(written.num_row_groups)]
    assert len(found) == len(sizes) and all(0 <= a - b < 512 for a, b in zip(found[:-1], sizes, strict=False))
    assert written.read()["sku"].to_pylist() == list(range(20_000))


ODD = {
    "binary": [b"hand drill", b"", None],
    "number": [0, 7, None],
    "share": [0.1, 0.0, 1e20],
    "decimal": [Decimal("0.00"), Decimal("1.50"), None],
    "truth": [False, True, None],
    "list": [["a", 'é "b"'], [], None],
    "object": [{"a": 1}, {"a": None}, None],
    "day": [date(2026, 1, 1), None, date(1970, 1, 1)],
    "dictionary": pa.array(["a drill", "", None]).dictionary_encode(),
    "text": [" a  drill", "a vice", None],
}


@pytest.mark.parametrize("name", ODD)
def test_workers_read_the_same_texts_as_one_machine(tmp_path, name):
    path = tmp_path / "odd.parquet"
    pq.write_table(pa.table(ODD), path)
    window = next(many_workers._windows(pq.ParquetFile(path), 512))
    for title, description in ((None, name), (name, None), ("text", name)):
        columns = Columns(title=title, description=description, price=None)
        expected = list(row_texts(read_through(path), columns))
        assert many_workers._Worker("", str(path), title, description, None)._texts(window) == expected
        assert any(expected)


def test_one_bad_row_of_a_window_costs_few_calls():
    asked = []

    class Counting:
        def estimate(self, texts):
            asked.append(len(texts))
            return maker()("").estimate(texts)

    texts = ["boom" if n == 300 else "x" * n for n in range(512)]
    found = many_workers._Worker("", "", None, None, lambda folder: Counting())._each(texts)
    assert [answer[0] for answer in found] == [None if n in (0, 300) else float(n) for n in range(512)]
    assert found[300][3] == "could not be priced (RuntimeError)" and len(asked) == 1 + 2 * 9


def test_the_command_hands_its_options_on(shop, tmp_path, monkeypatch, capsys):
    asked = {}

    def fake(*places, **options):
        asked.update(options, places=places)
        return ROWS

    monkeypatch.setattr(many_workers, "predict_parquet", fake)
    out = tmp_path / "out.parquet"
    options = ["--engine", "ray", "--workers", "3", "--address", "auto", "--gpus", "0.5"]
    options += ["--column", "description=description"]
    with pytest.raises(SystemExit) as leaving:
        cli.main(["predict", str(tmp_path), str(shop), "--out", str(out), *options])
    assert not leaving.value.code and "wrote 60 rows" in capsys.readouterr().out
    assert asked.pop("places") == (tmp_path, shop, out)
    columns = {"description": "description"}
    assert asked == {"workers": 3, "address": "auto", "gpus": 0.5, "columns": columns, "overwrite": False}
