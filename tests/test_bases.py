"""Base models: named by key, folder or hub id, pinned, checked, and refused in words."""

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch

from pricelab import bases
from pricelab.adapters import add_adapters
from pricelab.bases import REGISTRY, load_base, load_tokenizer, locate
from pricelab.files import sha256_of
from pricelab.prompt import number_tokens
from pricelab.recipe import Recipe
from pricelab.smollm2 import WHEEL_SHA256

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(toy_base, tmp_path):
    """A copy of the toy base that may be damaged."""
    import shutil

    return shutil.copytree(toy_base, tmp_path / "base")


# ---- keys and folders


def test_the_keys_are_found_where_they_live(monkeypatch, tmp_path, toy_base):
    (tmp_path / "tiny-base").symlink_to(toy_base)
    monkeypatch.setattr(bases, "data_dir", lambda: tmp_path)
    monkeypatch.setattr(bases, "smollm2_folder", lambda: Path("/cache/smollm2"))
    assert locate("tiny") == (str(tmp_path / "tiny-base"), sha256_of(toy_base / "model.safetensors"))
    assert locate("smollm2-135m") == ("/cache/smollm2", WHEEL_SHA256)
    assert {"tiny", "smollm2-135m"} < set(REGISTRY)
    assert all(name.count("/") == 1 for name in set(REGISTRY) - {"tiny", "smollm2-135m"})


def test_a_folder_is_pinned_by_the_hash_of_its_weights(folder):
    assert locate(str(folder)) == (str(folder), sha256_of(folder / "model.safetensors"))


@pytest.mark.parametrize("name", ["tinny", "./nowhere", "/no/such", "~/base", "a/b/c", ""])
def test_an_unknown_name_is_refused_with_what_there_is(name):
    with pytest.raises(ValueError, match="unknown base .*no folder here and no key; use one of tiny, smollm2-135m"):
        load_base(name)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_an_incomplete_folder_is_refused_by_the_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(ValueError, match=f"has no {name}; a base folder holds what save_pretrained"):
        load_base(str(folder))


def test_pickled_weights_are_refused(folder):
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match="has no .*safetensors.*pickled weights are refused"):
        load_base(str(folder))


def add_token(folder, left, right):
    """A tokenizer that keeps digits together, and ``left`` and ``right`` too where they meet."""
    content = json.loads((folder / "tokenizer.json").read_text())
    content["pre_tokenizer"] = content["pre_tokenizer"]["pretokenizers"][1]
    content["pre_tokenizer"]["use_regex"] = False
    content["model"]["vocab"][left + right] = len(content["model"]["vocab"])
    content["model"]["merges"].insert(0, [left, right])
    (folder / "tokenizer.json").write_text(json.dumps(content))


def test_a_tokenizer_with_tokens_of_several_digits_is_welcome(folder):
    add_token(folder, "2", "4")
    assert "24" in number_tokens(load_tokenizer(str(folder))).values()


def test_a_tokenizer_that_glues_a_digit_to_the_dollar_sign_is_refused_at_load(folder):
    add_token(folder, "$", "2")
    with pytest.raises(ValueError, match="ends the prompt with '2' as .*tokens that are digits alone; choose a base"):
        load_base(str(folder))


def test_a_tokenizer_without_padding_gets_its_end_token(folder):
    content = json.loads((folder / "tokenizer_config.json").read_text())
    content.pop("pad_token")
    (folder / "tokenizer_config.json").write_text(json.dumps(content))
    tokenizer = load_tokenizer(str(folder))
    assert tokenizer.pad_token_id == tokenizer.eos_token_id is not None


# ---- what is loaded


def test_a_base_says_what_it_is(toy_base):
    base = load_base(str(toy_base), device="cpu")
    assert (base.key, base.device, base.quantisation) == (str(toy_base), "cpu", None)
    assert base.parameters == sum(weight.numel() for weight in base.model.parameters())
    dtype, why = bases.pick_precision("cpu")
    assert base.model.dtype == dtype and str(dtype).removeprefix("torch.") in base.precision and why in base.precision


def test_four_bits_hold_the_layers_in_fewer_bytes_and_nearly_the_same_answers(toy_base):
    import bitsandbytes as bnb

    plain, small = load_base(str(toy_base)), load_base(str(toy_base), quantise=True)
    linears = [module for module in small.model.model.modules() if isinstance(module, torch.nn.Linear)]
    assert len(linears) == 14 and all(isinstance(module, bnb.nn.Linear4bit) for module in linears)
    assert all(module.weight.quant_type == "nf4" for module in linears)
    assert (small.quantisation, small.parameters) == ("nf4", plain.parameters)
    layers = sum(
        module.weight.numel() for module in plain.model.model.layers.modules() if hasattr(module, "in_features")
    )
    bytes_each = 2 if plain.model.dtype == torch.bfloat16 else 4
    assert plain.megabytes - small.megabytes == pytest.approx(layers * (bytes_each - 0.5) / 1e6, rel=0.05)
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.inference_mode():
        a, b = (base.model(ids).logits[0, -1].float() for base in (plain, small))
    assert not torch.equal(a, b)
    assert torch.corrcoef(torch.stack([a, b]))[0, 1] > 0.9


