"""The exact probability of every whole-dollar price, read from a language model's digits.

A price of up to three digits is a path in a tree: P($24) = P("2") · P("4" after "2") · P(no digit after "24"). One pass
over the prompt and one short pass per level of the tree give the whole distribution; the prompt's key-value cache is
reused. Branches too unlikely to matter are cut, and the probability they held is reported. The format, not the model,
decides that a price doesn't begin with "0" and ends after three digits. Introduced in notebook 10.

Notation: B prompts, N branches of the tree, V the vocabulary.
"""

from typing import Any

import numpy as np

from pricelab.backbone import head_logits, hidden_states
from pricelab.prompt import MAX_DIGITS

PRICES_USD = np.arange(1, 10**MAX_DIGITS)
CUT = 1e-4  # branches with less probability than this are not followed
MAX_BRANCHES = 256  # run at once: bounds the memory for copies of the cache


def price_distribution(
    model: Any, prompts: list[list[int]], digits: list[int], pad: int, cut: float = CUT
) -> tuple[np.ndarray, np.ndarray]:
    """The distribution over $1…$999 for a batch of prompts.

    Args:
        model: a causal language model, with or without adapters.
        prompts: B lists of token ids, of any lengths.
        digits: ids of the tokens "0"…"9".
        pad: id that fills up shorter prompts on the left.
        cut: branches with less probability are not followed; 0 follows all.

    Returns:
        Probabilities (B, 999), each row summing to 1, and the probability (B,) that cut branches held before that.
    """
    import torch

    mass = np.zeros((len(prompts), 10**MAX_DIGITS))
    ids, mask = _left_padded(prompts, pad, model.device)
    with torch.inference_mode():
        first, cache = _next_digits(model, ids, mask, None, digits)
        first[:, 0] = 0
        first /= first.sum(1, keepdims=True)
        item, digit = np.nonzero(first >= cut)
        _follow(model, cache, mask, item, item, digit, first[item, digit], digits, cut, mass)
    kept = mass[:, 1:].sum(1)
    return mass[:, 1:] / kept[:, None], 1 - kept


def _follow(
    model: Any, cache: Any, mask: Any, row: np.ndarray, item: np.ndarray, number: np.ndarray, probability: np.ndarray,
    digits: list[int], cut: float, mass: np.ndarray,
) -> None:  # fmt: skip
    """Extend N branches by one digit each; what ends is added to ``mass`` (B, 1000), what goes on is followed.

    ``row`` (N,) is each branch's place in the cache, ``item`` its prompt, ``number`` its digits so far.
    """
    import torch

    for start in range(0, len(row), MAX_BRANCHES):
        part = slice(start, start + MAX_BRANCHES)
        of, so_far, chance = item[part], number[part], probability[part]
        rows = torch.from_numpy(row[part]).to(mask.device)
        last = torch.tensor([[digits[n % 10]] for n in so_far], device=mask.device)
        longer = torch.cat([mask[rows], mask.new_ones(len(rows), 1)], dim=1)
        following, grown = _next_digits(model, last, longer, _picked(cache, rows), digits)
        np.add.at(mass, (of, so_far), chance * (1 - following.sum(1)).clip(0))
        joint = chance[:, None] * following
        if so_far[0] >= 10 ** (MAX_DIGITS - 2):  # the next digit is the last one
            np.add.at(mass, (of[:, None], so_far[:, None] * 10 + np.arange(10)), joint)
            continue
        kept, digit = np.nonzero(joint >= cut)
        numbers = so_far[kept] * 10 + digit
        _follow(model, grown, longer, kept, of[kept], numbers, joint[kept, digit], digits, cut, mass)


def _next_digits(model: Any, ids: Any, mask: Any, cache: Any, digits: list[int]) -> tuple[np.ndarray, Any]:
    """P(next token is "0"…"9") as (N, 10), and the cache grown by ``ids``."""
    output = hidden_states(model, ids, mask, cache, use_cache=True)
    logits = head_logits(model, output.last_hidden_state[:, -1])
    return logits.softmax(-1)[:, digits].double().cpu().numpy(), output.past_key_values


def _picked(cache: Any, rows: Any) -> Any:
    """A new cache holding ``rows`` of ``cache``, which stays as it is."""
    from transformers import DynamicCache

    return DynamicCache([(layer.keys[rows], layer.values[rows]) for layer in cache.layers])


def _left_padded(prompts: list[list[int]], pad: int, device: Any) -> tuple[Any, Any]:
    import torch

    width = max(map(len, prompts))
    ids = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts], device=device)
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=device)
    return ids, mask
