"""The README: its tables come from a command, its links lead somewhere, its commands exist."""

import re
from pathlib import Path

import pytest

from benchmarks.results import README, ROOT, readme, with_section

TEXT = README.read_text(encoding="utf-8")


def test_the_tables_are_what_the_command_writes():
    assert readme() == TEXT, "run: python -m benchmarks.results --readme"


def test_every_local_link_leads_to_a_file():
    targets = [link for link in re.findall(r"\]\(([^)#]+)", TEXT) if "://" not in link]
    assert targets
    assert [link for link in targets if not (ROOT / link).exists()] == []


def test_every_make_target_and_command_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make (\w+)`", TEXT):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    cli = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "pricelab").glob("cli*.py"))
    for command in re.findall(r"^pricelab (\w+)", TEXT, re.MULTILINE):
        assert f"def {command}(" in cli, command


def test_a_section_is_replaced_between_its_markers():
    text = "a\n<!-- x -->\nold\n<!-- /x -->\nb"
    assert with_section(text, "x", "new\n") == "a\n<!-- x -->\nnew\n<!-- /x -->\nb"
    with pytest.raises(ValueError, match="exactly one"):
        with_section("no markers", "x", "new")


def test_the_results_belong_to_the_shipped_adapter():
    from pricelab.files import read_json, sha256_of

    facts = read_json(Path(ROOT) / "data" / "results" / "smollm2-135m.json")
    adapter = ROOT / "data" / "adapters" / "smollm2-135m" / "adapter_model.safetensors"
    assert facts["adapter_sha256"] == sha256_of(adapter), "run: python -m benchmarks.results"
