"""Items and plain texts as training examples: token ids, and labels that say which tokens carry a loss.

The words of a prompt are left to `prompt`, the loss itself to `training`. Introduced in notebook 02.

Notation: B examples, T tokens.
"""

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pricelab.backbone import padded_width
from pricelab.catalog import Item
from pricelab.price_format import WHOLE_DOLLARS, PriceFormat
from pricelab.prompt import answer_tokens, prompt_tokens

IGNORED = -100  # the label of a token that carries no loss
UNCUT_SHARE = 0.98  # share of the training texts that the chosen length leaves whole


def cut_length(tokenizer: Any, items: Sequence[Item], most: int) -> int:
    """Tokens to cut texts at: a length that leaves nearly all of them whole, and at most ``most``."""
    lengths = [len(ids) for ids in tokenizer([item.text for item in items])["input_ids"]]
    return min(most, int(np.quantile(lengths, UNCUT_SHARE)) + 1)


Example = dict[str, "array[int]"]  # input_ids and labels, T 32-bit integers each: lists would take five times as much


def encode(
    tokenizer: Any, items: Sequence[Item], max_text_tokens: int, price_format: PriceFormat = WHOLE_DOLLARS
) -> list[Example]:
    """Each item as token ids with labels: the price tokens carry a loss, the prompt doesn't."""
    examples = []
    for item in items:
        prompt, _ = prompt_tokens(tokenizer, item.text, max_text_tokens)
        answer = answer_tokens(tokenizer, item.price, price_format)
        labels = [IGNORED] * len(prompt) + answer
        examples.append({"input_ids": array("i", prompt + answer), "labels": array("i", labels)})
    return examples


def mixed_in(tokenizer: Any, texts: Sequence[str], items: int, share: float, max_tokens: int) -> list[Example]:
    """Plain texts as examples, every token of which carries a loss: so many that they are a ``share`` of all examples.

    With few texts they come round again and again.
    """
    if not texts:
        return []
    encoded = [array("i", tokenizer.encode(text, add_special_tokens=True)[:max_tokens]) for text in texts]
    wanted = round(items * share / (1 - share))
    return [{"input_ids": ids, "labels": ids} for ids in (encoded[i % len(encoded)] for i in range(wanted))]


def are_plain(labels: Any) -> Any:
    """Which rows (B,) of labels (B, T) are plain texts: their second token carries a loss, an item's doesn't."""
    return labels[:, 1] != IGNORED


def collate(examples: Sequence[Mapping[str, Sequence[int]]], pad: int) -> dict[str, Any]:
    """Stack B examples, filled up on the right: ``input_ids``, ``attention_mask`` and ``labels``, each (B, T).

    T is a multiple of `backbone.WIDTH_STEP`.
    """
    import torch

    width = padded_width(len(example["input_ids"]) for example in examples)

    def stacked(key: str, fill: int) -> Any:
        return torch.tensor([[*example[key], *[fill] * (width - len(example[key]))] for example in examples])

    mask = [[1] * len(example["input_ids"]) + [0] * (width - len(example["input_ids"])) for example in examples]
    return {
        "input_ids": stacked("input_ids", pad),
        "attention_mask": torch.tensor(mask),
        "labels": stacked("labels", IGNORED),
    }
