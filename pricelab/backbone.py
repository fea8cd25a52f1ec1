"""The two halves of a causal language model: layers that make hidden states, a head that scores the vocabulary.

Only a few positions of a prompt need the head, which on a small model is a third of the work. Picking those rows first,
as a contiguous matrix, keeps the rest of the vocabulary product from being computed. Shared by training and decoding.

Notation: B prompts, T tokens, R picked rows, V the vocabulary.
"""

import contextlib
from collections.abc import Iterable
from typing import Any

WIDTH_STEP = 4  # tokens


def causal_lm(model: Any) -> Any:
    """The transformers model itself, also when peft has wrapped it (its adapters stay active)."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def padded_width(lengths: Iterable[int]) -> int:
    """Tokens to fill a batch of prompts up to: the longest one's, rounded up to a multiple of `WIDTH_STEP`.

    Matrix libraries prepare and keep a program for each shape that they meet; with few shapes that costs neither time
    nor memory, however many batches there are.
    """
    return -(-max(lengths) // WIDTH_STEP) * WIDTH_STEP


def hidden_states(model: Any, input_ids: Any, attention_mask: Any, positions: Any = None, cache: Any = None) -> Any:
    """Run the layers: last hidden states (B, T, dim), with a ``cache`` that grows.

    ``attention_mask`` is (B, T) with 0 on padding, positions then count from each prompt's own first token; or additive
    (B, 1, T, cached + T) with ``positions`` (B, T) given.
    """
    if positions is None:
        positions = (attention_mask.cumsum(-1) - 1).clamp(min=0)
    return (
        causal_lm(model)
        .base_model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        .last_hidden_state
    )


def head_logits(model: Any, rows: Any) -> Any:
    """Scores (R, V) in fp32 of the vocabulary for picked hidden states (R, dim)."""
    return causal_lm(model).get_output_embeddings()(rows.contiguous()).float()


def autocast(device: str, dtype: Any) -> Any:
    """Matrix products in ``dtype`` while fp32 weights stay as they are; nothing to do when ``dtype`` is fp32."""
    import torch

    return contextlib.nullcontext() if dtype == torch.float32 else torch.autocast(device, dtype)
