"""Tell the notebooks where they live: the "Open in Colab" badge and the install source, for one GitHub repository.

A workbook that was never stamped carries no address at all: the set-up cell then asks for one. Stamping changes the
first two cells only; ids and outputs stay, and a source hash that was right stays right. Needs the extra ``lab``. What
the set-up cell does on Colab is `colab`'s.
"""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pricelab.files import write_text_atomic
from pricelab.normalise import source_hash

SET_UP = "set-up"  # id of the cell that installs
SOURCE = re.compile(r'^SOURCE = "(.*)"(?=  # @param)', re.MULTILINE)
BADGE = re.compile(r"\n\n\[!\[Open in Colab\]\([^()\s]*\)\]\([^()\s]*\)")
PICTURE = "https://colab.research.google.com/assets/colab-badge.svg"
NAME = r"[A-Za-z0-9][\w.-]*"
REPO = re.compile(rf"({NAME})/({NAME})")
REMOTE = re.compile(rf"(?:https://(?:[^@/]+@)?|ssh://git@|git@)github\.com[/:]({NAME}/{NAME}?)/?")
BRANCH = re.compile(r"(?!.*(?:\.\.|//))[\w][\w./-]*")


@dataclass(frozen=True)
class Place:
    """Where a workbook can be fetched from: a GitHub repository and a branch of it."""

    repo: str  # OWNER/NAME
    branch: str = "main"

    def __post_init__(self) -> None:
        if not REPO.fullmatch(self.repo):
            raise ValueError(f"{self.repo!r} is no repository; give OWNER/NAME, as in the repository's GitHub address")
        if not BRANCH.fullmatch(self.branch):
            raise ValueError(f"{self.branch!r} is no name of a branch")

    @property
    def source(self) -> str:
        """What pip installs."""
        return f"git+https://github.com/{self.repo}@{self.branch}"

    def badge(self, notebook: str) -> str:
        """The markdown of the badge that opens ``notebook`` (its path in the repository) on Colab."""
        address = f"https://colab.research.google.com/github/{self.repo}/blob/{self.branch}/{notebook}"
        return f"[![Open in Colab]({PICTURE})]({address})"


def repo_of_remote(folder: Path, remote: str = "origin") -> str:
    """OWNER/NAME of the GitHub repository that ``remote`` of the clone in ``folder`` points to.

    Raises `ValueError` when there is no such remote, or when it points elsewhere than to GitHub.
    """
    instead = "give it with --repo OWNER/NAME"
    try:
        asked = subprocess.run(["git", "remote", "get-url", remote], cwd=folder, capture_output=True, encoding="utf-8")
    except FileNotFoundError as error:
        raise ValueError(f"git is not installed, so the repository's address is unknown; {instead}") from error
    if asked.returncode:
        raise ValueError(f"there is no git remote {remote!r} that tells the repository's address; {instead}")
    return repo_of(asked.stdout.strip())


def repo_of(address: str) -> str:
    """OWNER/NAME of a GitHub address in its https or ssh form; `ValueError` for any other."""
    found = REMOTE.fullmatch(address.removesuffix("/").removesuffix(".git"))
    if not found:
        shown = re.sub(r"//[^@/]+@", "//…@", address)  # an address may hold a password
        raise ValueError(f"{shown!r} is no GitHub address, and Colab opens those; give the repository with --repo")
    return found[1]


def stamped(notebook: Any, path: str, place: Place | None) -> Any:
    """``notebook`` (nbformat's, changed in place) with the badge and the source of ``place``; None takes them out.

    Args:
        notebook: what `nbformat.read` gives.
        path: of the notebook in its repository, such as ``notebooks/00_start_here.ipynb``.
        place: where the workbook can be fetched from.

    Raises `ValueError` when the first cell has no title or there is no set-up cell.
    """
    title = notebook.cells[0]
    set_up = next((cell for cell in notebook.cells if cell.get("id") == SET_UP), None)
    if set_up is None or not SOURCE.search(set_up.source):
        raise ValueError(f"{path} has no cell {SET_UP!r} with a line SOURCE = … to stamp")
    heading, newline, rest = BADGE.sub("", title.source).partition("\n")
    if title.cell_type != "markdown" or not heading.startswith("# "):
        raise ValueError(f"{path} does not begin with a title, under which the badge would stand")
    was_right = notebook.metadata.get("pricelab", {}).get("source_hash") == source_hash(notebook)
    title.source = heading + (f"\n\n{place.badge(path)}" if place else "") + newline + rest
    set_up.source = SOURCE.sub(f'SOURCE = "{place.source if place else ""}"', set_up.source)
    if was_right:
        notebook.metadata["pricelab"]["source_hash"] = source_hash(notebook)
    return notebook


def stamp(notebooks: Sequence[Path], place: Place | None, *, check: bool = False) -> list[Path]:
    """Stamp the files ``notebooks``, or with ``place`` None take the stamp out; those that changed.

    With ``check`` nothing is written. Either all notebooks are fit to be stamped, or none is written.
    """
    import nbformat

    texts = {}
    for path in notebooks:
        before = path.read_text(encoding="utf-8")
        notebook = stamped(nbformat.reads(before, as_version=4), f"{path.resolve().parent.name}/{path.name}", place)
        after = nbformat.writes(notebook) + "\n"
        if after != before:
            texts[path] = after
    if not check:
        for path, text in texts.items():
            write_text_atomic(path, text)
    return list(texts)
