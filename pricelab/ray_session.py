"""Ray for the time of a job, started here only where the caller has none; what runs on it is left to `many_workers`.

Needs the extra ``ray``.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

TRIES = 2  # to start Ray here: it gives its processes 30 seconds, which a busy machine may exceed


def import_ray() -> Any:
    """The package; `ValueError` says how to install it."""
    try:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported anywhere
        import ray
        import ray.data
    except ImportError as error:
        raise ValueError('Ray is missing; install it with: pip install "pricelab[ray]"') from error
    return ray


@contextmanager
def running(ray: Any, workers: int, address: str | None) -> Iterator[None]:
    """Ray for the time of a block: the caller's session, the cluster at ``address``, or one on this machine.

    Raises `ConnectionError` when Ray does not start or the cluster can't be reached.
    """
    if ray.is_initialized():
        yield
        return
    try:
        _start(ray, workers, address)
        yield
    finally:
        ray.shutdown()


def _start(ray: Any, workers: int, address: str | None, tries: int = TRIES) -> None:
    options: dict[str, Any] = {"address": address}
    if not address:
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
        cores = max(workers, os.cpu_count() or 1)
        options = {"num_cpus": cores, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    try:
        ray.init(log_to_driver=False, logging_level="ERROR", **options)
    except Exception as error:  # Ray raises a bare one when its processes don't come up
        if address:
            cure = "start it there with `ray start --head`, or leave --address out"
            raise ConnectionError(f"Ray at {address!r} can't be reached ({error}); {cure}") from error
        if tries == 1:
            cure = "run the command again when the machine is less busy"
            raise ConnectionError(f"Ray did not start on this machine ({error}); {cure}") from error
        ray.shutdown()
        _start(ray, workers, address, tries - 1)


def share(there: float, workers: int, gpus: float | None) -> tuple[int, dict[str, float]]:
    """How many workers, and what Ray sets aside for each: its share of the GPUs that are ``there``, or a core.

    Raises `ValueError` for more ``gpus`` than that.
    """
    gpus = min(1.0, there) if gpus is None else gpus
    if not gpus:
        return workers, {"num_cpus": 1}
    if gpus > there:
        raise ValueError(f"{gpus:g} GPUs for a worker, but Ray sees {there:g}; give fewer, or --gpus 0 to use cores")
    return min(workers, int(there / gpus)), {"num_gpus": gpus}
