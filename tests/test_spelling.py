"""Spelling: of the pages, the notebooks' prose and code, and the library with its docstrings (`codespell`).

Words that codespell takes for mistakes and that are none stand in ``pyproject.toml``, under ``tool.codespell``.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
READ = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile", "pyproject.toml", "environment.yml"]


def misspelt(*paths: Path) -> list[str]:
    """What codespell says of files, one line a mistake."""
    settings = ["--toml", str(ROOT / "pyproject.toml")]
    command = [sys.executable, "-m", "codespell_lib", *settings, *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode in (0, 65), done.stderr
    return done.stdout.splitlines()


def sources_of(notebook: Path) -> str:
    """What a reader of the notebook reads, without its outputs."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells)


def test_pages_and_library_are_spelt_rightly():
    pages = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("data/**/*.md"), *(ROOT / name for name in READ)]
    code = [
        path
        for folder in ("pricelab", "benchmarks")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".md")
    ]
    assert misspelt(*(path for path in (*pages, *code) if path.exists())) == []


def test_notebooks_are_spelt_rightly(tmp_path):
    for notebook in ROOT.glob("notebooks/*.ipynb"):
        (tmp_path / f"{notebook.stem}.md").write_text(sources_of(notebook), encoding="utf-8")
    assert len(list(tmp_path.iterdir())) == 13
    assert misspelt(tmp_path) == []


@pytest.mark.parametrize(("text", "mistakes"), [("The reciever is an adress.", 2), ("Colour, normalise, bf16.", 0)])
def test_a_mistake_is_found(tmp_path, text, mistakes):
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    assert len(misspelt(tmp_path / "page.md")) == mistakes
