"""Training from scratch: the tokenizer, the blocks, and a base folder with its card."""

import math

import pytest
import torch

from pricelab import pretrain
from pricelab.bases import load_base
from pricelab.files import read_json, sha256_of
from pricelab.prompt import digit_tokens


@pytest.fixture(scope="module")
def made(tmp_path_factory, toy_catalog, one_thread):
    """A base of one training step, and the facts it came with."""
    folder = tmp_path_factory.mktemp("pretrained") / "base"
    small = {**pretrain.SHAPE, "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRICELAB_CACHE", str(folder.parent / "cache"))
        patch.setattr(pretrain, "load_catalog", lambda source: toy_catalog)
        patch.setattr(pretrain, "SHAPE", small)
        facts = pretrain.pretrain(folder, seed=5, epochs=0.01, progress=False)
    return folder, facts


def test_the_folder_is_a_base_whose_hash_is_on_its_card(made, toy_catalog):
    folder, facts = made
    base = load_base(str(folder))
    assert base.parameters == facts["parameters"]
    assert base.revision == facts["weights_sha256"] == sha256_of(folder / "model.safetensors")
    kept = read_json(folder / "training.json")
    assert len(kept["losses"]) == facts["steps"] == kept["steps"] == 1
    assert kept["catalog"] == toy_catalog.fingerprint


def test_the_card_says_how_it_was_made_and_what_it_is_not_for(made):
    folder, facts = made
    card = (folder / "README.md").read_text()
    assert "--seed 5" in card and "**Not for**" in card and facts["weights_sha256"] in card
    assert f"{math.exp(facts['validation_loss']):.1f}" in card


def test_a_new_model_is_as_good_as_guessing(made, toy_tokenizer, toy_catalog):
    blocks = pretrain.pack(toy_tokenizer, [item.text for item in toy_catalog["validation"]])
    torch.manual_seed(0)
    loss = pretrain.mean_loss(pretrain.new_model(toy_tokenizer), blocks)
    assert loss == pytest.approx(math.log(len(toy_tokenizer)), rel=0.05)


def test_a_folder_with_files_is_refused_and_kept(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not empty; give a new folder"):
        pretrain.pretrain(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_blocks_hold_the_stream_of_texts_each_with_an_end(toy_tokenizer, toy_catalog):
    texts = [item.text for item in toy_catalog["train"]]
    blocks = pretrain.pack(toy_tokenizer, texts)
    whole = toy_tokenizer.eos_token.join(texts) + toy_tokenizer.eos_token
    assert blocks.shape[1] == pretrain.BLOCK
    assert whole.startswith(toy_tokenizer.decode(blocks.flatten()))
    assert len(toy_tokenizer.encode(whole)) - blocks.numel() < pretrain.BLOCK


def test_the_mean_loss_weighs_every_block_alike(toy_model, monkeypatch):
    blocks = torch.arange(5 * 16).view(5, 16)
    whole = pretrain.mean_loss(toy_model, blocks)
    monkeypatch.setattr(pretrain, "BATCH", 2)  # batches of 2, 2 and 1
    assert pretrain.mean_loss(toy_model, blocks) == pytest.approx(whole, rel=1e-5)


def test_the_tokenizer_writes_digits_alone_and_loses_nothing(toy_tokenizer):
    assert len(set(digit_tokens(toy_tokenizer))) == 10
    text = "Ünïcode ½ \t 1,024 GB 🪑  12x3"
    assert toy_tokenizer.decode(toy_tokenizer.encode(text)) == text
    assert all(len(piece.lstrip("Ġ")) == 1 for piece in toy_tokenizer.tokenize("a 12345") if "1" <= piece[-1] <= "9")
