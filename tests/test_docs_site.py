"""The site: it builds without a warning, holds every page, finds words, and loads nothing from elsewhere."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
import yaml
from nbconvert.filters import markdown2html

import pricelab
from pricelab.stamp import PICTURE, SET_UP, Place, stamped

ROOT = Path(__file__).parents[1]
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src"}
STYLES = {"stylesheet", "preload", "prefetch", "preconnect", "dns-prefetch", "icon", "modulepreload"}


def load_hooks():
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs" / "site_hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hooks = load_hooks()


class Loads(HTMLParser):
    """What a browser fetches to show a page."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        if tag in LOADED and named.get(LOADED[tag]):
            self.found.append(named[LOADED[tag]])
        if tag == "link" and STYLES & set((named.get("rel") or "").split()):
            self.found.append(named.get("href") or "")


def loads(html):
    parser = Loads()
    parser.feed(html)
    return [*parser.found, *re.findall(r"@import\s+[\"']?([^\"';]+)", html)]


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


def place(source):
    """Where a page of the repository stands in the site."""
    path = source.relative_to(ROOT)
    folder = path.parent if path.stem == "README" else path.with_suffix("")
    return folder / "index.html"


def test_every_page_and_notebook_is_there(site):
    pages = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("data/**/*.md"),
        *ROOT.glob("notebooks/*.ipynb"),
    ]
    assert len(pages) > 25 and [page for page in pages if not (site / place(page)).is_file()] == []
    for notebook in ROOT.glob("notebooks/*.ipynb"):
        html = (site / place(notebook)).read_text(encoding="utf-8")
        assert "jp-OutputArea-output" in html and "<summary>Hint</summary>" in html


def test_pages_load_nothing_from_elsewhere_and_their_pictures_are_there(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        for target in loads(page.read_text(encoding="utf-8")):
            if target.startswith("data:"):
                continue
            assert "//" not in target, f"{page.relative_to(site)} loads {target}"
            start = site if target.startswith("/") else page.parent
            assert (start / target.lstrip("/").partition("?")[0]).resolve().is_file(), f"{page} wants {target}"
    for style in site.rglob("*.css"):
        found = re.findall(r"url\((?![\"']?data:)[^)]*//|@import", style.read_text(encoding="utf-8"))
        assert found == [], style


def test_search_finds_pages_notebooks_and_names(site):
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    places = {entry["location"].partition("#")[0] for entry in index["docs"]}
    assert {"docs/engine/", "notebooks/05_how_does_lora_work/", "reference/"} <= places
    assert any("pricelab.pricer.Pricer" in entry["location"] for entry in index["docs"])


def test_the_reference_holds_every_public_name_and_module(site):
    public = (site / "reference" / "index.html").read_text(encoding="utf-8")
    for name in set(pricelab.__all__) - {"__version__"}:
        assert re.search(rf'id="pricelab\.[\w.]+\.{name}"', public), name
    for layer, modules in hooks.by_layer().items():
        if layer:
            html = (site / hooks.page_of(layer).removesuffix(".md") / "index.html").read_text(encoding="utf-8")
            shown = [module for module in modules if not hooks.HIDDEN.search(module)]
            assert [module for module in shown if f'id="{hooks.dotted(module)}"' not in html] == []


def test_formulas_are_shown_without_a_script(site):
    html = (site / "notebooks" / "05_how_does_lora_work" / "index.html").read_text(encoding="utf-8")
    assert "<math" in html and not re.search(r"<p>[^<]*\$[^<$]+\$", html)


@pytest.mark.parametrize(
    ("html", "maths"),
    [
        ("<p>a $x^2$ b</p>", 1),
        ("<p>$$\\frac{a}{b}$$</p>", 1),
        ("<p>costs $5</p>", 0),
        ("<p><code>$a$</code></p>", 0),
        ("<p>$a &lt; b$ and $c$</p>", 2),
        ("<pre>$a$</pre>", 0),
    ],
)
def test_only_formulas_become_mathml(html, maths):
    shown = hooks.on_page_content(html, None, None, None)
    assert shown.count("<math") == maths and ("$" in shown) == (maths == 0)


def test_a_stamped_notebook_keeps_its_link_to_colab_and_loads_no_badge():
    cells = [nbformat.v4.new_markdown_cell("# 00 · A title"), nbformat.v4.new_code_cell('SOURCE = ""  # @param')]
    cells[1]["id"] = SET_UP
    notebook = stamped(nbformat.v4.new_notebook(cells=cells), "notebooks/00.ipynb", Place("someone/pricelab"))
    rendered = markdown2html(notebook.cells[0].source)
    assert loads(rendered) == [PICTURE]
    shown = hooks.on_post_page(rendered + '<img src="plot.png" alt="A plot">', None, None)
    assert loads(shown) == ["plot.png"]
    address = "https://colab.research.google.com/github/someone/pricelab/blob/main/notebooks/00.ipynb"
    assert re.search(rf'<a href="{address}"[^>]*>Open in Colab</a>', shown)


# ---- the order of reading


def test_every_module_has_a_layer_and_every_name_in_a_layer_is_a_module():
    assert hooks.by_layer()[""] == [], "give it a place in LAYERS of docs/site_hooks.py"
    listed = [name for names in hooks.LAYERS.values() for name in names.split()]
    assert len(set(listed)) == len(listed)
    assert [n for n in listed if "*" not in n and n not in hooks.modules()] == []
    assert [n for n in listed if "*" in n and not (ROOT / "pricelab" / n[:-2]).is_dir()] == []


def test_the_reading_order_names_modules_and_notebooks_that_exist():
    rows = re.findall(
        r"^\| (\d+) \| `(\S+)` \| (.+) \| (.+) \|$", (ROOT / hooks.READING).read_text("utf-8"), re.MULTILINE
    )
    assert [int(number) for number, *_ in rows] == list(range(1, len(rows) + 1)) and len(rows) > 15
    paths = [path for _, path, *_ in rows]
    assert len(set(paths)) == len(paths) and all((ROOT / path).is_file() for path in paths)
    numbers = {number for *_, notebooks in rows for number in notebooks.split(", ") if notebooks != "all"}
    assert numbers <= {path.name[:2] for path in ROOT.glob("notebooks/*.ipynb")}
    layers = {layer for layer, names in hooks.by_layer().items() for path in paths if path[9:-3] in names}
    assert layers == set(hooks.LAYERS) - {"What all use"}


def test_commands_that_contributing_names_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"\bmake ([a-z-]+)", text))
    assert {"test", "notebooks", "docs"} <= targets
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_ci_builds_the_site():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert any(step.get("run") == "make docs" for step in steps)
