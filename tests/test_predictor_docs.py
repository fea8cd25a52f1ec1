import pytest

from benchmarks import predictor_docs
from benchmarks.predictor_docs import SECTIONS, page
from benchmarks.results import RESULTS
from pricelab.files import read_json

MEASURED = [name for name, (file, _) in SECTIONS.items() if (RESULTS / file).is_file()]


def test_the_page_holds_what_was_measured():
    assert predictor_docs.PAGE.read_text(encoding="utf-8") == page(), "run: python -m benchmarks.predictor_docs"


@pytest.mark.parametrize("section", MEASURED)
def test_each_table_names_machine_and_command(section):
    file, table = SECTIONS[section]
    facts = read_json(RESULTS / file)
    assert facts["machine"] in table(facts) and f"`{facts['command']}`" in table(facts)


@pytest.mark.parametrize("section", MEASURED)
def test_a_files_name_and_texts_stay_out_of_the_results(section):
    text = (RESULTS / SECTIONS[section][0]).read_text(encoding="utf-8")
    assert ".csv" not in text and "/" not in text.replace("items/s", "")
