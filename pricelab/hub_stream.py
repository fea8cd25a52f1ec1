"""Stream a large text file of a dataset on the model hub, line by line, without keeping it.

A connection that breaks is taken up again where it broke, and the end is only believed when as many bytes came as the
hub promised. ``HF_ENDPOINT`` names another hub, as in huggingface_hub. What the lines mean is left to ``amazon``.
Notebook 02 introduces it.
"""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from pricelab.show import progress_stream

TRIES = 5  # in a row without a single byte between them
TIMEOUT_S = 30.0
MAX_WAIT_S = 16.0


@dataclass(frozen=True)
class HubFile:
    """One file at one commit."""

    url: str
    commit: str  # the hub's, as it answered
    size: int  # bytes


def find_file(repo: str, path: str, revision: str) -> HubFile:
    """Ask the hub for a dataset's file.

    Raises:
        ValueError: the hub has no such file.
        ConnectionError: it did not answer, or not as a hub does.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
    url = hf_hub_url(repo, path, repo_type="dataset", revision=revision, endpoint=endpoint)
    try:
        found = get_hf_file_metadata(url, timeout=TIMEOUT_S)
    except (EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise ValueError(f"the hub has no {path} in the dataset {repo} at {revision[:12]} ({url})") from error
    except Exception as error:
        raise _no_answer(url, error) from error
    if found.commit_hash is None or found.size is None:
        raise ConnectionError(f"{url} answered, but not as a model hub does; check HF_ENDPOINT and the network's proxy")
    return HubFile(url, found.commit_hash, found.size)


def read_lines(file: HubFile, max_bytes: int, title: str, progress: bool = True) -> Iterator[bytes | None]:
    """Every line without its end; None in place of one longer than ``max_bytes``, which is never held in memory.

    Raises:
        ConnectionError: the stream broke and could not be taken up again.
    """
    return _split(_resumed(file, title, progress), max_bytes)


def _split(chunks: Iterable[bytes], max_bytes: int) -> Iterator[bytes | None]:
    rest, too_long = b"", False
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield None if too_long or len(line) > max_bytes else line
            too_long = False
        if len(rest) > max_bytes:
            rest, too_long = b"", True
    if rest or too_long:
        yield None if too_long else rest


def _resumed(file: HubFile, title: str, progress: bool) -> Iterator[bytes]:
    """The file's bytes through as many connections as it takes."""
    from tqdm import tqdm

    done, failures = 0, 0
    options: dict[str, Any] = {"unit": "B", "unit_scale": True, "leave": False, "file": progress_stream()}
    with tqdm(total=file.size, desc=title, disable=not progress, **options) as bar:
        while done < file.size:
            chunks = _from(file, done)
            try:
                for chunk in chunks:
                    done, failures = done + len(chunk), 0
                    bar.update(len(chunk))
                    yield chunk
            except _Broken as broken:
                error = broken.__cause__ or broken
            else:
                error = EOFError(f"the hub stopped after {done:,} of {file.size:,} bytes")
            if done > file.size:
                raise ConnectionError(f"{file.url} sent {done:,} bytes instead of {file.size:,}; try again")
            if done < file.size:
                failures += 1
                if failures >= TRIES:
                    raise _no_answer(file.url, error) from error
                time.sleep(min(2.0 ** (failures - 1), MAX_WAIT_S))


class _Broken(Exception):
    """A connection failed; the cause says how."""


def _from(file: HubFile, start: int) -> Iterator[bytes]:
    """The bytes from ``start`` on through one connection."""
    from huggingface_hub import get_session
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    headers = {**build_hf_headers(), "Accept-Encoding": "identity", "Range": f"bytes={start}-"}
    with ExitStack() as stack:
        try:
            stream = get_session().stream("GET", file.url, headers=headers, timeout=TIMEOUT_S, follow_redirects=True)
            response = stack.enter_context(stream)
            hf_raise_for_status(response)
            chunks = (
                response.iter_bytes()
            )  # as they come: a larger piece would be lost whole when the connection breaks
        except Exception as error:
            raise _Broken from error
        skip = start if response.status_code == 200 else 0  # a server that knows no ranges begins at the beginning
        while chunk := _next(chunks):
            kept, skip = chunk[skip:], max(0, skip - len(chunk))
            if kept:
                yield kept


def _next(chunks: Iterator[bytes]) -> bytes:
    try:
        return next(chunks, b"")
    except Exception as error:
        raise _Broken from error


def _no_answer(url: str, error: BaseException) -> ConnectionError:
    why = str(error).strip().splitlines() or [type(error).__name__]
    return ConnectionError(
        f"the hub did not answer as it should for {url} ({why[0]}); check the network, a proxy and HF_ENDPOINT, and "
        "that HF_HUB_OFFLINE is not set, then run this again: nothing half done was kept"
    )
