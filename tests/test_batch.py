"""Files of any size: one row out for each row in, flat memory, and interruptions that change nothing."""

import csv
import errno
import json
import os
import signal
import tracemalloc
from multiprocessing import get_context
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pricelab import batch
from pricelab.batch import journal_path, predict_file

UNHURRIED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)


class Counting:
    """Prices a text at its length, a little more for each text that was priced before it in the same call."""

    def __init__(self, name="counting", stop=None, error=KeyboardInterrupt):
        self.name, self.stop, self.error, self.calls = name, stop, error, []
        self.identity = f"identity of {name}"

    def estimate(self, texts, *, progress=False):
        if len(self.calls) == self.stop:
            raise self.error
        self.calls.append(list(texts))
        return [self.one(text, place) for place, text in enumerate(texts)]

    def one(self, text, place):
        price = len(text) + place / 100 if text else float("nan")
        warning = None if text else "nothing to price"
        return SimpleNamespace(estimate=price, low=price / 2, high=2 * price, warning=warning)


class Dying(Counting):
    """Kills its process at the window numbered ``stop``."""

    def estimate(self, texts, *, progress=False):
        if len(self.calls) == self.stop:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().estimate(texts)


@pytest.fixture(autouse=True)
def small_windows(monkeypatch):
    monkeypatch.setattr(batch, "WINDOW", 4)


@pytest.fixture(params=["csv", "tsv", "jsonl", "parquet"])
def shop(request, tmp_path):
    """A file of 22 rows in each format, and where its answers go."""
    return write(tmp_path / f"in.{request.param}", 22), tmp_path / f"out.{request.param}"


def write(path, count):
    rows = [{"sku": f"{n:03}", "title": f"thing {n}", "description": "x" * (n * 7 % 11)} for n in range(count)]
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet

        pa.parquet.write_table(pa.Table.from_pylist(rows), path, row_group_size=5)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0], delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    return path


def uninterrupted(source, out):
    whole = out.with_name(f"whole{out.suffix}")
    predict_file(Counting(), source, whole, progress=False)
    return whole.read_bytes()


def read(path):
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return pq.read_table(path).to_pylist()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","))


def test_each_row_keeps_its_place_and_gets_its_own_answer(shop):
    source, out = shop
    pricer = Counting()
    assert predict_file(pricer, source, out, progress=False) == 22
    assert [len(call) for call in pricer.calls] == [4, 4, 4, 4, 4, 2]
    for n, (before, after) in enumerate(zip(read(source), read(out), strict=True)):
        assert {name: after[name] for name in before} == before
        expected = len(f"{before['title']}\n{before['description']}".rstrip()) + n % 4 / 100
        assert float(after["estimate"]) == pytest.approx(expected)
    assert sorted(path.name for path in out.parent.iterdir()) == sorted([source.name, out.name])


@pytest.mark.parametrize("windows", [0, 1, 5])
def test_an_interrupted_file_goes_on_to_the_same_bytes(shop, windows):
    source, out = shop
    expected = uninterrupted(source, out)
    with pytest.raises(
        KeyboardInterrupt, match=f"interrupted after {4 * windows} of 22 rows; the same command goes on"
    ):
        predict_file(Counting(stop=windows), source, out, progress=False)
    assert not out.exists() and journal_path(out).is_file()
    pricer = Counting()
    assert predict_file(pricer, source, out, progress=False) == 22
    assert len(pricer.calls) == 6 - windows and out.read_bytes() == expected
    assert not journal_path(out).exists()


def test_a_killed_process_leaves_what_the_next_one_goes_on_from(tmp_path):
    source, out = write(tmp_path / "in.csv", 22), tmp_path / "out.csv"
    process = get_context("spawn").Process(target=priced_until_killed, args=(source, out))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL and not out.exists()
    pricer = Counting()
    predict_file(pricer, source, out, progress=False)
    assert len(pricer.calls) == 3 and out.read_bytes() == uninterrupted(source, out)


def priced_until_killed(source, out):
    batch.WINDOW = 4
    predict_file(Dying(stop=3), source, out, progress=False)


