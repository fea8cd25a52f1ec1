"""What is refused before Ray starts, how its own failures are told, and what a worker takes; Ray itself stays down."""

from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pricelab import many_workers
from pricelab.many_workers import predict_parquet
from pricelab.ray_session import running, share


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """Check that a table, or what lies at a path, is refused in words and that Ray stays down."""

    def started(*_):
        pytest.fail("Ray was started")

    def check(source, words, out="out.parquet", **options):
        if isinstance(source, pa.Table):
            pq.write_table(source, tmp_path / "shop.parquet")
            source = tmp_path / "shop.parquet"
        options = {"load": lambda folder: None, **options}
        with pytest.raises(ValueError, match=words):
            predict_parquet(tmp_path, source, tmp_path / out, **options)
        assert not (tmp_path / out).exists() or tmp_path / out == source

    monkeypatch.setattr(many_workers, "running", started)
    return check


GOOD = pa.table({"description": ["a drill"]})


@pytest.mark.parametrize(
    ("options", "words"),
    [({"workers": 0}, "at least 1"), ({"window_rows": 0}, "at least 1"), ({"gpus": -1}, "-1 GPUs"),
     ({"out": "shop.parquet"}, "exists"), ({"load": None}, "no manifest.json")],
)  # fmt: skip
def test_wrong_options_are_refused_before_ray_starts(refused, options, words):
    refused(GOOD, words, **options)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (pa.table({"description": ["a"], "estimate": [1.0]}), "already has the columns estimate"),
        (pa.table([["a"], ["b"]], names=["description"] * 2), "shop.parquet: .*'description' occurs more than once"),
        (pa.table({"description": pa.array([], pa.string())}), "shop.parquet is empty"),
        (pa.table({"sku": [1]}), "no column with a description"),
    ],
    ids=["taken", "twice", "no rows", "no description"],
)
def test_wrong_tables_are_refused_before_ray_starts(refused, table, words):
    refused(table, words)


def test_wrong_files_are_refused_before_ray_starts(refused, tmp_path):
    (tmp_path / "shop.csv").write_text("description\nthing\n")
    refused(tmp_path / "shop.csv", "no Parquet file", out="out.csv")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and then nothing")
    refused(tmp_path / "broken.parquet", "broken.parquet can't be read as Parquet")


def test_a_folder_that_is_none_is_refused_before_ray_starts(refused, tmp_path):
    pq.write_table(GOOD, tmp_path / "shop.parquet")
    with pytest.raises(ValueError, match="nowhere is not a folder"):
        predict_parquet(tmp_path / "nowhere", tmp_path / "shop.parquet", tmp_path / "out.parquet")


@pytest.mark.parametrize(
    ("address", "words"),
    [(None, "Ray did not start on this machine .try 2.*again"), ("auto", "'auto' can't be reached .try 1.*ray start")],
)
def test_ray_that_does_not_start_is_told_in_words(address, words):
    ray = slow_to_start(tries=3)
    with pytest.raises(ConnectionError, match=words), running(ray, 2, address):
        pytest.fail("it did not start")
    assert ray.done[-1] == "shutdown"


def test_a_start_that_takes_too_long_is_tried_again():
    ray = slow_to_start(tries=2)
    with running(ray, 2, None):
        assert ray.done == ["init", "shutdown", "init"]
    assert ray.done[-1] == "shutdown"


def slow_to_start(tries):
    """A stand-in for Ray that starts at one of several tries; ``done`` is what was asked of it."""
    done = []

    def init(**_):
        done.append("init")
        if done.count("init") < tries:
            raise Exception(f"try {done.count('init')}")  # as bare as Ray's own

    return SimpleNamespace(is_initialized=lambda: False, init=init, shutdown=lambda: done.append("shutdown"), done=done)


@pytest.mark.parametrize("there", [True, False], ids=["the caller's", "its own"])
def test_only_what_was_started_here_is_ended(there):
    done = []
    ray = SimpleNamespace(
        is_initialized=lambda: there, init=lambda **_: done.append("init"), shutdown=lambda: done.append("shutdown")
    )
    with pytest.raises(KeyError), running(ray, 2, None):
        assert done == ([] if there else ["init"])
        raise KeyError
    assert done == ([] if there else ["init", "shutdown"])


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
    assert share(there, workers, gpus) == expected


def test_more_gpus_than_there_are_is_refused():
    with pytest.raises(ValueError, match="Ray sees 1.*--gpus 0"):
        share(1, 2, 2)
