"""Plain or fused attention: which is faster for texts of which length? `python -m benchmarks.attention`.

A training step without the optimizer, forward and backward through LoRA on a frozen base of the profile's shape with
random weights, in this device's precision. Both ways take turns on the same batch, so that what else the machine does
falls on both. Results go to ``data/results/attention.json`` with the machine; `bases.EAGER_UP_TO_TOKENS` follows them.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.results import RESULTS, can_run
from pricelab.adapters import add_adapters
from pricelab.backbone import autocast
from pricelab.base_files import locate
from pricelab.bases import quiet
from pricelab.examples import IGNORED
from pricelab.files import write_json_atomic
from pricelab.normalise import this_machine
from pricelab.price_trainer import price_loss
from pricelab.profiles import detect, pick_device, pick_precision
from pricelab.recipe import Recipe

WAYS = ("eager", "sdpa")
LENGTHS = (64, 128, 256, 384, 512, 768, 1024)  # T
REPEATS = 5
LABELS = 4  # tokens with a loss at the end of each text: three digits and the end


def adapted_model(base: str, attention: str, device: str) -> Any:
    """A model of the shape of ``base`` with random weights and fresh adapters."""
    from transformers import AutoConfig, AutoModelForCausalLM, set_seed

    dtype, _ = pick_precision(device)
    set_seed(0)
    with quiet():
        config = AutoConfig.from_pretrained(locate(base)[0])
        model = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation=attention)
        return add_adapters(model.to(device), Recipe()).train()


def batch_of(vocabulary: int, items: int, tokens: int, device: str) -> dict[str, Any]:
    """Random token ids (items, tokens) without padding, the last few with a loss."""
    ids = torch.randint(vocabulary, (items, tokens), generator=torch.Generator().manual_seed(tokens))
    labels = torch.full_like(ids, IGNORED)
    labels[:, -LABELS:] = ids[:, -LABELS:]
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}
    return {name: tensor.to(device) for name, tensor in batch.items()}


def seconds(model: Any, batch: dict[str, Any], device: str) -> float:
    """One forward and backward pass."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    model.zero_grad()
    wait()
    start = time.perf_counter()
    with autocast(device, pick_precision(device)[0]):
        loss = price_loss(model, batch)
    loss.backward()
    wait()
    return time.perf_counter() - start


def compare(base: str, items: int, lengths: Sequence[int], repeats: int) -> list[dict[str, Any]]:
    """A row a length: median seconds of each way, and of the ratios fused / plain the median and the whole range."""
    device = pick_device()
    models = {way: adapted_model(base, way, device) for way in WAYS}
    rows = []
    for tokens in lengths:
        batch = batch_of(models["eager"].config.vocab_size, items, tokens, device)
        for model in models.values():
            seconds(model, batch, device)  # warm-up
        pairs = np.array([[seconds(models[way], batch, device) for way in WAYS] for _ in range(repeats)])
        ratios = pairs[:, 1] / pairs[:, 0]
        rows.append({
            "tokens": tokens,
            **{f"{way}_seconds": float(f"{median:.4g}") for way, median in zip(WAYS, np.median(pairs, 0), strict=True)},
            "sdpa_by_eager": round(float(np.median(ratios)), 3),
            "range": [round(float(end), 3) for end in (ratios.min(), ratios.max())],
        })  # fmt: skip
        print(rows[-1], flush=True)
    return rows


def main(path: Path = RESULTS / "attention.json", base: str = "", lengths: Sequence[int] = LENGTHS,
         repeats: int = REPEATS) -> None:  # fmt: skip
    """Measure and write down, for the profile's base and batch."""
    profile = detect()
    base = base or profile.base
    if not can_run("attention by length", base):
        return
    dtype, why = pick_precision(pick_device())
    facts = {
        "command": "python -m benchmarks.attention", "machine": this_machine(), "threads": torch.get_num_threads(),
        "torch": torch.__version__, "base": base, "batch": profile.batch_size, "repeats": repeats,
        "precision": f"{str(dtype).removeprefix('torch.')} ({why})",
    }  # fmt: skip
    write_json_atomic(path, {**facts, "rows": compare(base, profile.batch_size, lengths, repeats)})


if __name__ == "__main__":
    main()
