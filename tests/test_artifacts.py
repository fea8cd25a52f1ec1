"""The folder that fine-tuning leaves: standard for peft, verified by its manifest, else refused in words."""

import shutil

import numpy as np
import pytest

from pricelab.artifacts import MANIFEST, Manifest, tokenizer_sha256
from pricelab.bases import load_base
from pricelab.files import read_json, write_json_atomic
from pricelab.pricer import Pricer

TEXTS = ["A chair", "Stainless steel bottle"]


@pytest.fixture
def folder(finetuned, tmp_path):
    return shutil.copytree(finetuned["lora"].folder, tmp_path / "run")


@pytest.fixture
def change(folder):
    """Change the manifest as ``change(name=value)``."""

    def write(**changes):
        write_json_atomic(folder / MANIFEST, {**read_json(folder / MANIFEST), **changes})

    return write


def refused(folder, words):
    with pytest.raises(ValueError, match=words):
        Pricer.load(folder)


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_plain_peft_opens_the_adapter_with_the_same_answers(finetuned, toy_base, method):
    import torch
    from peft import PeftModel

    run = finetuned[method]
    pricer = Pricer.load(run.folder)
    plain = PeftModel.from_pretrained(
        load_base(str(toy_base), quantise=method == "qlora").model, str(run.folder)
    ).eval()
    ids = torch.tensor([pricer.base.tokenizer.encode(pricer.prompt("A chair"))])
    with torch.inference_mode():
        assert torch.equal(plain(ids).logits, pricer.model(ids).logits)


def test_plain_transformers_opens_the_full_checkpoint(finetuned):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = finetuned["full"].folder
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert model.dtype == torch.bfloat16
    assert tokenizer_sha256(tokenizer) == finetuned["full"].manifest.tokenizer_sha256


def test_a_full_checkpoint_in_a_folder_with_a_keys_name_is_the_folder(finetuned, tmp_path, monkeypatch):
    shutil.copytree(finetuned["full"].folder, tmp_path / "tiny")
    monkeypatch.chdir(tmp_path)
    expected = Pricer.load(finetuned["full"].folder).estimate("A chair").distribution
    np.testing.assert_array_equal(Pricer.load("tiny").estimate("A chair").distribution, expected)


def test_a_loaded_predictor_carries_its_manifest_ridge_and_calibration(folder):
    pricer = Pricer.load(folder)
    manifest = Manifest.read(folder)
    assert pricer.manifest == manifest
    assert pricer.calibration.n == manifest.calibration["n"]
    assert pricer.constant.predict(TEXTS).tolist() == [manifest.data["median_price_usd"]] * 2
    assert np.isfinite(pricer.ridge.predict(TEXTS)).all()


@pytest.mark.parametrize(
    "name", ["adapter_model.safetensors", "adapter_config.json", "ridge.safetensors", "ridge.json"]
)
def test_a_changed_file_is_refused_by_name(folder, name):
    flip_a_byte(folder / name)
    refused(folder, f"{name} was changed after training")


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "ridge.json"])
def test_a_missing_file_is_refused_by_name(folder, name):
    (folder / name).unlink()
    refused(folder, f"{name} is missing; copy the whole folder again")


@pytest.mark.parametrize("name", ["../run/ridge.json", "/etc/passwd", "sub/file"])
def test_a_file_name_that_leads_out_of_the_folder_is_refused(folder, change, name):
    change(files={**read_json(folder / MANIFEST)["files"], name: "0" * 64})
    refused(folder, "outside its folder")


def test_weights_that_the_manifest_does_not_vouch_for_are_refused(folder, change):
    change(files={})
    refused(folder, "adapter_model.safetensors was changed")


def test_an_adapter_of_other_base_weights_is_refused(folder, change, toy_base):
    change(base={"name": str(toy_base), "revision": "0" * 64})
    refused(folder, "an adapter fits only the weights it was trained on")


