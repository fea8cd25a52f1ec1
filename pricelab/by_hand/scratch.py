"""Training from scratch by hand: byte-pair merges, the training loop, samples, and bits per byte.

The finished tokenizer and the empty model come from ``pretrain``; a line through the losses is drawn in ``scaling``.
Notebook 04 introduces it.

Notation: B blocks a step, T tokens a block, N parameters, D tokens trained on, C = 6·N·D FLOPs (Kaplan et al. 2020,
arXiv 2001.08361; with the embedding tied to the head every weight takes part in a product, so N counts them all).
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from pricelab.pretrain import SHAPE, new_model
from pricelab.profiles import pick_device

Word = tuple[str, ...]
Pair = tuple[str, str]

# Weights this small a model starts from are drawn wider than the usual 0.02: it learns faster from few steps.
SIZES = {
    "0.24 M": {**SHAPE, "hidden_size": 64, "intermediate_size": 192, "num_hidden_layers": 2, "initializer_range": 0.1},
    "1.1 M": {**SHAPE, "initializer_range": 0.1},
    "4.8 M": {**SHAPE, "hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 5, "initializer_range": 0.06},
}  # shapes by the number of parameters that they have with 2,048 tokens
BATCH = 8  # blocks a step
PEAK = 1e-2  # learning rate; large, as these models are small
WARMUP = 0.05  # share of the steps
MOMENTS = (0.01, 0.02, 0.035, 0.05, 0.075, *(step / 10 for step in range(1, 11)))  # shares of a run that are looked at
SAMPLED = (0.1, 0.5, 1.0)  # shares of a run at which the model also writes, as it does before the first step
TEXTS_AT_A_TIME = 8
RESAMPLES = 2_000


# ---- byte pairs (Sennrich et al. 2016, arXiv 1508.07909)


def words_of(tokenizer: Any, texts: Sequence[str]) -> Counter[Word]:
    """How often each word of ``texts`` occurs, as the characters that a byte-level tokenizer starts from."""
    split = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str
    return Counter(tuple(word) for text in texts for word, _ in split(text))


def count_pairs(words: Mapping[Word, int]) -> Counter[Pair]:
    """How often each two neighbouring tokens occur."""
    pairs: Counter[Pair] = Counter()
    for word, count in words.items():
        for pair in zip(word, word[1:], strict=False):
            pairs[pair] += count
    return pairs


def merge(words: Mapping[Word, int], pair: Pair) -> Counter[Word]:
    """The words with ``pair`` written as one token, from left to right."""
    merged: Counter[Word] = Counter()
    for word, count in words.items():
        tokens: list[str] = []
        for token in word:
            follows = tokens and (tokens[-1], token) == pair
            tokens[-1:] = [tokens[-1] + token] if follows else [*tokens[-1:], token]
        merged[tuple(tokens)] += count
    return merged


def learn_merges(words: Mapping[Word, int], merges: int) -> list[Pair]:
    """The first ``merges`` merges: each time the most frequent pair; of equals the one whose tokens are older."""
    age = {token: number for number, token in enumerate(sorted({token for word in words for token in word}))}
    learned: list[Pair] = []
    for _ in range(merges):
        pairs = count_pairs(words)
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], age[pair[0]], age[pair[1]]))
        learned.append(best)
        age.setdefault("".join(best), len(age))
        words = merge(words, best)
    return learned


# ---- the training loop


@dataclass(frozen=True)
class Point:
    """A look at a training run."""

    tokens: int  # D so far
    flops: float  # 6·N·D so far
    train_loss: float  # nats a token, mean since the last point
    validation_loss: float  # nats a token, on texts that are never trained on
    sample: str | None = None  # what the model writes now; asked only at SAMPLED


def empty_model(tokenizer: Any, size: str, seed: int = 0) -> Any:
    """A model of one of the `SIZES` with random weights, the same for each seed, on the device that there is."""
    if size not in SIZES:
        raise ValueError(f"no size {size!r}; choose one of {', '.join(SIZES)}")
    torch.manual_seed(seed)
    return new_model(tokenizer, SIZES[size]).to(pick_device())


def learning_rate(step: int, steps: int, peak: float = PEAK) -> float:
    """Linear warm-up to ``peak``, then half a cosine down to zero; ``step`` counts from 1."""
    warm = max(1, round(WARMUP * steps))
    if step <= warm:
        return peak * step / warm
    return peak * (1 + math.cos(math.pi * (step - warm) / (steps - warm))) / 2


def batches(blocks: torch.Tensor, steps: int, size: int, seed: int) -> Iterator[torch.Tensor]:
    """``steps`` batches (B, T) of the blocks, shuffled anew for each pass over them."""
    dice = torch.Generator().manual_seed(seed)
    passes = math.ceil(steps * size / len(blocks))
    order = torch.cat([torch.randperm(len(blocks), generator=dice) for _ in range(passes)])
    yield from (blocks[part] for part in order[: steps * size].split(size))


def next_token_loss(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of each token given those before it, in nats; ``ids`` is (B, T)."""
    logits = model(input_ids=ids).logits  # (B, T, V)
    return cross_entropy(logits[:, :-1].flatten(0, 1).float(), ids[:, 1:].flatten())


