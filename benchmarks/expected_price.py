"""The expected log price under a model's digits, exact and with a gradient, for `heads`.

Regression-aware fine-tuning (RAFT: Lukasik et al., "Better autoregressive regression with LLMs via regression-aware
fine-tuning", ICLR 2025) takes the squared error of the expectation over a grid of target strings. Here the grid is
every price from $1 to $999, so nothing is estimated: with one digit a token only 99 prefixes, "1" to "99", lie between
the prompt and the prices. They stand behind the prompt in the same sequence and each sees the prompt, the prefix that
it goes on from and itself, so one pass serves all; `pricelab.decoding` does that level by level, without a gradient.

Notation: B items, T tokens, N = 99 prefixes, V the vocabulary.
"""

from collections.abc import Mapping
from typing import Any

import torch

from pricelab.backbone import head_logits, hidden_states
from pricelab.decoding import PRICES_USD
from pricelab.price_format import SIGNIFICANT

NUMBERS = torch.arange(1, 10 ** (SIGNIFICANT - 1))  # the prefixes


def states_with_prefixes(model: Any, inputs: Mapping[str, Any], ends: Any, digits: list[int]) -> tuple[Any, Any]:
    """Last hidden states of collated examples (B, T, dim), as without prefixes, and of the prefixes (B, N, dim).

    ``ends`` (B,) are the places of the prompts' last tokens, ``digits`` the ids of "0"…"9".
    """
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    width = ids.shape[1]
    numbers = NUMBERS.to(ids.device)
    prefixes = torch.tensor(digits, device=ids.device)[numbers % 10].expand(len(ids), -1)
    positions = ends[:, None] + torch.where(numbers < 10, 1, 2)
    shut = torch.where(_seen(mask, ends, numbers)[:, None], 0.0, torch.finfo(model.dtype).min).to(model.dtype)
    everywhere = torch.cat([(mask.cumsum(1) - 1).clamp(min=0), positions], dim=1)
    states = hidden_states(model, torch.cat([ids, prefixes], dim=1), shut, everywhere)
    return states[:, :width], states[:, width:]


def _seen(mask: Any, ends: Any, numbers: Any) -> Any:
    """What each token sees (B, T + N, T + N)."""
    width, device = mask.shape[1], mask.device
    seen = torch.zeros(len(mask), *(width + len(numbers),) * 2, dtype=torch.bool, device=device)
    seen[:, :width, :width] = torch.ones(width, width, device=device).tril().bool() & mask.bool()[:, None]
    seen[:, width:, :width] = (torch.arange(width, device=device) <= ends[:, None])[:, None]
    each = numbers[:, None]
    seen[:, width:, width:] = (each == numbers) | (each // 10 == numbers)
    return seen


def price_chances(after_prompt: Any, after_prefix: Any) -> Any:
    """P($1)…P($999) (B, 999) from the chances of "0"…"9" after the prompt (B, 10) and each prefix (B, N, 10).

    As in `pricelab.decoding`: no price begins with "0", and what is missing to 1 after a prefix is its end.
    """
    first = after_prompt[:, 1:] / after_prompt[:, 1:].sum(1, keepdim=True)
    ended = 1 - after_prefix.sum(2)
    second = (first[:, :, None] * after_prefix[:, :9]).flatten(1)
    third = (second[:, :, None] * after_prefix[:, 9:]).flatten(1)
    return torch.cat([first * ended[:, :9], second * ended[:, 9:], third], dim=1)


def expected_log_price(model: Any, states: Any, prefixes: Any, ends: Any, digits: list[int]) -> Any:
    """The expected log price (B,) from what `states_with_prefixes` returns."""
    rows = torch.cat([states[torch.arange(len(states), device=ends.device), ends][:, None], prefixes], dim=1)
    chances = head_logits(model, rows.flatten(0, 1)).softmax(1)[:, digits].view(*rows.shape[:2], 10)
    log_prices = torch.tensor(PRICES_USD, dtype=torch.float32, device=chances.device).log()
    return (price_chances(chances[:, 0], chances[:, 1:]) * log_prices).sum(1)  # autocast would take a product in bf16
