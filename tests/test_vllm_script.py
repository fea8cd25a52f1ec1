"""The page's script, with a stand-in for vLLM: what it asks for, what it says of a difference, what a server gets."""

import importlib.util
import json
import re
import sys
from types import ModuleType, SimpleNamespace

import pytest

from pricelab import Pricer
from pricelab.files import data_dir

TEXTS = ["a hand drill, 18 V", "a bench vice"]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("vllm_prices", data_dir().parent / "docs" / "vllm_prices.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def vllm(monkeypatch):
    """What was asked for, and what to answer."""
    seen = SimpleNamespace(answers=["12"] * len(TEXTS))

    class LLM:
        def __init__(self, **options):
            seen.options = options

        def generate(self, prompts, sampling, lora_request):
            seen.prompts, seen.sampling, seen.lora = prompts, sampling, lora_request
            return [SimpleNamespace(outputs=[SimpleNamespace(text=text)]) for text in seen.answers]

    modules = {name: ModuleType(name) for name in ("vllm", "vllm.lora", "vllm.lora.request")}
    modules["vllm"].LLM, modules["vllm"].SamplingParams = LLM, lambda **options: options
    modules["vllm.lora.request"].LoRARequest = lambda *given: given
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return seen


@pytest.mark.parametrize(("method", "quantised"), [("lora", None), ("qlora", "bitsandbytes")])
def test_vllm_is_given_the_base_the_prompts_and_the_decoding(script, vllm, finetuned, method, quantised, capsys):
    folder = finetuned[method].folder
    assert script.main([str(folder), *TEXTS]) == 0
    pricer = Pricer.load(folder)
    assert vllm.prompts == [{"prompt_token_ids": pricer.prompt_ids(text)[0]} for text in TEXTS]
    assert vllm.sampling == {"temperature": 0, "max_tokens": 8}
    assert vllm.options["enable_lora"] and vllm.options.get("quantization") == quantised
    assert vllm.options["max_lora_rank"] >= json.loads((folder / "adapter_config.json").read_text())["r"]
    assert vllm.lora[2] == str(folder.resolve())
    assert capsys.readouterr().out.splitlines() == [f"'12'  {text}" for text in TEXTS]


def test_the_pages_server_is_given_all_that_the_script_gives(script, vllm, finetuned):
    """And the commit, which the script gives where the base comes from the hub."""
    script.main([str(finetuned["qlora"].folder), *TEXTS])
    page = (data_dir().parent / "docs" / "serving-vllm.md").read_text(encoding="utf-8")
    command = re.search(r"^vllm serve BASE.*(\n    .*)*", page, re.MULTILINE).group()
    assert "quantization" in vllm.options and "--quantization bitsandbytes" in command
    given = {f"--{name.replace('_', '-')}" for name in vllm.options if name != "model"}
    assert given | {"--revision"} <= set(command.split())


def test_a_difference_from_pricelabs_digits_is_said(script, vllm, finetuned, capsys):
    folder = finetuned["lora"].folder
    vllm.answers = Pricer.load(folder, "cpu").write(TEXTS)
    assert script.main([str(folder), "--compare", *TEXTS]) == 0
    assert capsys.readouterr().out.count("same: ") == 2
    vllm.answers[1] += "x"
    assert script.main([str(folder), "--compare", *TEXTS]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("same: ") and second.startswith("DIFFERENT: ") and TEXTS[1] in second


def test_the_request_for_a_server_holds_prompt_and_decoding(script, finetuned, capsys):
    folder = finetuned["lora"].folder
    assert script.main([str(folder), "--request", TEXTS[0]]) == 0
    ids = Pricer.load(folder).prompt_ids(TEXTS[0])[0]
    asked = {"model": folder.name, "prompt": [ids], "temperature": 0, "max_tokens": 8}
    assert json.loads(capsys.readouterr().out) == asked
