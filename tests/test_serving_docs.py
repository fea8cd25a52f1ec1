"""The pages on serving: their tables are what the command writes, and their links and commands exist."""

import re

import pytest

from benchmarks.results import ROOT
from benchmarks.serving_docs import MANY_PAGE, PAGE, many_page, page

PAGES = sorted((ROOT / "docs").glob("serving*.md"))


@pytest.mark.parametrize(("path", "write"), [(PAGE, page), (MANY_PAGE, many_page)], ids=["serving", "many"])
def test_the_tables_are_what_the_command_writes(path, write):
    assert write() == path.read_text(encoding="utf-8"), "run: python -m benchmarks.serving_docs"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_and_files_that_are_named_exist(path):
    text = path.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    named = re.findall(r"`((?:tests|pricelab)/[\w/]+\.py)`", text)
    assert [link for link in links if not (path.parent / link).exists()] == []
    assert [name for name in named if not (ROOT / name).exists()] == []
