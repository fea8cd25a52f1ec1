"""4-bit rows that a CPU reads back wrongly: found by asking, and a base that has them is refused."""

import pytest
import torch

from pricelab import quantised
from pricelab.bases import load_base
from pricelab.pretrain import SHAPE, new_model
from pricelab.quantised import BLOCK, reads_back


@pytest.mark.parametrize("width", [2, 30, 64, 66, 128, 576, 1536])
def test_lengths_that_come_back_whole(width):
    assert reads_back(width)


@pytest.mark.parametrize("width", [16, 48, 96, 100, 160])
def test_the_answer_is_whether_each_weight_comes_back_within_its_own_blocks_gaps(width):
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    rows = torch.randn(BLOCK, width, generator=torch.Generator().manual_seed(7))
    read = dequantize_4bit(*quantize_4bit(rows, quant_type="nf4")).flatten().view(-1, BLOCK)
    blocks = rows.flatten().view(-1, BLOCK)
    gap = 0.16 * blocks.abs().amax(1, keepdim=True)  # NF4's widest gap is 0.304 of the largest weight
    assert bool(((read - blocks).abs() <= gap).all()) == reads_back(width)


@pytest.fixture
def narrow(tmp_path, toy_tokenizer):
    """A base whose layers have 48 and 80 inputs."""
    sizes = {"hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 1, "num_attention_heads": 4}
    model = new_model(toy_tokenizer, {**SHAPE, **sizes, "num_key_value_heads": 4, "head_dim": 12})
    model.to(torch.bfloat16).save_pretrained(tmp_path)
    toy_tokenizer.save_pretrained(tmp_path)
    return tmp_path


def test_a_base_with_such_rows_is_refused_in_words_but_only_in_4_bits(narrow, monkeypatch):
    monkeypatch.setattr(quantised, "reads_back", lambda width: width % 16 != 0 or width % 64 == 0)
    with pytest.raises(
        ValueError, match=r"has layers with 48, 80 inputs, .* read back wrongly .*; use method lora, a GPU"
    ):
        load_base(str(narrow), quantise=True, device="cpu")
    assert load_base(str(narrow), device="cpu").quantisation is None


def test_a_base_whose_rows_are_read_well_is_let_through(narrow, monkeypatch):
    monkeypatch.setattr(quantised, "reads_back", lambda width: True)
    assert load_base(str(narrow), quantise=True, device="cpu").quantisation == "nf4"
