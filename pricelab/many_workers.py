"""A Parquet file priced by many workers, on this machine or a cluster: ``pricelab predict … --engine ray``.

Ray Data hands out windows of rows; each worker holds one `Pricer` and reads its windows from the file itself, so all of
them must see the folder and the file under the same path. Answers come back in the windows' order, and the process that
asked writes them beside the rows. A worker that dies is replaced and its window handed out again. Needs the extra
``ray``. One worker, any format and going on after an interruption are left to `batch`. Prices in US dollars;
``docs/serving-many.md`` has the arithmetic.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pricelab.batch import PRICES, WINDOW, answer_of, check_columns, check_output

Window = tuple[int, int, int]  # row group, first row in it, rows
Load = Callable[[str], Any]  # folder → a Pricer


def predict_parquet(
    folder: Path, source: Path, out: Path, *, workers: int = 2, address: str | None = None,
    gpus: float | None = None, columns: Mapping[str, str] | None = None, overwrite: bool = False,
    window_rows: int = WINDOW, load: Load | None = None,
) -> int:  # fmt: skip
    """Write ``source`` to ``out``, rows and columns in order, with estimate, low, high and warning; returns the rows.

    Args:
        folder: what `finetune` left.
        source: a Parquet file.
        out: the Parquet file to write; it appears whole or not at all.
        workers: how many predictors work at the same time.
        address: of a Ray cluster, such as ``"auto"``; None starts Ray on this machine.
        gpus: that a worker takes, 0.5 for two on one; by default 1 where there is a GPU. There are no more workers than
            GPUs for them.
        columns: as for `batch.predict_file`.
        overwrite: replace ``out``.
        window_rows: rows that a worker is handed at a time.
        load: makes a worker's predictor from ``folder``; by default `Pricer.load`.

    Raises:
        ValueError: Ray is missing, another format, columns that are already there, an existing ``out`` unless
            ``overwrite``, or more ``gpus`` than there are.
    """
    import pyarrow.parquet as pq

    from pricelab.columns import find_columns
    from pricelab.tables import file_kind

    ray = _ray()
    check_output(source, out, overwrite)
    if file_kind(source) != "Parquet":
        raise ValueError(f"{source} is no Parquet file; many workers read only those, leave --engine out")
    if workers < 1 or window_rows < 1:
        raise ValueError(f"{workers} workers and windows of {window_rows} rows; give at least 1 of each")
    if gpus is not None and gpus < 0:
        raise ValueError(f"{gpus} GPUs for a worker; give 0 or more")
    file = pq.ParquetFile(source)
    check_columns(source, file.schema_arrow.names)
    found = find_columns(file.schema_arrow.names, columns, price_required=False)
    windows = list(_windows(file, window_rows))
    with _running(ray, workers, address):
        asked = (str(folder.resolve()), str(source.resolve()), found.title, found.description, load)
        workers, device = _share(ray.cluster_resources().get("GPU", 0), workers, gpus)
        return _write(file, out, windows, _answers(ray, windows, workers, device, asked))


def _ray() -> Any:
    try:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported anywhere
        import ray
        import ray.data
    except ImportError as error:
        raise ValueError('Ray is missing; install it with: pip install "pricelab[ray]"') from error
    return ray


class _running:
    """Ray for the time of a block: the cluster at ``address``, or one of its own on this machine."""

    def __init__(self, ray: Any, workers: int, address: str | None) -> None:
        self.ray, self.workers, self.address = ray, workers, address

    def __enter__(self) -> None:
        if self.ray.is_initialized():
            self.ray.shutdown()
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if self.address:
            self.ray.init(address=self.address, **quiet)
        else:
            os.environ.setdefault("RAY_AUTH_MODE", "disabled")
            cores = max(self.workers, os.cpu_count() or 1)
            self.ray.init(num_cpus=cores, include_dashboard=False, _node_ip_address="127.0.0.1", **quiet)

    def __exit__(self, *_: Any) -> None:
        self.ray.shutdown()


def _windows(file: Any, rows: int) -> Iterator[Window]:
    for group in range(file.num_row_groups):
        total = file.metadata.row_group(group).num_rows
        for first in range(0, total, rows):
            yield group, first, min(rows, total - first)


def _share(there: float, workers: int, gpus: float | None) -> tuple[int, dict[str, float]]:
    """How many workers, and what Ray sets aside for each: its share of the GPUs that are ``there``, or a core."""
    gpus = min(1.0, there) if gpus is None else gpus
    if not gpus:
        return workers, {"num_cpus": 1}
    if gpus > there:
        raise ValueError(f"{gpus:g} GPUs for a worker, but Ray sees {there:g}; give fewer, or --gpus 0 to use cores")
    return min(workers, int(there / gpus)), {"num_gpus": gpus}


def _answers(
    ray: Any, windows: list[Window], workers: int, device: dict[str, float], asked: tuple[Any, ...]
) -> Iterator[tuple[int, list[Any]]]:
    """(number of the window, its answers), in the windows' order: Ray holds those that are early, in its store."""
    items = [{"number": number, "window": list(window)} for number, window in enumerate(windows)]
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars, context.execution_options.preserve_order = False, True
    tasks = ray.data.from_items(items, override_num_blocks=max(1, len(items)))
    pool = ray.data.ActorPoolStrategy(size=min(workers, max(1, len(items))))
    done = tasks.map_batches(_Worker, fn_constructor_args=asked, compute=pool, batch_size=1, **device)
    for row in done.iter_rows():
        yield int(row["number"]), json.loads(row["answers"])


