"""The exact probability of every whole-dollar price, read from the tokens in which a language model writes digits.

The price is what the answer's text begins with: its first digits, three at most. Tokenizers write one, two or three of
them a token, so a price is one path or several in a tree of tokens: P($24) = P("2") · P("4" after "2") · P(no digit
after "24"), and, where there is a token "24", P("24") · P(no digit after it) besides. A token that goes on beyond three
digits counts for the price that its first ones make. The format, not the model, decides that no price begins with "0".

One pass reads the prompt, one more each level of the tree. The branches of a level stand side by side in one sequence
behind the prompt; a mask lets each see only the prompt and its own tokens, so the prompt's key-value cache is used as
it is, without copies. The least likely branches are not followed, and what they hold together is bounded and reported.
Introduced in notebook 10.

Notation: B prompts of T tokens, M tokens that write digits, K branches followed on a level, V the vocabulary.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pricelab.backbone import head_logits, hidden_states, padded_width
from pricelab.prompt import MAX_DIGITS

PRICES_USD = np.arange(1, 10**MAX_DIGITS)
CUT = 0.01  # probability that the least likely branches, which are not followed, may hold together
ALWAYS = 10  # branches of a level that are all followed, so that every first digit is
HEAD_ROWS = 64  # scored at a time: a whole level's scores of a large vocabulary would take gigabytes
UNFINISHED = 10 ** (MAX_DIGITS - 1)  # the least number that ends because no further digit fits


def price_distribution(
    model: Any, prompts: list[list[int]], digits: Mapping[int, str] | Sequence[int], pad: int, cut: float = CUT
) -> tuple[np.ndarray, np.ndarray]:
    """The distribution over $1…$999 for a batch of prompts.

    Args:
        model: a causal language model, with or without adapters.
        prompts: B lists of token ids, of any lengths.
        digits: what the tokens write that are digits alone (`prompt.number_tokens`), or the ids of "0"…"9".
        pad: id that fills up shorter prompts on the left.
        cut: the least likely branches that together hold at most this are not followed; 0 follows all.

    Returns:
        Probabilities (B, 999), each row summing to 1, and the probability (B,) that branches not followed held before.
    """
    import torch

    texts = digits if isinstance(digits, Mapping) else dict(zip(digits, "0123456789", strict=True))
    after = _after_each_number(list(texts.values()))
    mass = np.zeros((len(prompts), 10**MAX_DIGITS))
    rows = np.arange(len(prompts))[:, None]
    with torch.inference_mode():
        tree = _Tree(model, prompts, list(texts), pad)
        chances = tree.after_prompt() * (after[0] > 0)
        reached = chances / chances.sum(2, keepdims=True)  # (B, K, M): of each branch with each next token
        number = np.zeros((len(prompts), 1), dtype=int)
        budget = np.full(len(prompts), float(cut))
        while True:
            child = after[number]
            ends = child >= UNFINISHED
            np.add.at(mass, (rows[:, :, None], child), np.where(ends, reached, 0))
            parent, token, held = _most_likely(np.where(ends, 0, reached), budget)
            if not held.any():
                break
            budget = budget - np.where(ends, 0, reached).sum((1, 2)) + held.sum(1)
            number = child[rows, parent, token]
            chances = tree.after(parent, token)
            np.add.at(mass, (rows, number), held * (1 - chances.sum(2)).clip(0))
            reached = held[:, :, None] * chances
    mass = mass[:, 1:]
    total = mass.sum(1)
    with np.errstate(invalid="ignore"):  # 0 / 0 where the model's arithmetic overflowed: no probabilities, NaN
        return mass / total[:, None], 1 - total


def greedy(distribution: np.ndarray) -> np.ndarray:
    """What greedy writing, one digit a token, comes to under distributions (B, 999): whole dollars (B,).

    The likeliest first digit, then whichever is likelier, an end there or the likeliest next digit. It need not be the
    likeliest price: $1 may be an unlikely price although most likely ones begin with "1".
    """
    answers = []
    for row in distribution:
        number = 0
        while number < UNFINISHED:
            nexts = [number * 10 + digit for digit in range(10) if number or digit]
            best = max(nexts, key=lambda start: _beginning_with(row, start))
            if number and row[number - 1] >= _beginning_with(row, best):
                break
            number = best
        answers.append(number)
    return np.array(answers)


def _beginning_with(row: np.ndarray, start: int) -> float:
    """The probability of all prices whose digits begin with those of ``start``."""
    ends = [(start * 10**more, (start + 1) * 10**more) for more in range(MAX_DIGITS + 1 - len(str(start)))]
    return float(sum(row[low - 1 : high - 1].sum() for low, high in ends))


def _after_each_number(texts: Sequence[str]) -> np.ndarray:
    """The numbers (100, M) that "", "1", … "99" become with each text behind them; 0 for those that begin with "0"."""
    written = ["", *map(str, range(1, UNFINISHED))]
    whole = [[(before + text)[:MAX_DIGITS] for text in texts] for before in written]
    return np.array([[0 if number.startswith("0") else int(number) for number in row] for row in whole])


def _most_likely(held: np.ndarray, cut: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The branches to follow, of those that hold ``held`` (B, K, M), of which ``cut`` (B,) may be left out.

    Returns the branch and the token behind it, and what they hold, each (B, K'). K' is the largest number followed for
    any prompt; others are filled up with branches that hold 0.
    """
    flat = held.reshape(len(held), -1)
    if (flat > 0).sum(1).max() <= ALWAYS:
        cut = np.zeros_like(cut)
    order = np.argsort(-flat, axis=1, kind="stable")
    ranked = np.take_along_axis(flat, order, axis=1)
    before = ranked.cumsum(1) - ranked
    followed = (before < ranked.sum(1, keepdims=True) - cut[:, None]) & (ranked > 0)
    width = int(followed.sum(1).max())
    parent, token = np.divmod(order[:, :width], held.shape[2])
    return parent, token, np.where(followed, ranked, 0)[:, :width]