def train(
    model: Any, tokenizer: Any, blocks: torch.Tensor, held_out: Sequence[str], tokens: int, *,
    prompt: str | None = None, batch: int = BATCH, peak: float = PEAK, seed: int = 0,
) -> Iterator[Point]:  # fmt: skip
    """Train on about ``tokens`` tokens of ``blocks`` (all, T); yields a point before, now and then, and at the end."""
    steps = max(1, round(tokens / (batch * blocks.shape[1])))
    watched, sampled = ({max(1, round(share * steps)) for share in shares} for shares in (MOMENTS, SAMPLED))
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak, betas=(0.9, 0.95), weight_decay=0.1)
    first = next_token_loss(model, blocks[:batch].to(model.device)).item()
    yield look(model, tokenizer, held_out, 0, [first], prompt)
    losses: list[float] = []
    for step, ids in enumerate(batches(blocks, steps, batch, seed), start=1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, peak)
        loss = next_token_loss(model, ids.to(model.device))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if step in watched:
            asked = prompt if step in sampled else None
            yield look(model, tokenizer, held_out, step * batch * blocks.shape[1], losses, asked)
            losses.clear()


def look(
    model: Any, tokenizer: Any, held_out: Sequence[str], tokens: int, losses: Sequence[float], prompt: str | None
) -> Point:
    """The point after ``tokens`` tokens; with a sample where there is a ``prompt``."""
    nats = text_bits(model, tokenizer, held_out).sum() * math.log(2)
    validation = nats / sum(len(ids) for ids in tokenizer(list(held_out))["input_ids"])
    flops = 6.0 * model.num_parameters() * tokens
    own_dice = model.num_parameters() + tokens  # otherwise two models, or two looks, would repeat phrases
    written = None if prompt is None else write(model, tokenizer, prompt, seed=own_dice)
    return Point(tokens, flops, sum(losses) / len(losses), float(validation), written)


def write(model: Any, tokenizer: Any, prompt: str, tokens: int = 40, temperature: float = 0.7, seed: int = 0) -> str:
    """What the model writes after ``prompt``, drawn from its probabilities, until it ends the text."""
    ids = torch.tensor([[start_token(tokenizer), *tokenizer(prompt)["input_ids"]]], device=model.device)
    options = {"do_sample": True, "temperature": temperature, "top_k": 0, "max_new_tokens": tokens}
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(seed)
        new = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), pad_token_id=tokenizer.pad_token_id, **options
        )
    return tokenizer.decode(new[0, ids.shape[1] :], skip_special_tokens=True)


# ---- bits per byte: a loss that models with different tokenizers share


def start_token(tokenizer: Any) -> int:
    """The token that stands between documents: what a model reads before the first token of a text."""
    return tokenizer.get_vocab().get("<|endoftext|>", tokenizer.eos_token_id)


def text_bits(model: Any, tokenizer: Any, texts: Sequence[str]) -> np.ndarray:
    """Bits that the model needs for each of n texts, (n,): −log2 of the probability that it gives the text."""
    found = []
    with torch.inference_mode():
        for first in range(0, len(texts), TEXTS_AT_A_TIME):
            part = tokenizer(list(texts[first : first + TEXTS_AT_A_TIME]))["input_ids"]
            width = max(map(len, part))
            ids = torch.tensor([[start_token(tokenizer), *one, *[0] * (width - len(one))] for one in part])
            targets = torch.tensor([[*one, *[-100] * (width - len(one))] for one in part], device=model.device)
            logits = model(input_ids=ids.to(model.device)).logits[:, :-1]  # padding on the right changes nothing before
            nats = cross_entropy(logits.transpose(1, 2).float(), targets, reduction="none", ignore_index=-100)
            found.append(nats.sum(1).cpu().numpy() / math.log(2))
    return np.concatenate(found)


@dataclass(frozen=True)
class Rate:
    """Bits per byte of n texts and the 95 % interval, for ``claim``."""

    value: float
    low: float
    high: float
    n: int  # texts

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def bits_per_byte(bits: Sequence[float] | np.ndarray, texts: Sequence[str], seed: int = 0) -> Rate:
    """All bits over all bytes, or the difference of two models' when ``bits`` is one; texts are resampled whole."""
    size = np.array([len(text.encode()) for text in texts])
    if len(bits) != len(size) or not len(size):
        raise ValueError(f"{len(bits)} numbers of bits for {len(size)} texts; give one for each text")
    drawn = np.random.default_rng(seed).integers(len(size), size=(RESAMPLES, len(size)))
    low, high = np.quantile(np.asarray(bits)[drawn].sum(1) / size[drawn].sum(1), [0.025, 0.975])
    return Rate(float(np.sum(bits) / size.sum()), float(low), float(high), len(size))


# What no catalog holds, written for this workbook: six short texts on six subjects.
PROSE = (
    "The river froze in December, and for three weeks the ferry lay on the ice like a toy that somebody had forgotten. "
    "Children walked to school across the water, and the old men said that the winters used to be colder.",
    "To bake a simple bread you need flour, water, salt, yeast and patience. Mix everything in the evening, leave the "
    "dough in a cool place overnight, and bake it in a very hot oven until the crust is dark brown.",
    "Plants take carbon dioxide from the air and water from the soil. With the energy of sunlight they turn both into "
    "sugar, and they give back the oxygen that animals breathe. At night, without light, the process stops.",
    "The parliament voted on Tuesday to raise the retirement age by two years. The opposition called it unfair and "
    "announced that it would take the law to the constitutional court before the summer.",
    "If a train leaves at nine and travels two hundred kilometers at eighty kilometers per hour, it arrives at half "
    "past eleven. If it stops for ten minutes on the way, it arrives ten minutes later than that.",
    "Dear Anna, thank you for your letter. We are all well here, and the garden is full of birds again. Mother asks "
    "whether you are coming home for her birthday; she would never say so herself, but she misses you very much.",
)
