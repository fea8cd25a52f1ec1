"""General English, and how well a model still predicts it: the measure of forgetting. Introduced in notebook 09.

The passages were written for this project and ship in ``data/general``: some to measure on, others to mix into the
training items. A model that forgets gives the held-out ones a higher loss than its base does.

Notation: B passages, T tokens, V the vocabulary.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pricelab.backbone import autocast, causal_lm, head_logits, hidden_states
from pricelab.bases import quiet
from pricelab.files import data_dir
from pricelab.profiles import pick_precision

BATCH_SIZE = 8  # passages; each of their tokens needs a row of V scores


def held_out() -> tuple[str, ...]:
    """The passages to measure on; nothing is ever trained on them."""
    return _passages("held-out")


def for_mixing() -> tuple[str, ...]:
    """Other passages of the same kind, to mix into the training items."""
    return _passages("mixing")


def _passages(name: str) -> tuple[str, ...]:
    whole = (data_dir() / "general" / f"{name}.txt").read_text(encoding="utf-8")
    return tuple(passage.strip() for passage in whole.split("\n\n") if passage.strip())


def passage_losses(
    model: Any, tokenizer: Any, texts: Sequence[str], device: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """How badly ``model`` predicts each text: its loss summed over tokens 2…T in nats (B,), and their number (B,).

    ``device`` is by default where the model is.

    Raises:
        ValueError: no texts, or one of fewer than two tokens.
    """
    import torch

    device = device or str(model.device.type)
    encoded = [tokenizer.encode(text, add_special_tokens=True) for text in texts]
    if not encoded or min(map(len, encoded)) < 2:
        raise ValueError(f"expected texts of two tokens or more, got lengths {[len(ids) for ids in encoded]}")
    nats, tokens = np.zeros(len(encoded)), np.array([len(ids) - 1 for ids in encoded])
    dtype, _ = pick_precision(device)
    by_length = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
    with torch.inference_mode(), autocast(device, dtype):
        for start in range(0, len(by_length), BATCH_SIZE):
            batch = by_length[start : start + BATCH_SIZE]
            nats[batch] = _summed_nats(model, [encoded[i] for i in batch], tokenizer.pad_token_id, device)
    return nats, tokens


def _summed_nats(model: Any, encoded: list[list[int]], pad: int, device: str) -> np.ndarray:
    """The summed next-token loss of each of B token lists (B,)."""
    import torch

    width = max(map(len, encoded))
    ids = torch.tensor([row + [pad] * (width - len(row)) for row in encoded], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in encoded], device=device)
    real = mask[:, 1:].bool()
    logits = head_logits(model, hidden_states(model, ids, mask)[:, :-1][real])
    losses = torch.zeros(real.shape, device=device)
    losses[real] = torch.nn.functional.cross_entropy(logits, ids[:, 1:][real], reduction="none").float()
    return losses.double().sum(1).cpu().numpy()


def perplexity(model: Any, tokenizer: Any, texts: Sequence[str], device: str | None = None) -> float:
    """exp(mean loss per token) over all ``texts``: among how many equally likely next tokens the model hesitates."""
    nats, tokens = passage_losses(model, tokenizer, texts, device)
    return math.exp(nats.sum() / tokens.sum())


def go_on(model: Any, tokenizer: Any, text: str, max_new_tokens: int = 40) -> str:
    """How ``model`` continues a text when left free (greedy): the new words only, on one line."""
    import torch

    ids = torch.tensor([tokenizer.encode(text, add_special_tokens=True)], device=model.device)
    dtype, _ = pick_precision(str(model.device.type))
    with torch.inference_mode(), autocast(str(model.device.type), dtype), quiet():
        output = causal_lm(model).generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=max_new_tokens, do_sample=False
        )
    return " ".join(tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True).split())
