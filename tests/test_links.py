"""Links of the pages and notebooks, without a network: files, sections and pictures exist, addresses are whole.

What an outside address answers isn't asked here; only its form is checked.
"""

import json
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("data/**/*.md"),
        ROOT / "pricelab/workshop/datasheet.md",
    ]
)
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))
NAMED = re.compile(
    r"(?<![\w./-])((?:docs|pricelab|tests|benchmarks|notebooks)/[\w./-]*\w\.(?:py|md|ipynb|json|png|csv))\b"
)
STAND_INS = re.compile(r"OWNER|REPO\b|YOUR|USER/|<|\{|://(?:www\.)?example\.")
HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}")

every_text = pytest.mark.parametrize("path", [*PAGES, *NOTEBOOKS], ids=lambda path: path.relative_to(ROOT).as_posix())


@dataclass(frozen=True)
class Text:
    """What a reader sees of a page: its links and pictures, and the sections that a link can lead to."""

    targets: tuple[str, ...]
    sections: frozenset[str]


class _Tags(HTMLParser):
    """Addresses and ids of the HTML inside Markdown."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.targets.append(value)
            elif name in ("id", "name") and value:
                self.ids.append(value)


def markdown(path: Path) -> str:
    """A page's Markdown, or that of all cells of a notebook."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
    return "\n\n".join("".join(cell["source"]) for cell in cells)


def section(heading: str, notebook: bool = False) -> str:
    """The anchor of a heading: repository pages write it small, without punctuation; JupyterLab only joins words."""
    if notebook:
        return heading.strip().replace(" ", "-")
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def look_at(text: str, notebook: bool = False) -> Text:
    """Links, pictures and sections of Markdown, with those in its HTML."""
    tags, targets, sections = _Tags(), [], []
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            words = "".join(part.content for part in tokens[place + 1].children if part.type in ("text", "code_inline"))
            sections.append(section(words, notebook))
        for part in (token, *(token.children or ())):
            if part.type in ("html_block", "html_inline"):
                tags.feed(part.content)
            targets += [str(part.attrs[name]) for name in ("href", "src") if name in part.attrs]
    return Text((*targets, *tags.targets), frozenset((*sections, *tags.ids)))


def fault(target: str, path: Path) -> str:
    """What is wrong with a link in ``path``; empty when nothing is."""
    parts = urlsplit(target)
    if parts.scheme == "mailto":
        return ""
    if parts.scheme or parts.netloc:
        if STAND_INS.search(target):
            return f"{target} stands in for an address"
        whole = parts.scheme == "https" and HOST.fullmatch(parts.netloc) and " " not in target
        return "" if whole else f"{target} is no whole https address"
    there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if parts.path.startswith("/") or not there.is_relative_to(ROOT) or not there.exists():
        return f"{target} leads nowhere"
    if parts.fragment and there.suffix in (".md", ".ipynb"):
        notebook = there.suffix == ".ipynb"
        if parts.fragment not in look_at(markdown(there), notebook).sections:
            return f"{target} names a section that isn't there"
    return ""


@every_text
def test_every_link_leads_somewhere(path):
    found = look_at(markdown(path), path.suffix == ".ipynb").targets
    assert [told for target in found if (told := fault(target, path))] == []


@every_text
def test_every_file_that_is_named_exists(path):
    assert [name for name in NAMED.findall(markdown(path)) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("folder", ["pricelab", "benchmarks"])
def test_every_file_that_code_names_exists(folder):
    named = {
        (path.name, name)
        for path in (ROOT / folder).rglob("*.py")
        for name in NAMED.findall(path.read_text(encoding="utf-8"))
    }
    assert named and not [(by, name) for by, name in named if not (ROOT / name).exists()]


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("docs/engine.md", ""),
        ("README.md#start", ""),
        ("#start", ""),
        ("https://semver.org/", ""),
        ("docs/nothing.md", "nowhere"),
        ("/docs/engine.md", "nowhere"),
        ("../etc/hosts", "nowhere"),
        ("README.md#no-such", "section"),
        ("#no-such", "section"),
        ("http://semver.org/", "https"),
        ("https://semver", "https"),
        ("ftp://semver.org/", "https"),
        ("https://github.com/OWNER/NAME", "stands in"),
        ("https://example.com/x", "stands in"),
    ],
)
def test_faulty_links_are_told(target, told):
    found = fault(target, ROOT / "README.md")
    assert told in found and bool(told) == bool(found)


def test_links_in_html_and_in_tables_are_seen_and_code_is_not():
    text = '| a |\n|---|\n| [x](one.md) |\n\n<a id="here"></a><img src="two.png">\n\n`[y](three.md)`\n\n## A `b`, c!\n'
    assert look_at(text) == Text(("one.md", "two.png"), frozenset({"here", "a-b-c"}))
