"""The exact probability of every whole-dollar price, read from a language model's digits.

A price of up to three digits is a path in a tree: P($24) = P("2") · P("4" after "2") · P(no digit after "24"). Three
passes give the whole distribution: one over the prompt, one over the nine first digits, one over the second digits that
are likely enough. The branches of a level stand side by side in one sequence behind the prompt; a mask lets each see
only the prompt and its own digits, so the prompt's key-value cache is used as it is, without copies.

The format, not the model, decides that a price doesn't begin with "0" and ends after three digits. Introduced in
notebook 10.

Notation: B prompts of T tokens, K kept two-digit branches, V the vocabulary.
"""

from typing import Any

import numpy as np

from pricelab.backbone import head_logits, hidden_states
from pricelab.prompt import MAX_DIGITS

PRICES_USD = np.arange(1, 10**MAX_DIGITS)
CUT = 0.01  # probability that the least likely two-digit branches, which are not followed, may hold together


def price_distribution(
    model: Any, prompts: list[list[int]], digits: list[int], pad: int, cut: float = CUT
) -> tuple[np.ndarray, np.ndarray]:
    """The distribution over $1…$999 for a batch of prompts.

    Args:
        model: a causal language model, with or without adapters.
        prompts: B lists of token ids, of any lengths.
        digits: ids of the tokens "0"…"9".
        pad: id that fills up shorter prompts on the left.
        cut: the least likely two-digit branches that together hold at most this are not followed; 0 follows all.

    Returns:
        Probabilities (B, 999), each row summing to 1, and the probability (B,) that cut branches held before that.
    """
    import torch

    with torch.inference_mode():
        tree = _Tree(model, prompts, digits, pad)
        first = tree.after_prompt()[:, 1:]
        first /= first.sum(1, keepdims=True)
        second = tree.after_first_digit()
        two = first[:, :, None] * second
        parent, digit, kept = _most_likely(two, cut)
        third = tree.after_second_digit(parent, digit)
    rows = np.arange(len(prompts))[:, None]
    chance = np.where(kept, two[rows, parent, digit], 0)
    number = (parent + 1) * 10 + digit
    mass = np.zeros((len(prompts), 10**MAX_DIGITS))
    mass[:, 1:10] = first * (1 - second.sum(2)).clip(0)
    np.add.at(mass, (rows, number), chance * (1 - third.sum(2)).clip(0))
    np.add.at(mass, (rows[:, :, None], number[:, :, None] * 10 + np.arange(10)), chance[:, :, None] * third)
    mass = mass[:, 1:]
    total = mass.sum(1)
    return mass / total[:, None], 1 - total


def _most_likely(two: np.ndarray, cut: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The branches to follow from (B, 9, 10) probabilities: first and second digit (B, K), and which are real.

    K is the largest number kept for any prompt; others are filled up with branches that don't count.
    """
    flat = two.reshape(len(two), -1)
    branch = np.argsort(-flat, axis=1, kind="stable")
    ranked = np.take_along_axis(flat, branch, axis=1)
    before = ranked.cumsum(1) - ranked
    kept = before < ranked.sum(1, keepdims=True) - cut
    width = max(1, int(kept.sum(1).max()))
    parent, digit = np.divmod(branch[:, :width], 10)
    return parent, digit, kept[:, :width]


class _Tree:
    """The prompts and the digits after them, level by level, on one growing key-value cache."""

    def __init__(self, model: Any, prompts: list[list[int]], digits: list[int], pad: int):
        import torch
        from transformers import DynamicCache

        self.model, self.cache = model, DynamicCache()
        self.digits = torch.tensor(digits, device=model.device)
        width = max(map(len, prompts))
        ids = [[pad] * (width - len(prompt)) + prompt for prompt in prompts]
        self.ids = torch.tensor(ids, device=model.device)
        mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        self.mask = torch.tensor(mask, device=model.device)

    def after_prompt(self) -> np.ndarray:
        """P(digit) (B, 10) for the first token of the answer."""
        hidden = hidden_states(self.model, self.ids, self.mask, cache=self.cache)
        return self._digit_probabilities(hidden[:, -1:])[:, 0]

    def after_first_digit(self) -> np.ndarray:
        """P(next digit) (B, 9, 10) after each of "1"…"9"; what is missing to 1 is the price ending there."""
        tokens = self.digits[1:].expand(len(self.ids), -1)
        return self._level(tokens, self.mask[:, None, :].expand(-1, tokens.shape[1], -1), depth=0)

    def after_second_digit(self, parent: np.ndarray, digit: np.ndarray) -> np.ndarray:
        """P(next digit) (B, K, 10) after the branches whose first digit is ``parent`` + 1 and second ``digit``."""
        import torch

        parents = torch.from_numpy(parent).to(self.mask.device)
        own_parent = torch.nn.functional.one_hot(parents, 9)
        prompt = self.mask[:, None, :].expand(-1, parents.shape[1], -1)
        tokens = self.digits[torch.from_numpy(digit).to(self.mask.device)]
        return self._level(tokens, torch.cat([prompt, own_parent], dim=2), depth=1)

    def _level(self, tokens: Any, earlier: Any, depth: int) -> np.ndarray:
        """Run tokens (B, N) that see ``earlier`` (B, N, cached) and themselves, not each other."""
        import torch

        count, dtype = tokens.shape[1], self.model.dtype
        itself = torch.eye(count, dtype=earlier.dtype, device=earlier.device).expand(len(tokens), -1, -1)
        seen = torch.cat([earlier, itself], dim=2)[:, None].bool()
        mask = torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill(~seen, torch.finfo(dtype).min)
        positions = (self.mask.sum(1, keepdim=True) + depth).expand(-1, count)
        return self._digit_probabilities(hidden_states(self.model, tokens, mask, positions, self.cache))

    def _digit_probabilities(self, hidden: Any) -> np.ndarray:
        """P(next token is "0"…"9") as (B, N, 10) from hidden states (B, N, dim)."""
        logits = head_logits(self.model, hidden.flatten(0, 1))
        chances = logits[:, self.digits].sub(logits.logsumexp(-1, keepdim=True)).exp()
        return chances.view(*hidden.shape[:2], 10).double().cpu().numpy()
