"""Many workers on one file: one row out for each row in, in order, with two workers of which one is killed mid-way."""

import os
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pricelab import cli, many_workers
from pricelab.many_workers import predict_parquet

ROWS = 60


@pytest.fixture
def shop(tmp_path):
    """Rows of several kinds in row groups of 25: plain ones, blank ones, one that breaks the predictor."""
    texts = ["" if n % 10 == 7 else "boom" if n == 33 else f"thing-{'x' * n}" for n in range(ROWS)]
    table = pa.table({"sku": list(range(ROWS)), "description": texts, "weight": [n / 2 for n in range(ROWS)]})
    pq.write_table(table, tmp_path / "shop.parquet", row_group_size=25)
    return tmp_path / "shop.parquet"


def maker(kill_once=None, slow_on=None):
    """A function that makes a predictor by length; the first to meet row 20 dies when ``kill_once`` is a path.

    A window that holds the text ``slow_on`` takes seconds.
    """

    def load(folder):
        import numpy as np

        from pricelab.estimates import PriceEstimate

        class ByLength:
            def estimate(self, texts):
                if "boom" in texts:
                    raise RuntimeError(f"cannot price {texts}")
                if kill_once and any(len(text) == 26 for text in texts) and not os.path.exists(kill_once):
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
    monkeypatch.setattr(pq, "ParquetFile", lambda path: Counting())
    worker = many_workers._Worker("folder", "file", None, "description", maker())
    worker({"number": np.arange(len(windows)), "window": np.array(windows)})
    assert read == [0, 1, 2] * 2


def test_answers_are_written_in_the_files_order_or_not_at_all(shop, tmp_path):
    file, out = pq.ParquetFile(shop), tmp_path / "out.parquet"
    windows = list(many_workers._windows(file, 7))
    answers = [(n, [[1.0 * n, None, 2.0, ""]] * rows) for n, (_, _, rows) in enumerate(windows)]
    assert many_workers._write(file, out, windows, iter(answers)) == ROWS
    assert pq.read_table(out)["sku"].to_pylist() == list(range(ROWS))
    for wrong, words in ((answers[:-1], "1 of .* windows"), (answers[::-1], "in the place of 0")):
        with pytest.raises(RuntimeError, match=words):
            many_workers._write(file, tmp_path / "half.parquet", windows, iter(wrong))
    assert not (tmp_path / "half.parquet").exists()


@pytest.mark.timeout(300)
def test_the_order_holds_when_the_first_window_is_the_last_to_be_answered(shop, tmp_path):
    out = tmp_path / "priced.parquet"
    assert predict_parquet(tmp_path, shop, out, workers=2, window_rows=5, load=maker(slow_on="thing-")) == ROWS
    assert pq.read_table(out)["sku"].to_pylist() == list(range(ROWS))


@pytest.mark.parametrize(
    ("there", "workers", "gpus", "expected"),
    [
        (0, 3, None, (3, {"num_cpus": 1})),
        (2, 8, None, (2, {"num_gpus": 1})),
        (2, 8, 0.5, (4, {"num_gpus": 0.5})),
        (2, 1, 2, (1, {"num_gpus": 2})),
        (2, 3, 0, (3, {"num_cpus": 1})),
    ],
)
def test_a_worker_takes_a_gpu_where_there_is_one(there, workers, gpus, expected):
    assert many_workers._share(there, workers, gpus) == expected


def test_more_gpus_than_there_are_is_refused():
    with pytest.raises(ValueError, match="Ray sees 1.*--gpus 0"):
        many_workers._share(1, 2, 2)


def test_what_cannot_be_done_is_refused_before_ray_starts(shop, tmp_path):
    with pytest.raises(ValueError, match="at least 1"):
        predict_parquet(tmp_path, shop, tmp_path / "out.parquet", workers=0)
    with pytest.raises(ValueError, match="-1 GPUs"):
        predict_parquet(tmp_path, shop, tmp_path / "out.parquet", gpus=-1)
    csv = tmp_path / "shop.csv"
    csv.write_text("description\nthing\n")
    with pytest.raises(ValueError, match="no Parquet file"):
        predict_parquet(tmp_path, csv, tmp_path / "out.csv")
    taken = tmp_path / "taken.parquet"
    pq.write_table(pa.table({"description": ["a"], "estimate": [1.0]}), taken)
    with pytest.raises(ValueError, match="already has the columns estimate"):
        predict_parquet(tmp_path, taken, tmp_path / "out.parquet")
    with pytest.raises(ValueError, match="exists"):
        predict_parquet(tmp_path, shop, shop)


def test_the_command_hands_its_options_on(shop, tmp_path, monkeypatch, capsys):
    asked = {}

    def fake(*places, **options):
        asked.update(options, places=places)
        return ROWS

    monkeypatch.setattr(many_workers, "predict_parquet", fake)
    out = tmp_path / "out.parquet"
    options = [
        "--engine",
        "ray",
        "--workers",
        "3",
        "--address",
        "auto",
        "--gpus",
        "0.5",
        "--column",
        "description=description",
    ]
    with pytest.raises(SystemExit) as leaving:
        cli.main(["predict", str(tmp_path), str(shop), "--out", str(out), *options])
    assert not leaving.value.code and "wrote 60 rows" in capsys.readouterr().out
    assert asked.pop("places") == (tmp_path, shop, out)
    columns = {"description": "description"}
    assert asked == {"workers": 3, "address": "auto", "gpus": 0.5, "columns": columns, "overwrite": False}
