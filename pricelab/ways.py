"""The great comparison: the same items learned from random weights, with all weights, with LoRA and with QLoRA.

One trial is one run; every number it holds was measured in that run. What the numbers mean is left to `evaluation`,
the table to `trials`, figures to `plots.ways`, repeated trials to ``benchmarks.ways``. Introduced in notebook 08.

Notation: B items, D tokens that went through the layers in training, prices in US dollars.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pricelab.catalog import Item
from pricelab.profiles import detect, pick_device, pick_precision
from pricelab.prompt import follows_format
from pricelab.training import Recipe, encode, load_trainable, price_loss, train

LEAST_PASSES = 200  # items that a run sees at least: a smaller set goes by several times
TIMED_BATCHES = 4  # batches whose operations are counted; items of the warm-up
WRITTEN_TOKENS = 4  # three digits and the end: a longer answer has broken the contract already


@dataclass(frozen=True)
class Way:
    """One way to make a model price products."""

    key: str
    words: str  # for tables and legends
    method: str  # of `training.METHODS`
    rates: Mapping[int, float]  # training items → the best learning rate that `python -m benchmarks.ways` tried there
    start: str  # "base": trained weights; "random": their shape; "small": the shape of `tiny`, a task model

    def learning_rate(self, items: int) -> float:
        """The peak learning rate for so many training items: the best where rates were tried with as many, or nearly.

        That is the largest number tried that is no larger, or the smallest one.
        """
        return self.rates[max((tried for tried in self.rates if tried <= items), default=min(self.rates))]

    @property
    def starts(self) -> str:
        """Where it starts, in words."""
        return {"base": "starts from trained weights", "random": "starts from random weights",
                "small": "starts from random weights"}[self.start]  # fmt: skip

    @property
    def moves(self) -> str:
        """Which weights learn, in words."""
        return {"full": "all weights learn", "lora": "adapters learn, the base stays",
                "qlora": "adapters learn, the base stays, in 4 bits"}[self.method]  # fmt: skip


WAYS = {
    way.key: way
    for way in (
        Way("small", "from scratch, 1.1 M", "full", {200: 3e-3, 600: 3e-3}, "small"),
        Way("scratch", "from scratch, the base's shape", "full", {200: 3e-3, 600: 3e-4, 2000: 1e-3}, "random"),
        Way("full", "full fine-tuning", "full", {200: 3e-4, 600: 1e-4}, "base"),
        Way("lora", "LoRA", "lora", {200: 3e-3, 600: 1e-3}, "base"),
        Way("qlora", "QLoRA", "qlora", {200: 3e-3, 600: 1e-3}, "base"),
    )
}


@dataclass(frozen=True)
class Trial:
    """One run and what came of it."""

    way: str  # key of `WAYS`
    base: str
    items: int  # different training items
    epochs: float
    seed: int
    learning_rate: float
    parameters: int  # of the model that learned, adapters included
    trainable: int  # weights that moved
    seconds: float  # of training
    tokens: int  # D
    flops: float  # of training, counted operation by operation on a few batches and scaled to D
    peak_bytes: int  # memory that loading and training took at most
    disk_bytes: int  # of the weights that have to be kept
    format_kept: int  # answers of `asked` that keep the prompt contract
    asked: int
    general_nats: float  # a token of general English, after training
    general_bits_per_byte: float  # the same whatever the tokenizer
    estimates: Mapping[str, Sequence[float]]  # split → US dollars, one an item, in the catalog's order

    @property
    def tokens_per_second(self) -> float:
        """Tokens a second of training."""
        return self.tokens / self.seconds

    @property
    def perplexity(self) -> float:
        """On general English, per token of the model's own tokenizer."""
        return float(np.exp(self.general_nats))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return asdict(self)