class _Worker:
    """One predictor, which answers windows of the file."""

    def __init__(self, folder: str, source: str, title: str | None, description: str | None, load: Load | None) -> None:
        import pyarrow.parquet as pq

        from pricelab.pricer import Pricer

        self.pricer = load(folder) if load else Pricer.load(folder)
        self.title, self.description = title, description
        self.rows = _Rows(pq.ParquetFile(source), [name for name in (title, description) if name])

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[Any]]:
        answers = [json.dumps(self._price(tuple(int(n) for n in window))) for window in batch["window"]]
        return {"number": [int(number) for number in batch["number"]], "answers": answers}

    def _price(self, window: Any) -> list[list[Any]]:
        from pricelab.items import listing_text

        table = self.rows.of(window)
        cells = {name: [str(value or "") for value in table[name].to_pylist()] for name in table.column_names}
        blank = [""] * table.num_rows
        titles, texts = (cells[name] if name else blank for name in (self.title, self.description))
        return self._each([listing_text(*pair) for pair in zip(titles, texts, strict=True)])

    def _each(self, texts: list[str]) -> list[list[Any]]:
        """One answer for each text; a text that the predictor fails on keeps its place with the reason."""
        try:
            return [list(answer_of(estimate).values()) for estimate in self.pricer.estimate(texts)]
        except Exception as error:  # whatever it is, it must cost one row and not the whole job
            if len(texts) == 1:
                return [[None, None, None, f"could not be priced ({type(error).__name__})"]]
            return [answer for text in texts for answer in self._each([text])]


class _Rows:
    """The rows of windows; a row group can only be read whole, so it is kept for the windows that follow."""

    def __init__(self, file: Any, names: list[str] | None = None) -> None:
        self.file, self.names, self.group, self.table = file, names, -1, None

    def of(self, window: Window) -> Any:
        group, first, rows = window
        if group != self.group:
            self.table = None  # so that no two are held at a time
            self.table, self.group = self.file.read_row_group(group, columns=self.names), group
        return self.table.slice(first, rows)  # type: ignore[attr-defined]


def _write(file: Any, out: Path, windows: list[Window], answers: Iterator[tuple[int, list[Any]]]) -> int:
    """Write each window's rows with its answers, which come in the windows' order."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from pricelab.files import replacing

    added = [pa.field(name, pa.float64()) for name in PRICES] + [pa.field("warning", pa.string())]
    schema = pa.schema([*file.schema_arrow, *added], metadata=file.schema_arrow.metadata)
    source, turn, rows = _Rows(file), 0, 0
    with replacing(out) as new, pq.ParquetWriter(new, schema) as writer:
        for number, found in answers:
            if number != turn:
                raise RuntimeError(f"the answers of window {number} came in the place of {turn}; nothing was written")
            table = source.of(windows[turn])
            for field, values in zip(added, zip(*found, strict=True), strict=True):
                table = table.append_column(field, pa.array(values, field.type))
            writer.write_table(table.cast(schema))
            turn, rows = turn + 1, rows + table.num_rows
        if turn != len(windows):
            raise RuntimeError(f"{len(windows) - turn} of {len(windows)} windows of rows got no answer")
    return rows
