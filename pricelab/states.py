"""What a language model makes of a text: its last hidden states, pooled into one list of numbers.

A *hidden state* is the list of numbers that the last layer holds for a token. They are read from the whole prompt,
question included, and pooled in two ways: the mean over all tokens, and the last token's, from which the model would
write the price. Used by `probe` and by the baseline of notebook 03, which introduces them.

Notation: B texts, T tokens, dim the model's width.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pricelab.backbone import hidden_states, padded_width
from pricelab.show import progress_stream

if TYPE_CHECKING:
    from pricelab.pricer import Pricer

POOLINGS = ("mean of all tokens", "last token")
BATCH_SIZES = {"cpu": 16, "cuda": 64}  # texts: a GPU is hardly busy with sixteen


def pooled_states(pricer: "Pricer", texts: Sequence[str], progress: bool = False) -> np.ndarray:
    """Hidden states (P, B, dim) of B ≥ 1 prompts in float32, pooled over their tokens in each of ``POOLINGS``.

    They are those of ``pricer``'s model as it answers: with its adapter, or without where that is switched off.
    """
    prompts = [pricer.prompt_ids(text)[0] for text in texts]
    order: list[int] = []
    pooled: list[np.ndarray] = []
    for batch in by_length(range(len(prompts)), prompts, batch_size(pricer), "reading", progress):
        with pricer.running():
            pooled.append(pool(pricer.model, [prompts[row] for row in batch], pricer.base.tokenizer.pad_token_id))
        order += batch
    states = np.concatenate(pooled, axis=1)
    return states[:, np.argsort(order)]


def batch_size(pricer: "Pricer") -> int:
    """Texts that ``pricer`` reads at once on its device."""
    return BATCH_SIZES[pricer.base.device.partition(":")[0]]


def by_length(
    rows: Iterable[int], prompts: Sequence[Sequence[int]], size: int, doing: str, progress: bool
) -> Iterator[list[int]]:
    """The rows in batches of ``size`` prompts about as long, so that hardly any padding is computed, behind a bar."""
    from tqdm import tqdm

    order = sorted(rows, key=lambda row: len(prompts[row]))
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    yield from tqdm(batches, desc=doing, unit="batch", disable=not progress, leave=False, file=progress_stream())


def pool(model: Any, prompts: Sequence[Sequence[int]], pad: int) -> np.ndarray:
    """Pooled hidden states (P, B, dim) in float32 of B prompts of token ids, filled up on the right with ``pad``."""
    import torch

    width = padded_width(map(len, prompts))
    ids = torch.tensor([[*prompt, *[pad] * (width - len(prompt))] for prompt in prompts], device=model.device)
    mask = torch.tensor([[1] * len(prompt) + [0] * (width - len(prompt)) for prompt in prompts], device=ids.device)
    return poolings(hidden_states(model, ids, mask), mask).cpu().numpy()


def poolings(states: Any, mask: Any) -> Any:
    """Hidden states (B, T, dim) pooled in each of ``POOLINGS``, (P, B, dim) in fp32; ``mask`` (B, T): 1 on prompts."""
    import torch

    states = states.float()
    mean = (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
    last = states[torch.arange(len(states)), mask.sum(1) - 1]
    return torch.stack([mean, last])
