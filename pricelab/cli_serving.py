"""Commands and options for many callers: `serve` over HTTP, and `predict`'s way to many workers.

`cli` adds the command to the others. Serving itself is left to `serving`, many workers to `many_workers`.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from pricelab.serving.settings import TOKEN_VARIABLE

Host = Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")]
Device = Annotated[str | None, typer.Option(help="cpu or cuda. Default: the GPU when there is one.")]
MaxBatch = Annotated[int, typer.Option(help="Texts that share a pass through the model; 1 switches batching off.")]
MaxWait = Annotated[float, typer.Option("--max-wait-ms", help="How long a text waits for company at most.")]
MaxQueue = Annotated[
    int, typer.Option(help="Texts that wait at most, fewer for a slow model; more are refused with 429.")
]
Engine = Annotated[
    Literal["here", "ray"],
    typer.Option(help="ray: many workers on one Parquet file, here or on a cluster (extra: ray)."),
]
Workers = Annotated[int, typer.Option(min=1, help="With --engine ray: predictors that work at the same time.")]
Gpus = Annotated[
    float | None, typer.Option(min=0, help="With --engine ray: GPUs for each worker. Default: 1 where there is one.")
]
Address = Annotated[
    str | None, typer.Option(help="With --engine ray: of a Ray cluster, such as auto. Default: this machine.")
]
LogTexts = Annotated[bool, typer.Option("--log-texts", help="Write product texts to the log as well.")]


def serve(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `pricelab finetune` wrote.")],
    host: Host = "127.0.0.1",
    port: Port = 8000,
    device: Device = None,
    max_batch: MaxBatch = 16,
    max_wait_ms: MaxWait = 5.0,
    max_queue: MaxQueue = 256,
    log_texts: LogTexts = False,
) -> None:
    """Answer price requests over HTTP until Ctrl-C; takes the extra `serve`.

    The base and the adapter are verified, loaded once and warmed up. With PRICELAB_TOKEN set, callers must send it as
    Authorization: Bearer TOKEN.

    Example: pricelab serve runs/shop --port 8000
    """
    from pricelab.serving import Limits
    from pricelab.serving import serve as run_server

    items = min(Limits.max_items, max_queue)
    limits = Limits(max_batch=max_batch, max_wait_ms=max_wait_ms, max_queue=max_queue, max_items=items)
    token = os.environ.get(TOKEN_VARIABLE) or None
    run_server(folder, host=host, port=port, device=device, limits=limits, token=token, log_texts=log_texts)


def predict_with_ray(
    folder: Path, file: Path, out: Path, workers: int, address: str | None, gpus: float | None,
    columns: Mapping[str, str] | None, overwrite: bool,
) -> int:  # fmt: skip
    """What `predict` does with ``--engine ray``; returns the rows."""
    from pricelab.many_workers import predict_parquet

    options = {"workers": workers, "address": address, "gpus": gpus, "columns": columns, "overwrite": overwrite}
    return predict_parquet(folder, file, out, **options)  # type: ignore[arg-type]