class _Tree:
    """The prompts and the tokens after them, level by level, on one growing key-value cache."""

    def __init__(self, model: Any, prompts: list[list[int]], numbers: list[int], pad: int):
        import torch
        from transformers import DynamicCache

        self.model, self.cache, self.depth = model, DynamicCache(), 0
        self.numbers = torch.tensor(numbers, device=model.device)
        width = padded_width(map(len, prompts))
        ids = [[pad] * (width - len(prompt)) + prompt for prompt in prompts]
        self.ids = torch.tensor(ids, device=model.device)
        mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        self.mask = torch.tensor(mask, device=model.device)
        self.seen = self.mask[:, None, :]  # (B, K, cached): what each branch of the last level sees

    def after_prompt(self) -> np.ndarray:
        """P(token) (B, 1, M) for the first token of the answer."""
        hidden = hidden_states(self.model, self.ids, self.mask, cache=self.cache)
        return self._chances(hidden[:, -1:])

    def after(self, parent: np.ndarray, token: np.ndarray) -> np.ndarray:
        """P(token) (B, K, M) after each branch that goes on from ``parent`` (B, K) of the last level with ``token``.

        What is missing to 1 is the price ending there.
        """
        import torch

        where = torch.from_numpy(parent).to(self.ids.device)
        ids = self.numbers[torch.from_numpy(token).to(self.ids.device)]
        earlier = self.seen.gather(1, where[:, :, None].expand(-1, -1, self.seen.shape[2]))
        itself = torch.eye(ids.shape[1], dtype=earlier.dtype, device=ids.device).expand(len(ids), -1, -1)
        positions = (self.mask.sum(1, keepdim=True) + self.depth).expand(-1, ids.shape[1])
        self.seen, self.depth = torch.cat([earlier, itself], dim=2), self.depth + 1
        dtype = self.model.dtype
        shut = torch.zeros(self.seen.shape, dtype=dtype, device=ids.device)
        shut = shut.masked_fill(self.seen == 0, torch.finfo(dtype).min)[:, None]
        return self._chances(hidden_states(self.model, ids, shut, positions, self.cache))

    def _chances(self, hidden: Any) -> np.ndarray:
        """P(token) (B, K, M) of those that write digits, from hidden states (B, K, dim)."""
        import torch

        found = []
        for rows in hidden.flatten(0, 1).split(HEAD_ROWS):
            found.append(head_logits(self.model, rows).softmax(-1)[:, self.numbers])
        return torch.cat(found).view(*hidden.shape[:2], -1).double().cpu().numpy()