@UNHURRIED
@given(st.floats(0, 1))
def test_a_journal_cut_at_any_byte_goes_on_to_the_same_bytes(tmp_path, share):
    source, out = write(tmp_path / "in.csv", 22), tmp_path / "out.csv"
    with pytest.raises(KeyboardInterrupt):
        predict_file(Counting(stop=4), source, out, progress=False)
    content = journal_path(out).read_bytes()
    journal_path(out).write_bytes(content[: int(share * len(content))])
    predict_file(Counting(), source, out, progress=False, overwrite=True)
    assert out.read_bytes() == uninterrupted(source, out)
    for path in (out, out.with_name("whole.csv")):
        path.unlink()


@pytest.mark.parametrize(
    ("change", "words"),
    [("input", "another input file"), ("predictor", "another predictor"), ("columns", "another choice of columns")],
)
def test_a_half_done_file_goes_on_only_with_the_same_work(shop, change, words):
    source, out = shop
    with pytest.raises(KeyboardInterrupt):
        predict_file(Counting(stop=2), source, out, progress=False)
    if change == "input":
        write(source, 23)
    options = {"columns": {"title": None} if change == "columns" else None, "progress": False}
    pricer = Counting("better" if change == "predictor" else "counting")
    with pytest.raises(ValueError, match=f"half-done run with {words};.*or --overwrite to begin again"):
        predict_file(pricer, source, out, **options)
    assert pricer.calls == []
    assert predict_file(pricer, source, out, overwrite=True, **options) == len(read(source))
    assert len(pricer.calls) == 6 and not journal_path(out).exists()


def test_two_runs_on_one_output_do_not_mix(tmp_path):
    source, out = write(tmp_path / "in.csv", 22), tmp_path / "out.csv"

    class Beside(Counting):
        def estimate(self, texts, *, progress=False):
            if len(self.calls) == 2:
                with pytest.raises(KeyboardInterrupt):
                    predict_file(Counting(stop=1), source, out, progress=False)
            return super().estimate(texts)

    with pytest.raises(ValueError, match="being written by another run too"):
        predict_file(Beside(), source, out, progress=False)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "content", [b"mine", b"mine\n", b"mine\nand more", b"\xff\x00\n", b"[1]\n", b'{"notes": 1}\nhalf']
)
def test_a_file_of_that_name_that_is_no_journal_is_refused_with_every_byte_left(tmp_path, content, overwrite):
    source, out = write(tmp_path / "in.csv", 3), tmp_path / "out.csv"
    journal_path(out).write_bytes(content)
    with pytest.raises(ValueError, match="is no journal of answers; delete it"):
        predict_file(Counting(), source, out, progress=False, overwrite=overwrite)
    assert journal_path(out).read_bytes() == content


def test_a_folder_in_the_journals_place_is_refused_in_words(tmp_path):
    source, out = write(tmp_path / "in.csv", 3), tmp_path / "out.csv"
    journal_path(out).mkdir()
    with pytest.raises(ValueError, match="where answers are kept as they come, is no file; give --out another name"):
        predict_file(Counting(), source, out, progress=False, overwrite=True)
    assert journal_path(out).is_dir()


def test_a_journal_of_other_work_is_refused_with_every_byte_left(tmp_path):
    source, out = write(tmp_path / "in.csv", 3), tmp_path / "out.csv"
    journal_path(out).write_bytes(b'{"input file": 1}\nhalf')
    with pytest.raises(ValueError, match="half-done run with another input file"):
        predict_file(Counting(), source, out, progress=False)
    assert journal_path(out).read_bytes() == b'{"input file": 1}\nhalf'