def test_adapters_are_no_part_of_the_base_that_they_lie_on(toy_base):
    base = load_base(str(toy_base), quantise=True)
    alone = base.parameters, base.megabytes
    before = base.model.num_parameters()
    model = add_adapters(base.model, Recipe())
    model.add_adapter("second", model.peft_config["default"])
    assert base.model.num_parameters() > before
    assert (base.parameters, base.megabytes) == alone


def test_master_weights_are_fp32(toy_base):
    assert load_base(str(toy_base), master_weights=True).model.dtype == torch.float32


def test_answers_are_greedy_whatever_the_folder_says(folder):
    settings = {"do_sample": True, "temperature": 2.0, "repetition_penalty": 1.3, "eos_token_id": 0}
    (folder / "generation_config.json").write_text(json.dumps(settings))
    found = load_base(str(folder)).model.generation_config
    assert not found.do_sample and found.temperature in (None, 1.0) and found.repetition_penalty in (None, 1.0)


def test_loading_is_silent(toy_base, capfd):
    load_base(str(toy_base), quantise=True)
    assert capfd.readouterr() == ("", "")


def test_quiet_gives_back_the_levels_it_found():
    import logging

    logger = logging.getLogger("peft")
    before = logger.level
    with pytest.raises(RuntimeError), bases.quiet():
        assert logger.level == logging.ERROR
        raise RuntimeError
    assert logger.level == before


# ---- the model hub, stood in for by a server on this machine


class Hub(BaseHTTPRequestHandler):
    """Holds org/toy, gates org/gated, and knows no other model."""

    folder: Path
    asked: list[str] = []

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        self.asked.append(self.path)
        path = self.path.partition("?")[0]
        if "org/gated" in path:  # everybody may know of it, few may read its files
            return self.say(403, code="GatedRepo") if "/resolve/" in path else self.say(200, b'{"id": "org/gated"}')
        if "org/toy" not in path:
            return self.say(404, code="RepoNotFound")
        if path.endswith("auth-check"):
            return self.say(200)
        if path.startswith("/api/models/org/toy") and "tree" not in path:
            return self.say(200, json.dumps({"id": "org/toy", "sha": COMMIT, "siblings": []}).encode())
        file = self.folder / path.rpartition("/")[2]
        if "/resolve/" in path and file.is_file():
            return self.say(200, file.read_bytes(), etag=sha256_of(file))
        return self.say(404, code="EntryNotFound")

    def say(self, status, content=b"{}", code=None, etag=None):
        self.send_response(status)
        headers = {"X-Error-Code": code, "ETag": etag and f'"{etag}"', "X-Repo-Commit": COMMIT}
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_):
        pass


QUESTIONS = """
import json, sys, time
from pricelab.bases import load_base, locate

answers = {}
for name in sys.argv[1:]:
    start = time.monotonic()
    try:
        if name.startswith("load:"):
            base = load_base(name.removeprefix("load:"))
            answers[name] = ["loaded", base.revision, base.parameters]
        else:
            answers[name] = ["located", *locate(name)]
    except Exception as error:
        answers[name] = [type(error).__name__, str(error)]
    answers[name].append(time.monotonic() - start)
print(json.dumps(answers))
"""


def ask(endpoint, home, *names, **environment):
    """What `locate` and `load_base` answer in a process that takes ``endpoint`` for the hub."""
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", **environment}
    environment["HF_HUB_DISABLE_XET"] = environment["HF_HUB_DISABLE_TELEMETRY"] = "1"
    done = subprocess.run(
        [sys.executable, "-c", QUESTIONS, *names], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def hub(toy_base):
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("ThisHub", (Hub,), {"folder": toy_base, "asked": []}))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("hub")


@pytest.fixture(scope="module")
def answers(hub, home):
    return ask(hub, home, "org/gated", "org/missing", "load:org/toy")


def test_a_gated_model_is_refused_with_what_to_do(answers):
    kind, words, _ = answers["org/gated"]
    assert kind == "ConnectionError" and "accept its licence on its hub page" in words and "hf auth login" in words


def test_a_model_that_is_not_there_is_refused(answers):
    kind, words, _ = answers["org/missing"]
    assert kind == "ValueError" and "no model 'org/missing' in the transformers format" in words


def test_a_model_of_the_hub_is_loaded_and_pinned_to_its_commit(answers, toy_base):
    assert answers["load:org/toy"][:3] == ["loaded", COMMIT, load_base(str(toy_base)).parameters]


def test_a_downloaded_model_loads_without_the_hub(answers, home):
    found = ask("http://127.0.0.1:9", home, "load:org/toy", HF_HUB_OFFLINE="1")
    assert found["load:org/toy"][:3] == answers["load:org/toy"][:3]


def test_without_a_network_it_says_so_at_once(answers, home):
    found = ask("http://127.0.0.1:9", home, "org/toy", "org/other")  # the discard service's port: nothing listens
    assert found["org/toy"][:3] == ["located", "org/toy", COMMIT]
    kind, words, seconds = found["org/other"]
    assert kind == "ConnectionError" and "did not answer for org/other" in words and "smollm2-135m" in words
    assert seconds < 5


def test_switched_off_line_it_says_so_without_asking(home):
    (kind, words, _) = ask("http://127.0.0.1:9", home, "org/other", HF_HUB_OFFLINE="1")["org/other"]
    assert kind == "ConnectionError" and "did not answer for org/other" in words
