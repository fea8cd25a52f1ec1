"""The whole path on a GPU: a larger base with random weights is fine-tuned, saved, loaded and asked, also in fp16."""

import numpy as np
import pytest

from pricelab import Pricer, finetune, load_catalog
from pricelab.bases import load_tokenizer
from pricelab.catalog import Catalog
from pricelab.files import data_dir
from pricelab.pretrain import new_model
from pricelab.training import Recipe

SHAPE = {
    "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 8, "num_attention_heads": 16,
    "num_key_value_heads": 8, "max_position_embeddings": 1024, "tie_word_embeddings": True,
}  # fmt: skip
T4 = (7, 5)  # compute capability: no bf16


@pytest.mark.gpu
@pytest.mark.parametrize(("method", "capability"), [("qlora", None), ("lora", None), ("qlora", T4), ("lora", T4)])
def test_a_larger_base_is_fine_tuned_on_cuda(tmp_path, monkeypatch, method, capability):
    import torch

    if capability:
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    tokenizer = load_tokenizer(str(data_dir() / "tiny-base"))
    new_model(tokenizer, SHAPE).to(torch.bfloat16).save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    workshop = load_catalog("workshop")
    sizes = {"train": 160, "calibration": 40, "test": 20}
    catalog = Catalog("small", {name: workshop[name][:size] for name, size in sizes.items()}, workshop.report)

    run = finetune(catalog, tmp_path / "run", base=str(tmp_path / "base"), method=method, recipe=Recipe(epochs=2))
    pricer = Pricer.load(run.folder)

    assert pricer.base.device == "cuda"
    assert not capability or pricer.base.precision.startswith("float16")
    assert np.mean(run.losses[-5:]) < np.mean(run.losses[:5])
    for answer in pricer.estimate([item.text for item in catalog["test"]]):
        assert answer.low <= answer.estimate <= answer.high
        assert answer.distribution.sum() == pytest.approx(1)
