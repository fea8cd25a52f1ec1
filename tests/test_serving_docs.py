"""The pages on serving: their tables are what the command writes, and their links and commands exist."""

import inspect
import re

import pytest

from benchmarks import serving
from benchmarks.results import RESULTS, ROOT
from benchmarks.serving import REPEATS
from benchmarks.serving_docs import (
    MANY_PAGE,
    MODAL_PAGE,
    PAGE,
    PROMPT_TOKENS,
    TREE_TOKENS,
    aim_words,
    cold_table,
    many_page,
    modal_page,
    modal_table,
    page,
)
from pricelab import load_catalog
from pricelab.base_files import locate
from pricelab.bases import load_tokenizer
from pricelab.decoding import _steps
from pricelab.files import cache_dir, read_json
from pricelab.price_format import WHOLE_DOLLARS
from pricelab.prompt import prompt_tokens
from pricelab.smollm2 import WHEEL

PAGES = sorted((ROOT / "docs").glob("serving*.md"))


@pytest.mark.parametrize(
    ("path", "write"),
    [(PAGE, page), (MANY_PAGE, many_page), (MODAL_PAGE, modal_page)],
    ids=["serving", "many", "modal"],
)
def test_the_tables_are_what_the_command_writes(path, write):
    assert write() == path.read_text(encoding="utf-8"), "run: python -m benchmarks.serving_docs"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_and_files_that_are_named_exist(path):
    text = path.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    named = re.findall(r"`((?:tests|pricelab)/[\w/]+\.py)`", text)
    assert [link for link in links if not (path.parent / link).exists()] == []
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_which_predictor_reached_the_aim_is_what_was_measured():
    def facts(**faster):
        return {"predictors": {base: {"load": [{"clients": 30, "times_faster": {"median": times}}]}
                               for base, times in faster.items()}}  # fmt: skip

    words = aim_words(facts(small=4.0, large=3.99))
    assert "`small` (4.00 times) reached it, `large` (3.99 times) did not" in words
    assert "did not" not in aim_words(facts(small=4.0)) and "reached it" not in aim_words(facts(large=1.0))
    assert "On a GPU it was 10 times; none was measured" in words


def test_the_assumed_tokens_of_a_price_are_those_of_prompt_and_tree():
    tree = _steps(WHOLE_DOLLARS, tuple("0123456789")).after
    assert len(tree) - 1 == TREE_TOKENS  # all but the empty beginning, which is the prompt's last token


@pytest.mark.slow
@pytest.mark.skipif(not (cache_dir() / "wheels" / WHEEL).exists(), reason="SmolLM2 is not in the cache")
def test_a_workshop_prompt_is_as_long_as_assumed():
    tokenizer = load_tokenizer(*locate("smollm2-135m"))
    lengths = [len(prompt_tokens(tokenizer, item.text, 256)[0]) for item in load_catalog("workshop")["test"]]
    assert sum(lengths) / len(lengths) == pytest.approx(PROMPT_TOKENS, abs=1)


def test_the_cold_start_is_told_where_it_was_measured():
    part = {"median": 2.0, "least": 1.5, "most": 3.0}
    facts = {"predictors": {"tiny": {"load": []}}, "repeats": 3, "machine": "a machine", "command": "the command"}
    assert cold_table(facts) == ""
    facts["predictors"]["tiny"]["cold_start"] = {"libraries": part, "process": part}
    lines = cold_table(facts).splitlines()
    assert lines[2] == "| base | libraries | process |"
    assert lines[4] == "| tiny | 2.00 [1.50, 3.00] | 2.00 [1.50, 3.00] |"


def test_a_month_on_modal_is_idle_windows_cold_starts_and_busy_hours():
    facts = {"predictors": {"base": {"cold_start": {"process": {"median": 60.0}}}}, "machine": "m", "command": "c"}
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in modal_table(facts).splitlines()[2:5]]
    assert [row[1] for row in rows] == ["72", "178", "720"]  # 720 x 360 s; 22 x (8 h + 360 s); 720 h + 360 s
    assert all(len(row) == 5 and all(cost.startswith("$") for cost in row[2:]) for row in rows)


def test_what_is_recorded_is_what_the_benchmark_asks_today():
    facts = read_json(RESULTS / "serving.json")
    asked = {base: [n * REPEATS for n in questions.values()] for base, questions in serving.QUESTIONS.items()}
    assert {base: [row["requests"] for row in one["load"]] for base, one in facts["predictors"].items()} == asked
    source = inspect.getsource(serving.faults) + inspect.getsource(serving._bad_folders)
    names = re.findall(r'"([^"]+)": (?:lambda|missing|tampered|no_numbers)\b', source)
    names += re.findall(r'"fault": "([^"]+)"', source)
    assert sorted(names) == sorted(one["fault"] for one in facts["faults"])
