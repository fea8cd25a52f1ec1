"""The report of `pricelab run`: parsed as a browser would, from notebooks made here; nothing in it runs or loads."""

import base64
import html.parser
import io
import os
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pricelab import evaluation
from pricelab.notebooks import Outcome
from pricelab.run_findings import Claim, findings
from pricelab.run_report import NAME, Circumstances, page, write_report

ABOUT = Circumstances("smoke", "it was named", "tiny", "2 cores", "pricelab 0", "2026-01-01 10:00 UTC")
LOADING = {"src", "srcset", "data", "action", "poster", "background", "formaction", "xlink:href"}
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"' $x$"


class Parsed(html.parser.HTMLParser):
    """Every element with its attributes, and the text of the page without its style."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.inside = [], "", ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.inside = tag

    def handle_data(self, data):
        self.text += "" if self.inside == "style" else data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def png(width=60):
    made = io.BytesIO()
    Image.new("RGB", (width, 40), "white").save(made, "PNG")
    return base64.b64encode(made.getvalue()).decode()


def executed(path, *cells):
    """A notebook as if it had run: (source, outputs, metadata) of code cells, texts are markdown cells."""
    made = []
    for number, cell in enumerate(cells):
        if isinstance(cell, str):
            made.append(nbformat.v4.new_markdown_cell(cell, id=f"cell-{number}"))
        else:
            source, outputs, metadata = cell
            made.append(nbformat.v4.new_code_cell(source, outputs=outputs, metadata=metadata, id=f"cell-{number}"))
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)
    return path


def said(text, name="stdout"):
    return nbformat.v4.new_output("stream", text=text, name=name)


def shown(**data):
    return nbformat.v4.new_output("display_data", {key.replace("_", "/", 1): value for key, value in data.items()})


def workbook(folder):
    """Two notebooks, one of which failed, and the leaderboard."""
    table = '<table onclick="x()"><tr><td>LoRA<script>x()</script></td><td>$5</td></tr></table>'
    good = executed(
        folder / "a b.ipynb",
        "# 07 · Does `it` work?\n\n```python\n# no heading\n```\n## What it cost\n### Exercise 1 · Sums",
        ("figure", [shown(image_png=png(), text_plain="<Figure>")], {}),
        ("claim()", [said("shown: it works (+1.00 dollars, 95 % interval +0.50 to +1.50, n = 9)\nother text\n")], {}),
        ("table", [shown(text_html=table, text_plain="LoRA $5")], {"pricelab": {"report": "Side by side"}}),
        ("unmarked", [shown(text_html="<table><tr><td>not in the report</td></tr></table>")], {}),
    )
    board = evaluation.Leaderboard(folder / "board.json")
    board.add(evaluation.evaluate([10.0, 20.0, 30.0], [11.0, 18.0, 33.0], name=f"guess {HOSTILE}"), "test")
    error = f"cell 2:\n    {HOSTILE}\nValueError: \x1b[31mbroken\x1b[0m"
    return [Outcome(good, 61.0, good), Outcome(Path("bad <b onclick=x>.ipynb"), 4.0, None, error)], board


@pytest.fixture
def report(tmp_path):
    outcomes, board = workbook(tmp_path / "executed")
    path = write_report(outcomes, ABOUT, tmp_path / "executed", board)
    assert path == tmp_path / "executed" / NAME
    return Parsed(path.read_text(encoding="utf-8"))


def test_it_holds_everything_and_asks_for_nothing(report):
    assert not report.all("script") and not report.all("link") and not report.all("iframe")
    for tag, attributes in report.elements:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        for name in LOADING & set(attributes):
            assert attributes[name].startswith("data:image/png;base64,"), (tag, attributes)
        assert "url(" not in attributes.get("style", "")
    (policy,) = [each["content"] for each in report.all("meta") if each.get("http-equiv")]
    assert "default-src 'none'" in policy and "script" not in policy and "http" not in policy


def test_it_shows_leaderboard_comparison_claims_figures_and_times(report):
    for words in (
        "1 of 2 notebooks passed in 65 s", "profile smoke", "2 cores", "Rows with the same letter",
        "Side by side", "✓ shown:", "it works", "n = 9", "What it cost", "61 s",
    ):  # fmt: skip
        assert words in report.text
    assert "not in the report" not in report.text and "other text" not in report.text
    (picture,) = report.all("img")
    assert "What it cost" in picture["alt"]
    assert Image.open(io.BytesIO(base64.b64decode(picture["src"].partition(",")[2]))).size == (60, 40)
    widths = [each["style"] for each in report.all("span") if each.get("class") == "bar"]
    assert widths == ["width: 100.0%", "width: 6.6%"]


def test_a_failing_notebook_stands_there_with_its_error(report):
    assert "What failed" in report.text and "✗ failed" in report.text
    assert "ValueError: broken" in report.text and "\x1b" not in report.text
    assert "bad <b onclick=x>.ipynb" in report.text
    assert report.text.count(HOSTILE) == 2  # in the error, and as a model's name on the leaderboard


def test_links_lead_from_the_report_to_the_executed_notebooks(tmp_path):
    outcomes, board = workbook(tmp_path / "elsewhere")
    path = write_report(outcomes, ABOUT, tmp_path / "out", board)
    (link,) = [each["href"] for each in Parsed(path.read_text()).all("a") if not each["href"].startswith("#")]
    assert link == "../elsewhere/a%20b.ipynb"


def test_every_link_within_the_page_has_its_place(report):
    places = {attributes.get("id") for _, attributes in report.elements}
    links = {each["href"][1:] for each in report.all("a") if each["href"].startswith("#")}
    assert links and links <= places


def test_a_run_of_nothing_much_makes_a_page_too(tmp_path):
    text = Parsed(page([], [], ABOUT, tmp_path, None)).text
    assert "0 of 0 notebooks passed" in text and "Leaderboard" not in text


def test_it_is_made_for_paper_and_for_dark_themes(tmp_path):
    style = page([], [], ABOUT, tmp_path, None)
    assert "@media print" in style and "prefers-color-scheme: dark" in style and 'name="viewport"' in style


def test_a_claim_is_read_as_checks_prints_it(tmp_path, capsys):
    from pricelab.checks import claim

    for low, high in ((1.0, 3.0), (-3.0, -1.0), (-1.0, 3.0)):
        claim("LoRA (rank 8) beats it", (low + high) / 2, interval=(low, high), n=1200, unit="dollars an item")
    path = executed(tmp_path / "n.ipynb", ("x", [said(capsys.readouterr().out)], {}))
    found = findings(path).claims
    assert [each.verdict for each in found] == ["shown", "not shown; the opposite is supported", "undecided"]
    assert found[0] == Claim(
        "shown", "LoRA (rank 8) beats it", "+2.00 dollars an item, 95 % interval +1.00 to +3.00, n = 1,200"
    )


@given(st.text(max_size=60))
def test_whatever_a_notebook_holds_adds_no_element(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("any")
    clean = text.encode("utf-8", "replace").decode()
    path = executed(folder / "n.ipynb", f"# {clean}", ("x", [said(f"shown: {clean}")], {}))
    plain = executed(folder / "p.ipynb", "# x", ("x", [said("shown: x")], {}))
    tags = [
        [tag for tag, _ in Parsed(page([Outcome(one, 1.0, one)], [findings(one)], ABOUT, folder, None)).elements]
        for one in (path, plain)
    ]
    assert set(tags[0]) <= set(tags[1]) | {"h3", "ul", "li"}
    os.remove(path)