def passes(items: int) -> float:
    """Epochs for that many items: one, or as many as bring `LEAST_PASSES` items by."""
    return float(max(1, -(-LEAST_PASSES // items)))


def attempt(
    way: Way, items: Sequence[Item], held_out: Mapping[str, Sequence[Item]], *, seed: int = 0, base: str | None = None,
    asked: int = 20, progress: bool = False, keep: str | Path | None = None,
) -> Trial:  # fmt: skip
    """Train one model on ``items`` and measure everything that `Trial` holds on ``held_out``.

    Args:
        way: how; one of `WAYS`, or one with other learning rates.
        items: what to learn from.
        held_out: split → items to price.
        seed: of random weights, adapters and the order of items.
        base: the trained base; by default the profile's for comparisons.
        asked: free answers that are checked against the contract.
        progress: show bars.
        keep: a folder for the weights; by default they are measured and thrown away.

    Raises:
        FloatingPointError: the loss stopped being a finite number.
    """
    from pricelab.costs.peak import peak_memory
    from pricelab.pricer import Pricer

    profile = detect()
    base = base or profile.compared_base
    rate = way.learning_rate(len(items))
    recipe = Recipe(epochs=passes(len(items)), batch_size=profile.batch_size, learning_rate=rate)
    _warm_up(way.method, items[:TIMED_BATCHES], seed)
    with peak_memory(pick_device()) as peak:
        loaded, model = begin(way, base, recipe, seed)
        seconds = train(model, loaded, items, recipe, None, seed, progress).seconds
    tokens = sum(len(example["input_ids"]) for example in encode(loaded.tokenizer, items, recipe.max_text_tokens))
    flops = flops_per_token(model, loaded, items, recipe) * tokens * recipe.epochs
    pricer = Pricer(way.words, loaded, model.eval(), recipe.max_text_tokens)
    texts = {split: [item.text for item in found] for split, found in held_out.items()}
    answers = pricer.write(next(iter(texts.values()))[:asked], max_new_tokens=WRITTEN_TOKENS)
    nats, bits = _general(pricer)
    estimates = {
        split: [e.estimate for e in pricer.estimate(found, progress=progress)] for split, found in texts.items()
    }
    return Trial(
        way.key, base, len(items), recipe.epochs, seed, rate, parameters=loaded.model.num_parameters(),
        trainable=sum(weight.numel() for weight in model.parameters() if weight.requires_grad), seconds=seconds,
        tokens=round(tokens * recipe.epochs), flops=flops, peak_bytes=peak.bytes,
        format_kept=sum(map(follows_format, answers)), asked=len(answers), general_nats=nats,
        general_bits_per_byte=bits, estimates=estimates,
        disk_bytes=saved_bytes(model, keep),  # last, because it rounds the weights
    )  # fmt: skip


def attempt_apart(*args: Any, **options: Any) -> Trial:
    """`attempt` in a fresh process, as its peak memory needs."""
    from pricelab.costs.peak import apart

    return apart(attempt, *args, **options)


def _warm_up(method: str, items: Sequence[Item], seed: int) -> None:
    """Train a toy in the same way, so that loading libraries counts neither as seconds nor as memory."""
    recipe = Recipe(epochs=1)
    loaded, model = load_trainable("tiny", method, recipe, seed)
    train(model, loaded, items, recipe, None, seed, progress=False)


def begin(way: Way, base: str, recipe: Recipe, seed: int) -> tuple[Any, Any]:
    """The base and the model as training finds them: trained weights, or random ones of the same shape."""
    from transformers import set_seed

    loaded, model = load_trainable("tiny" if way.start == "small" else base, way.method, recipe, seed)
    if way.start == "base":
        return loaded, model
    set_seed(seed)
    twin = type(model)._from_config(model.config, dtype=model.dtype).to(loaded.device)
    return replace(loaded, model=twin), twin


def flops_per_token(model: Any, base: Any, items: Sequence[Item], recipe: Recipe) -> float:
    """FLOPs of a training step a token: every matrix product there and back, counted by torch on a few batches."""
    from torch.utils.flop_counter import FlopCounterMode

    from pricelab.backbone import autocast
    from pricelab.training import collate

    examples = encode(base.tokenizer, items[: TIMED_BATCHES * recipe.batch_size], recipe.max_text_tokens)
    examples.sort(key=lambda example: len(example["input_ids"]))  # little padding, as in training
    dtype, _ = pick_precision(base.device)
    with FlopCounterMode(display=False, custom_mapping=_four_bit_products()) as counter:
        for start in range(0, len(examples), recipe.batch_size):
            batch = collate(examples[start : start + recipe.batch_size], base.tokenizer.pad_token_id)
            with autocast(base.device, dtype):
                loss = price_loss(model, {name: tensor.to(model.device) for name, tensor in batch.items()})
            loss.backward()
    model.zero_grad(set_to_none=True)
    return counter.get_total_flops() / sum(len(example["input_ids"]) for example in examples)


def _four_bit_products() -> dict[Any, Any]:
    """How many FLOPs bitsandbytes' product of inputs (…, in) with packed 4-bit weights (out, in) stands for."""
    import bitsandbytes  # noqa: F401  (registers the operator)
    import torch

    def flops(inputs: Any, packed: Any, shape: Sequence[int], *_: Any, **__: Any) -> int:
        return 2 * int(np.prod(inputs)) * shape[0]

    return {torch.ops.bitsandbytes.gemm_4bit: flops}


def saved_bytes(model: Any, keep: str | Path | None = None) -> int:
    """Save what has to be kept, the adapter alone or all weights rounded to bf16, and say how many bytes that takes."""
    import torch

    from pricelab.bases import quiet

    adapter = hasattr(model, "peft_config")
    options = {"save_embedding_layers": False} if adapter else {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, quiet():
        (model if adapter else model.to(torch.bfloat16)).save_pretrained(keep or folder, **options)
        return sum(path.stat().st_size for path in Path(keep or folder).glob("*.safetensors"))


def _general(pricer: Any) -> tuple[float, float]:
    """Nats a token and bits a byte of general English."""
    from pricelab.general import held_out, passage_losses

    texts = held_out()
    nats, tokens = passage_losses(pricer.model, pricer.base.tokenizer, texts)
    size = sum(len(text.encode()) for text in texts)
    return float(nats.sum() / tokens.sum()), float(nats.sum() / np.log(2) / size)