def test_a_journal_with_a_hole_is_refused_in_words(tmp_path):
    source, out = write(tmp_path / "in.csv", 22), tmp_path / "out.csv"
    with pytest.raises(KeyboardInterrupt):
        predict_file(Counting(stop=3), source, out, progress=False)
    first, second, third, fourth = journal_path(out).read_text().splitlines(keepends=True)
    journal_path(out).write_text(first + second + fourth)
    with pytest.raises(ValueError, match="line 3 doesn't go on from the one before"):
        predict_file(Counting(), source, out, progress=False)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"from": 0}', "line 2 holds something else than the 4 values of each of at most 22 rows; delete"),
        (b'{"from": 0, "answers": 5}', "line 2 holds"),
        (b'{"from": 0, "answers": [5]}', "line 2 holds"),
        (b'{"from": 0, "answers": [[1, 2, 3, ""], [1, 2, 3]]}', "line 2 holds"),
        (b'{"from": 0, "answers": [' + b'[1, 2, 3, ""], ' * 22 + b'[1, 2, 3, ""]]}', "line 2 holds"),
        (b"\xff\xfe\x80", "line 2 is broken .*delete it to begin again"),
        (b"[" * 100_000, "line 2 is broken"),
        (b"null", "line 2 doesn't go on"),
    ],
)
def test_a_damaged_journal_is_refused_in_words_before_anything_is_priced(tmp_path, line, words):
    source, out = write(tmp_path / "in.csv", 22), tmp_path / "out.csv"
    with pytest.raises(KeyboardInterrupt):
        predict_file(Counting(stop=0), source, out, progress=False)
    with open(journal_path(out), "ab") as file:
        file.write(line + b"\n")
    pricer = Counting()
    with pytest.raises(ValueError, match=f"out.csv.journal: {words}"):
        predict_file(pricer, source, out, progress=False)
    assert not pricer.calls


@pytest.mark.parametrize("change", ["more rows", "gone"])
def test_a_file_that_changes_meanwhile_is_told_with_what_goes_on(tmp_path, change):
    source, out = write(tmp_path / "in.csv", 22), tmp_path / "out.csv"
    before = source.read_bytes()

    class Meddling(Counting):
        def estimate(self, texts, *, progress=False):
            if len(self.calls) == 5:
                source.write_bytes(before + b"022,late,thing\n") if change == "more rows" else source.unlink()
            return super().estimate(texts)

    with pytest.raises(ValueError, match="put it back as it was and run the same command again.*or add --overwrite"):
        predict_file(Meddling(), source, out, progress=False)
    assert not out.exists()
    journal = journal_path(out).read_bytes()
    source.write_bytes(before + b"022,late,thing\n")
    assert predict_file(Counting(), source, out, overwrite=True, progress=False) == 23
    out.unlink()
    source.write_bytes(before)
    journal_path(out).write_bytes(journal)
    pricer = Counting()
    assert predict_file(pricer, source, out, progress=False) == 22 and not pricer.calls


def test_a_failed_last_write_says_that_the_answers_are_safe(shop, monkeypatch):
    source, out = shop
    with monkeypatch.context() as patch, pytest.raises(OSError) as error:
        patch.setattr("pricelab.row_stream.replacing", full)
        predict_file(Counting(), source, out, progress=False)
    told = str(error.value)
    assert f"writing the priced file in {out.parent} failed" in told and "free some space" in told
    assert f"safe in {journal_path(out).name}; the same command goes on" in told
    pricer = Counting()
    assert predict_file(pricer, source, out, progress=False) == 22 and not pricer.calls


def full(path):
    raise OSError(errno.EFBIG, "File too large")


def test_rows_are_called_safe_only_once_there_are_some(tmp_path, monkeypatch):
    source, out = write(tmp_path / "in.csv", 22), tmp_path / "out.csv"
    monkeypatch.setattr("pricelab.answer_journal.flush", full)
    with pytest.raises(OSError, match="writing answers in .* failed") as error:
        predict_file(Counting(), source, out, progress=False)
    assert "rows answered so far" not in str(error.value)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("folder.csv", "folder.csv is a folder; give --out the name of a file, such as .*in.csv"),
        ("in.csv/out.csv", "in.csv is a file and no folder; give --out another name"),
        ("in.csv/more/out.csv", "in.csv is a file and no folder"),
    ],
)
def test_an_output_that_can_never_be_written_is_refused_first(tmp_path, out, words, overwrite):
    source, pricer = write(tmp_path / "in.csv", 3), Counting()
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ValueError, match=words):
        predict_file(pricer, source, tmp_path / out, overwrite=overwrite, progress=False)
    assert not pricer.calls and not list(tmp_path.glob("*.journal"))


