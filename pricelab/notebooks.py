"""Execute notebooks one after another, show how far they are, and say which failed.

Needs the packages of the extra ``lab``. What the cells do is theirs; sizes reach them through the profile's
environment variable. How executed notebooks are cleaned is left to `normalise`.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pricelab.files import write_text_atomic
from pricelab.kernels import this_python
from pricelab.normalise import normalise
from pricelab.profiles import VARIABLE

SHOWN_ERROR_LINES = 12


@dataclass(frozen=True)
class Outcome:
    """How one notebook went."""

    notebook: Path
    seconds: float
    copy: Path | None = None  # where the executed notebook was written; None if nowhere
    error: str = ""  # the failing cell's source and error; empty when the notebook passed


def find_notebooks(names: Sequence[str | Path] = ()) -> list[Path]:
    """The named notebooks, or all of ``notebooks/`` in the working directory, else beside the package.

    A name is a path, or the beginning of a file name there ("07"). Raises `ValueError` when one fits nothing.
    """
    folders = (Path("notebooks"), Path(__file__).parents[1] / "notebooks")
    workbook = next((found for folder in folders if (found := sorted(folder.glob("*.ipynb")))), [])
    if not names:
        if not workbook:
            raise ValueError("no notebooks here; name some, or run this in a clone of pricelab's repository")
        return workbook
    return [path for name in names for path in _named(str(name), workbook)]


def _named(name: str, workbook: list[Path]) -> list[Path]:
    if name.endswith(".ipynb") and Path(name).is_file():
        return [Path(name)]
    if found := [path for path in workbook if path.name.startswith(name)]:
        return found
    known = ", ".join(path.stem for path in workbook) or "none"
    raise ValueError(f"no notebook {name!r}; give a path to an .ipynb file, or the beginning of one of: {known}")


def run(
    notebooks: Sequence[Path], out: Path | None, profile: str, *, in_place: bool = False, quiet: bool = False
) -> list[Outcome]:
    """Execute ``notebooks`` in order; one that fails doesn't stop the next.

    Executed copies go to ``out``. With ``in_place`` a notebook that passed is normalised and written over its
    source instead. Raises `ValueError` when the extra ``lab`` is missing, or when two notebooks would become
    one copy.
    """
    _require_lab()
    names = [path.name for path in notebooks]
    if not in_place and len(set(names)) < len(names):
        raise ValueError(f"some notebooks share a file name: {', '.join(sorted(names))}; run them one by one")
    outcomes = []
    for number, path in enumerate(notebooks, start=1):
        with _progress(f"{number}/{len(notebooks)} {path.name}", quiet) as show:
            outcomes.append(_run_one(path, out, profile, in_place, show))
        if not quiet:
            print(_told(outcomes[-1]), flush=True)
    return outcomes


def _run_one(path: Path, out: Path | None, profile: str, in_place: bool, show: Callable) -> Outcome:
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    started = time.monotonic()
    error = execute(notebook, path.parent, profile, show)
    seconds = time.monotonic() - started
    copy = None
    if in_place and not error:
        images = path.resolve().parents[1] / "docs" / "images"
        copy, notebook = path, normalise(notebook, profile, images=images, seconds=seconds)
    elif out is not None and not in_place:
        copy = out / path.name
    if copy:
        write_text_atomic(copy, nbformat.writes(notebook) + "\n")
    return Outcome(path, seconds, copy, error)


def execute(notebook: Any, folder: Path, profile: str, show: Callable[[int, int], None]) -> str:
    """Run the cells of ``notebook`` in ``folder`` with this very Python; outputs are written into it.

    ``show(cell, cells)`` is called before each cell. Returns "" or the first failing cell's
    source and error; the cells after it are not run.
    """
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    manager = AsyncKernelManager(kernel_spec_manager=this_python()())
    client = NotebookClient(notebook, km=manager, timeout=None, record_timing=False, coalesce_streams=True)
    environment = {**os.environ, VARIABLE: profile}
    cells = notebook.cells
    with client.setup_kernel(cleanup_kc=True, cwd=str(folder.resolve()), env=environment):
        for index, cell in enumerate(cells):
            show(index + 1, len(cells))
            try:
                client.execute_cell(cell, index)
            except (CellExecutionError, DeadKernelError) as error:
                return _failure(index + 1, cell.source, error)
        client.set_widgets_metadata()
    return ""


def _failure(number: int, source: str, error: Exception) -> str:
    if name := getattr(error, "ename", ""):
        told = f"{name}: {getattr(error, 'evalue', '')}"
    else:
        told = f"the kernel died ({error}); the machine may have run out of memory"
    lines = source.splitlines()
    shown = lines[:SHOWN_ERROR_LINES] + (["…"] if len(lines) > SHOWN_ERROR_LINES else [])
    return "\n".join([f"cell {number}:", *(f"    {line}" for line in shown), told])


def _told(outcome: Outcome) -> str:
    word = "failed" if outcome.error else "passed"
    return f"{word}  {outcome.notebook.name}  {outcome.seconds:.0f} s"


def _progress(label: str, quiet: bool) -> Any:
    from contextlib import contextmanager

    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    @contextmanager
    def bar() -> Any:
        columns = (TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        with Progress(*columns, transient=True, disable=quiet or not sys.stdout.isatty()) as progress:
            task = progress.add_task(label)
            yield lambda cell, cells: progress.update(task, description=f"{label}  cell {cell} of {cells}")

    return bar()


def _require_lab() -> None:
    try:
        import ipykernel  # noqa: F401
        import nbclient  # noqa: F401
    except ImportError as error:
        raise ValueError(f'{error.name} is missing; install it with: pip install "pricelab[lab]"') from error


def report(outcomes: Sequence[Outcome]) -> str:
    """Which notebooks passed and failed, each failing cell, the leaderboard, and where the results are."""
    failed = [outcome for outcome in outcomes if outcome.error]
    lines = [f"\n{outcome.notebook.name}, {outcome.error}" for outcome in failed]
    lines += ["", *_leaderboard(), *(_told(outcome) for outcome in outcomes)]
    seconds = sum(outcome.seconds for outcome in outcomes)
    lines.append(f"{len(outcomes) - len(failed)} of {len(outcomes)} notebooks passed in {seconds:.0f} s")
    if folders := sorted({str(outcome.copy.parent) for outcome in outcomes if outcome.copy}):
        lines.append(f"executed notebooks are in {', '.join(folders)}")
    return "\n".join(lines)


def _leaderboard() -> list[str]:
    from pricelab.evaluation import Leaderboard
    from pricelab.needs import leaderboard_path

    path = leaderboard_path()
    return [str(Leaderboard(path)), ""] if path.is_file() else []
