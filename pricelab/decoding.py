"""The exact probability of every price that can be written, read from the tokens in which a model writes digits.

The price is what the answer's text begins with: in whole dollars its first digits, three at most. Tokenizers write one,
two or three of them a token, so a price is one path or several in a tree of tokens: P($24) = P("2") · P("4" after "2")
· P(no digit after "24"), and, where there is a token "24", P("24") · P(no digit after it) besides. A token that goes on
beyond three digits counts for the price that its first ones make. The format, not the model, decides that no price
begins with "0".

Other formats (`price_format`) go further, and each text counts for one of their prices. With four digits or more, "0"
may follow the third; another digit there ends the price, and what is written until then counts for the nearest price:
"1234" for $1,230. With cents, "." may follow a single digit, and two decimals end the price; "4" or "4." with something
else behind it counts for $4.00, "4.9" for $4.90, and from $10 on "." ends the price. Texts that begin a price and are
none yet ("0", "0.", "0.0") go on with what the format lets follow, as the first token does. A comma is no digit: of an
untuned base that writes "1,299", "1" is read.

One pass reads the prompt, one more each level of the tree. The branches of a level stand side by side in one sequence
behind the prompt; a mask lets each see only the prompt and its own tokens, so the prompt's key-value cache is used as
it is, without copies. The least likely branches are not followed, and what they hold together is bounded and reported.
Introduced in notebook 10.

Notation: B prompts of T tokens, M tokens that write digits, K branches followed on a level, V the vocabulary, P prices,
I texts that may go on.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from pricelab.backbone import head_logits, hidden_states, padded_width
from pricelab.price_format import SIGNIFICANT, WHOLE_DOLLARS, PriceFormat

PRICES_USD = WHOLE_DOLLARS.prices
CUT = 0.01  # probability that the least likely branches, which are not followed, may hold together
ALWAYS = 10  # branches of a level that are all followed, so that every first digit is
HEAD_ROWS = 64  # scored at a time: a whole level's scores of a large vocabulary would take gigabytes
BRANCHES = 8192  # of all prompts together that a level may come to; more prompts are read one part after another
DECIMALS = 2


def price_distribution(
    model: Any, prompts: list[list[int]], digits: Mapping[int, str] | Sequence[int], pad: int, cut: float = CUT,
    price_format: PriceFormat = WHOLE_DOLLARS,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """The distribution over all prices of a format for a batch of prompts.

    Args:
        model: a causal language model, with or without adapters.
        prompts: B lists of token ids, of any lengths.
        digits: what the tokens write that are digits alone (`prompt.number_tokens`), or the ids of "0"…"9".
        pad: id that fills up shorter prompts on the left.
        cut: the least likely branches that together hold at most this are not followed; 0 follows all.
        price_format: which prices there are; by default $1…$999.

    Returns:
        Probabilities (B, P), each row summing to 1, and the probability (B,) that branches not followed held before.
    """
    import torch

    texts = digits if isinstance(digits, Mapping) else dict(zip(digits, "0123456789", strict=True))
    steps = _steps(price_format, tuple(texts.values()))
    inner = len(steps.after)
    if len(prompts) > (most := max(1, BRANCHES // inner)):
        parts = [prompts[start : start + most] for start in range(0, len(prompts), most)]
        found = [price_distribution(model, part, texts, pad, cut, price_format) for part in parts]
        return np.concatenate([one for one, _ in found]), np.concatenate([lost for _, lost in found])
    mass = np.zeros((len(prompts), inner + len(price_format.prices)))
    rows = np.arange(len(prompts))[:, None]
    with torch.inference_mode():
        tree = _Tree(model, prompts, list(texts), pad)
        chances = tree.after_prompt()  # (B, K, M): of each branch with each next token
        node, held = np.zeros((len(prompts), 1), dtype=int), np.ones((len(prompts), 1))
        budget = np.full(len(prompts), float(cut))
        while True:
            child, may_end = steps.after[node], steps.price[node] >= 0
            chances = np.where(child >= 0, chances, 0)
            goes_on = chances.sum(2)
            np.add.at(mass, (rows, node), np.where(may_end, held * (1 - goes_on).clip(0), 0))
            reached = held[:, :, None] * chances / np.where(may_end | (goes_on == 0), 1, goes_on)[:, :, None]
            ends = child >= inner
            np.add.at(mass, (rows[:, :, None], child), np.where(ends, reached, 0))
            parent, token, held = _most_likely(np.where(ends, 0, reached), budget)
            if not held.any():
                break
            budget = budget - np.where(ends, 0, reached).sum((1, 2)) + held.sum(1)
            node = np.where(held > 0, child[rows, parent, token], 0)
            chances = tree.after(parent, token)
    ended, mass = mass[:, :inner], mass[:, inner:]
    prices = np.flatnonzero(steps.price >= 0)
    np.add.at(mass, (rows, steps.price[prices]), ended[:, prices])
    total = mass.sum(1)
    with np.errstate(invalid="ignore"):  # 0 / 0 where the model's arithmetic overflowed: no probabilities, NaN
        return mass / total[:, None], 1 - total


def greedy(distribution: np.ndarray, price_format: PriceFormat = WHOLE_DOLLARS) -> np.ndarray:
    """What greedy writing, one character a token, comes to under distributions (B, P): prices (B,).

    The likeliest first digit, then whichever is likelier, an end there or the likeliest next one. It need not be the
    likeliest price: $1 may be an unlikely price although most likely ones begin with "1".
    """
    begin = _beginnings(price_format)
    places = {label: place for place, label in enumerate(price_format.labels)}
    answers = []
    for row in distribution:
        text = ""
        while longer := [text + sign for sign in ".0123456789" if text + sign in begin]:
            best = max(longer, key=lambda start: row[begin[start]].sum())
            if text in places and row[places[text]] >= row[begin[best]].sum():
                break
            text = best
        answers.append(places[text])
    return price_format.prices[answers]


@lru_cache
def _beginnings(price_format: PriceFormat) -> dict[str, list[int]]:
    """The places of all prices that begin with each text."""
    found: dict[str, list[int]] = {}
    for place, label in enumerate(price_format.labels):
        for end in range(1, len(label) + 1):
            found.setdefault(label[:end], []).append(place)
    return found


class _Steps(NamedTuple):
    """What each text that may go on becomes with each token behind it; the first text is the empty one."""

    after: np.ndarray  # (I, M): the number of a text, or I + the place of the price that ends there; −1: no price
    price: np.ndarray  # (I,): the place of its price where it ends; −1: it is none yet


@lru_cache(maxsize=16)
def _steps(price_format: PriceFormat, texts: tuple[str, ...]) -> _Steps:
    """The tree of all texts that begin a price of the format, of tokens that write ``texts`` (M)."""
    numbers, waiting, table = {"": 0}, [""], []
    for text in waiting:  # which grows
        table.append([_begun(_cut(text + more, price_format.digits), price_format) for more in texts])
        for longer in dict.fromkeys(begun for begun in table[-1] if begun and begun.goes_on):
            if longer.text not in numbers:
                numbers[longer.text] = len(numbers)
                waiting.append(longer.text)
    inner = len(numbers)
    after = [
        [-1 if begun is None else numbers[begun.text] if begun.goes_on else inner + begun.place for begun in row]
        for row in table
    ]
    places = [-1 if begun is None else begun.place for begun in (_begun(text, price_format) for text in numbers)]
    return _Steps(np.array(after), np.array(places))


class _Begun(NamedTuple):
    """A text that begins a price."""

    text: str
    goes_on: bool  # whether the format lets something follow
    place: int  # of the price that it is where it ends; −1: none yet


def _cut(text: str, digits: int) -> str:
    return text if "." in text else text[:digits]


@lru_cache(maxsize=1 << 16)
def _begun(text: str, price_format: PriceFormat) -> _Begun | None:
    """What ``text`` begins, None where no price of the format does so."""
    whole, point, decimals = text.partition(".")
    if point:
        if len(whole) != 1 or "." in decimals:
            return None
        goes_on = len(decimals) < DECIMALS
    else:
        if not text or (text.startswith("0") and not (price_format.cents and text == "0")):
            return None
        goes_on = len(text) < price_format.digits and not text[SIGNIFICANT:].strip("0")
    price = float(f"{text}0" if point else text)
    if price_format.writable(price) or price >= 1:
        return _Begun(text, goes_on, price_format.place(price))
    return _Begun(text, True, -1) if goes_on else None


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