def test_a_broken_row_is_told_before_anything_is_priced(tmp_path):
    source = write(tmp_path / "in.csv", 50)
    source.write_text(source.read_text() + "one cell\n")
    pricer = Counting()
    with pytest.raises(ValueError, match="row 52 has 1 cells"):
        predict_file(pricer, source, tmp_path / "out.csv", progress=False)
    assert pricer.calls == [] and not journal_path(tmp_path / "out.csv").exists()


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_memory_does_not_grow_with_the_file(tmp_path, monkeypatch, ending):
    monkeypatch.setattr(batch, "WINDOW", 64)
    peaks = []
    for count in (300, 3000):
        source, out = write(tmp_path / f"in{count}.{ending}", count), tmp_path / f"out{count}.{ending}"
        pricer = Counting()
        pricer.estimate = lambda texts, progress=False, one=pricer.one: [one(text, 0) for text in texts]
        tracemalloc.start()
        predict_file(pricer, source, out, progress=False)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def test_parquet_keeps_every_type_over_many_row_groups(tmp_path, monkeypatch):
    import datetime
    import decimal

    import pyarrow as pa
    import pyarrow.parquet

    from pricelab import row_stream

    monkeypatch.setattr(row_stream, "PARQUET_GROUP", 3)
    source, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    table = pa.table({
        "description": ["a", None, "ccc", "", "e"] * 4,
        "kind": pa.array(["x", "y", "x", "z", None] * 4).dictionary_encode(),
        "raw": pa.array([b"\xff", None, b"", b"\x00", b"a"] * 4),
        "price": [decimal.Decimal("1.50"), None, decimal.Decimal("2.25"), decimal.Decimal("0.01"), None] * 4,
        "seen": pa.array([datetime.datetime(2026, 1, n, tzinfo=datetime.UTC) for n in range(1, 6)] * 4),
        "tags": [["a"], [], None, ["b", None], ["c"]] * 4,
        "a.b": [{"n": n} for n in range(20)],
    }, metadata={"made by": "a shop"})  # fmt: skip
    pa.parquet.write_table(table, source, row_group_size=7)
    assert predict_file(Counting(), source, out, progress=False) == 20
    found = pa.parquet.read_table(out)
    assert found.select(table.column_names).equals(table)
    assert found.schema.metadata == table.schema.metadata
    assert found["estimate"].to_pylist()[:3] == [1.0, None, 3.02]
    assert pa.parquet.ParquetFile(out).num_row_groups >= 7


def test_the_bar_counts_rows_from_where_it_goes_on(tmp_path, capsys):
    source, out = write(tmp_path / "in.csv", 22), tmp_path / "out.csv"
    with pytest.raises(KeyboardInterrupt):
        predict_file(Counting(stop=2), source, out)
    assert "0/22" in capsys.readouterr().err
    predict_file(Counting(), source, out)
    shown = capsys.readouterr().err
    assert "8/22" in shown and " 0/22" not in shown


def test_a_real_predictor_goes_on_to_the_same_bytes(toy_base, tmp_path, monkeypatch):
    from pricelab.pricer import Pricer

    pricer = Pricer.from_base(str(toy_base))
    source, out, whole = write(tmp_path / "in.csv", 10), tmp_path / "out.csv", tmp_path / "whole.csv"
    predict_file(pricer, source, whole, progress=False)
    estimate, calls = Pricer.estimate, []

    def interrupted(self, texts, **options):
        calls.append(texts)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return estimate(self, texts, **options)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Pricer, "estimate", interrupted)
        predict_file(pricer, source, out, progress=False)
    predict_file(pricer, source, out, progress=False)
    assert out.read_bytes() == whole.read_bytes()
