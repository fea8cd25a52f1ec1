"""Forgetting: what a model lost of general English while it learned prices, by method and learning rate.

One trial fine-tunes a fresh base and reads the held-out passages before and after. Repeating it with many settings is
left to ``benchmarks.forgetting``, drawing to `plots.risks`. Introduced in notebook 09.

Notation: B passages or items; nats a token; prices in US dollars.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pricelab.bootstrap import Interval, mean_interval
from pricelab.catalog import Item
from pricelab.costs.units import human_rate
from pricelab.evaluation import Difference, paired_difference
from pricelab.files import data_dir, read_json
from pricelab.general import held_out, passage_losses
from pricelab.profiles import detect
from pricelab.training import Recipe, load_trainable, train

NAMES = {"full": "full fine-tuning", "lora": "LoRA", "qlora": "QLoRA"}
_MIXED = (("full", 3e-4), ("lora", 3e-3), ("lora", 1e-3))
_PAIRS = (
    ("at 1e-3, full fine-tuning forgets more than LoRA", ("full", 1e-3, False), ("lora", 1e-3, False)),
    ("LoRA at 1e-3 forgets more than full fine-tuning at 1e-4", ("lora", 1e-3, False), ("full", 1e-4, False)),
    ("LoRA at 3e-4 forgets more than full fine-tuning at 3e-5", ("lora", 3e-4, False), ("full", 3e-5, False)),
    ("LoRA at 1e-2 forgets more than at 1e-3", ("lora", 1e-2, False), ("lora", 1e-3, False)),
    ("at 1e-3, QLoRA forgets more than LoRA", ("qlora", 1e-3, False), ("lora", 1e-3, False)),
    *(
        (
            f"{NAMES[method]} at {human_rate(rate)}: mixing keeps more general English",
            (method, rate, False),
            (method, rate, True),
        )
        for method, rate in _MIXED
    ),
)


@dataclass(frozen=True)
class Trial:
    """One fine-tuning and what came of it."""

    method: str  # of `training.METHODS`
    learning_rate: float  # peak
    mixed: float  # share of general texts among the training examples; 0: none
    items: int  # that it learned from, once each
    seed: int
    seconds: float  # of training
    before: tuple[float, ...]  # (B,) of the base as this method loads it, nats a token of each passage
    after: tuple[float, ...]  # (B,) of the fine-tuned model
    estimates: tuple[float, ...]  # US dollars, one a test item

    @cached_property
    def lost(self) -> Interval:
        """Nats a token that the passages cost more than before, paired passage by passage; negative: it gained."""
        return mean_interval(np.array(self.after) - np.array(self.before))

    @property
    def times(self) -> Interval:
        """The same as a factor: perplexity after over before, averaged over passages geometrically."""
        return Interval(*(float(np.exp(value)) for value in (self.lost.value, self.lost.low, self.lost.high)))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Trial":
        """The inverse of `to_dict`."""
        plain: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return cls(**plain)


def attempt(
    method: str, learning_rate: float, items: Sequence[Item], test: Sequence[Item], *, mix: Sequence[str] = (),
    mixed: float = Recipe.mixed, seed: int = 0, base: str | None = None, progress: bool = False,
) -> tuple[Trial, Any]:  # fmt: skip
    """Fine-tune once on ``items``; returns what came of it and the fine-tuned `Pricer`.

    Args:
        method: ``"full"``, ``"lora"`` or ``"qlora"``.
        learning_rate: its peak.
        items: what to learn from, once each.
        test: items to price afterwards.
        mix: general texts to learn beside them.
        mixed: their share of all examples.
        seed: of the adapters' start and of the order.
        base: by default the profile's for comparisons.
        progress: show bars.

    Raises:
        FloatingPointError: the loss stopped being a finite number.
    """
    from pricelab.pricer import Pricer

    profile = detect()
    recipe = Recipe(batch_size=profile.batch_size, learning_rate=learning_rate, mixed=mixed)
    loaded, model = load_trainable(base or profile.compared_base, method, recipe, seed)
    pricer = Pricer(f"{method}, {learning_rate:g}", loaded, model.eval(), recipe.max_text_tokens)
    before = per_token(pricer)  # adapters start as no change
    trained = train(model, loaded, items, recipe, None, seed, progress, mix=mix)
    model.eval()
    estimates = pricer.estimate([item.text for item in test], progress=progress)
    share = mixed if mix else 0.0
    return Trial(
        method, learning_rate, share, len(items), seed, trained.seconds, before, per_token(pricer),
        tuple(estimate.estimate for estimate in estimates),
    ), pricer  # fmt: skip


def per_token(pricer: Any) -> tuple[float, ...]:
    """What each held-out passage costs a predictor's model, in nats a token."""
    nats, tokens = passage_losses(pricer.model, pricer.base.tokenizer, held_out(), pricer.base.device)
    return tuple(float(value) for value in nats / tokens)


def recorded(path: Path | None = None) -> tuple[Trial, ...]:
    """The trials that ``python -m benchmarks.forgetting`` recorded."""
    return tuple(Trial.from_dict(trial) for trial in read_json(path or results_path())["trials"])


def results_path() -> Path:
    """Where the recorded trials ship."""
    return data_dir() / "results" / "forgetting.json"


def comparisons(trials: Sequence[Trial], prices: Sequence[float]) -> Iterator[tuple[str, Difference, str]]:
    """(statement, difference that supports it when positive, unit) for each pair of settings that were tried.

    A difference is the mean over all pairings of the two settings' seeds, and its interval reaches from the lowest to
    the highest end that any of them has: it covers luck in training as far as these seeds show it. Each is paired,
    passages with themselves and items with themselves. ``prices`` are those of the items that the trials priced, US
    dollars.
    """
    found: dict[Any, list[Trial]] = {}
    for one in trials:
        found.setdefault((one.method, one.learning_rate, one.mixed > 0), []).append(one)
    for statement, more, less in _PAIRS:
        if more in found and less in found:
            yield statement, _over_seeds(_forgot_more(a, b) for a in found[more] for b in found[less]), "nats a token"
    for method, rate in _MIXED:
        alone, mixed = found.get((method, rate, False)), found.get((method, rate, True))
        if alone and mixed:
            costs = (paired_difference(prices, a.estimates, m.estimates) for a in alone for m in mixed)
            statement = f"{NAMES[method]} at {human_rate(rate)}: mixing makes the prices worse"
            yield statement, _over_seeds(costs), "dollars an item"


def _forgot_more(more: Trial, less: Trial) -> Difference:
    """Nats a token that one trial lost more than another; each is held against its own base, which may be in 4 bits."""
    lost = [np.array(one.after) - np.array(one.before) for one in (more, less)]
    mean = mean_interval(lost[0] - lost[1])
    return Difference(mean.value, mean.low, mean.high, len(more.after))


def _over_seeds(differences: Iterable[Difference]) -> Difference:
    every = list(differences)
    value = float(np.mean([one.value for one in every]))
    return Difference(value, min(one.low for one in every), max(one.high for one in every), every[0].n)