def test_another_tokenizer_is_refused(folder, change):
    change(tokenizer_sha256="0" * 64)
    refused(folder, "the tokenizer of .* isn't the one")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": 2}, "has schema 2, this version reads 1; update pricelab"),
        ({"prompt_version": 99}, "prompt version 99, this pricelab asks with 1"),
        ({"surprise": 1}, "doesn't follow schema 1.*surprise"),
        ({"files": None}, "doesn't follow schema 1"),
    ],
)
def test_a_manifest_of_another_time_is_refused(folder, change, changes, words):
    change(**changes)
    refused(folder, words)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("method", "zzz", "method is 'zzz', expected one of qlora, lora, full"),
        ("base", "tiny", "base is 'tiny', expected dict"),
        ("base", {"name": "tiny"}, "base lacks revision"),
        ("base name", None, "base or files hold None, expected text"),
        ("data", None, "data is None, expected dict"),
        ("files", [], "files is .., expected dict"),
        ("read_outs", None, "read_outs is None, expected dict"),
        ("scope", [1], "scope is .1., expected dict or NoneType"),
        ("scope leest", 0.1, "unexpected keyword argument 'leest'"),
        ("calibration foo", 1, "unexpected keyword argument 'foo'"),
        ("calibration offset", "x", "offset is 'x', expected a number from -20 to 20"),
        ("calibration offset", float("nan"), "offset is nan, expected a number"),
        ("calibration offset", 21, "offset is 21, expected a number from -20 to 20"),
        ("calibration n", None, "n is None, expected a number from 1"),
        ("data price_range", "ab", "price_range is 'ab', expected the lowest and the highest price"),
        ("data price_range", [1, "b"], "price_range is 'b', expected a number from 0"),
        ("calibration n", True, "n is True, expected a number from 1"),
        ("calibration bands", 5, "not iterable"),
        ("calibration bands", [5], "bands hold 5, expected a start, an offset and a number of items"),
        ("calibration bands", [{"start": 10, "offset": 0, "n": 9}], "bands start at .10., expected rising dollars"),
        ("calibration bands", 2 * [{"start": 0, "offset": 0, "n": 9}], "bands start at .0, 0., expected rising"),
        ("calibration level", 1.5, "level is 1.5, expected a number from 0 to 1"),
        ("max_text_tokens", "a", "max_text_tokens is 'a', expected int"),
        ("max_text_tokens", 0, "max_text_tokens is 0, expected a number from 1"),
        ("price_format", {"digits": 9}, "prices have 3 to 6 digits before the point, got 9"),
        ("price_format", {"digits": "4"}, "digits before the point, got '4'"),
        ("price_format", {"digits": 4.0}, "digits before the point, got 4.0"),
        ("price_format", {"cents": "no"}, "cents is 'no', expected true or false"),
        ("price_format", {"d": 4}, "unexpected keyword argument 'd'"),
    ],
)
def test_a_value_that_no_training_writes_is_refused_in_words(folder, place, value, words):
    content = read_json(folder / MANIFEST)
    *way, name = place.split()
    inner = content
    for key in way:
        inner = inner[key]
    inner[name] = value
    write_json_atomic(folder / MANIFEST, content)
    refused(folder, f"doesn't follow schema 1: .*{words}.*; copy the whole folder again, or fine-tune into a new one")


@pytest.mark.parametrize("name", ["ridge.json", "ridge.safetensors", "adapter_config.json", "blend.safetensors"])
def test_a_file_that_is_read_has_to_be_vouched_for(folder, change, name):
    (folder / name).touch()
    content = read_json(folder / MANIFEST)
    files = {file: digest for file, digest in content["files"].items() if file != name}
    change(files=files, read_outs={"blend": {}} if name == "blend.safetensors" else {})
    refused(folder, f"{name} was changed after training")


def test_so_have_the_weights_of_a_whole_model(finetuned, tmp_path):
    folder = shutil.copytree(finetuned["full"].folder, tmp_path / "run")
    content = read_json(folder / MANIFEST)
    del content["files"]["model.safetensors"]
    write_json_atomic(folder / MANIFEST, content)
    refused(folder, "model.safetensors was changed after training")


@pytest.mark.parametrize(
    ("content", "words"), [("[]", "has schema None"), ("{", "not valid JSON"), ('{"schema": 1}', "missing .* required")]
)
def test_what_is_no_manifest_is_refused(folder, content, words):
    (folder / MANIFEST).write_text(content)
    refused(folder, words)


def test_places_without_a_run_are_refused(tmp_path):
    refused(tmp_path, "holds no run")
    refused(tmp_path / "nowhere", "is not a folder; give the --out folder")
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file", "is not a folder")


def test_the_manifest_survives_its_file(finetuned, tmp_path):
    manifest = finetuned["qlora"].manifest
    (tmp_path / "a.txt").write_text("a")
    sealed = manifest.seal(tmp_path, ["a.txt"])
    assert Manifest.read(tmp_path) == sealed != manifest
