"""The price predictor: descriptions in, estimates with an interval out.

A `Pricer` holds one base model in memory and, switched on or off, one adapter. It reads prices from the model's digits
(see `decoding`), takes the median, which is what absolute error asks for, and a calibrated interval (see `intervals`).
Introduced in notebook 00, taken apart in notebook 10. B is a number of descriptions, prices are in US dollars.
"""

import contextlib
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, overload

import numpy as np

from pricelab.backbone import autocast, causal_lm
from pricelab.bases import Base, load_base, quiet
from pricelab.decoding import price_distribution
from pricelab.estimates import PriceEstimate, nothing_to_price
from pricelab.intervals import Calibration, raw_interval
from pricelab.price_format import WHOLE_DOLLARS, PriceFormat
from pricelab.profiles import pick_precision
from pricelab.prompt import number_tokens, prompt_text, prompt_tokens
from pricelab.scope import Scope
from pricelab.states import batch_size, by_length, pool

DIGITS, BLEND = "digits", "blend"  # the read-outs
MAX_TEXT_TOKENS = 256
_Read = tuple[np.ndarray, np.ndarray, np.ndarray, Calibration | None, Sequence[str | None]]
"""Of B texts: medians (B,), distributions (B, P) and what of them went unread (B,), their calibration, and what a
read-out holds against each text."""


@dataclass(frozen=True)
class Pricer:
    """A base model with a fine-tuned adapter (or none), ready to estimate prices."""

    name: str  # for tables and plots
    base: Base
    model: Any  # the base's model, wrapped by peft when there is an adapter
    max_text_tokens: int = MAX_TEXT_TOKENS  # longer descriptions are cut there
    calibration: Calibration | None = None  # None: the interval is the raw 80 % of the distribution
    scope: Scope = Scope()  # what descriptions must be like to be priced with confidence
    adapter: bool = True  # whether the adapter is switched on
    ridge: Any = None  # the stored TF-IDF + ridge, trained on the same rows
    manifest: Any = None  # how this predictor was made (`artifacts.Manifest`)
    adapter_name: str | None = None  # its name among several on this base; None: the active one
    blend: Any = None  # the stored second read-out (`blend.Blend`), if there is one
    read_out: str = DIGITS  # what `estimate` reads: the adapter's digits, or the blend of frozen base and ridge
    price_format: PriceFormat = WHOLE_DOLLARS  # which prices it answers with

    @classmethod
    def load(cls, folder: str | Path, device: str | None = None, *, beside: "Pricer | None" = None) -> "Pricer":
        """Load what `finetune` left in ``folder``, each file checked against the manifest.

        With ``beside`` only the adapter is loaded, onto the base that this other predictor holds in memory; both go on
        working.

        Raises:
            ValueError: no finished run in the folder, a file missing or changed, or a base that doesn't fit.
        """
        from pricelab.artifacts import load_pricer

        return load_pricer(Path(folder), device, beside)

    @classmethod
    def from_base(cls, base: Base | str, **settings: Any) -> "Pricer":
        """An untuned predictor: the bare base asked in the same words. ``settings`` are fields of the predictor."""
        if isinstance(base, str):
            base = load_base(base, text_tokens=settings.get("max_text_tokens", MAX_TEXT_TOKENS))
        settings.setdefault("scope", _any_price(settings.get("price_format", WHOLE_DOLLARS)))
        return cls(f"{base.key}, untuned", base, base.model.eval(), adapter=False, **settings)

    @property
    def untuned(self) -> "Pricer":
        """The same base with the adapter switched off; it shares this predictor's memory.

        Full fine-tuning leaves no base behind, so there the base is loaded again.
        """
        if self.manifest and self.manifest.method == "full":
            base = load_base(**self.manifest.base, device=self.base.device, text_tokens=self.max_text_tokens)
            return Pricer.from_base(base, max_text_tokens=self.max_text_tokens, price_format=self.price_format)
        name, scope = f"{self.base.key}, untuned", _any_price(self.price_format)
        return replace(self.bare, name=name, calibration=None, scope=scope, ridge=None, manifest=None)

    @property
    def bare(self) -> "Pricer":
        """This predictor's digits with the adapter switched off, whatever else it holds."""
        return replace(self, adapter=False, blend=None, read_out=DIGITS)

    @property
    def digits(self) -> "Pricer":
        """The same predictor, answering from the adapter's digits."""
        return self.reading(DIGITS)

    def reading(self, read_out: str) -> "Pricer":
        """The same predictor with another read-out, ``"digits"`` or ``"blend"``; it shares this one's memory.

        Raises:
            ValueError: no such read-out here.
        """
        there = (DIGITS, BLEND) if self.blend else (DIGITS,)
        if read_out not in there:
            raise ValueError(f"{self.name} has no read-out {read_out!r}; it has {' and '.join(there)}")
        return replace(self, read_out=read_out)

    @property
    def identity(self) -> str:
        """SHA-256 of all that its answers depend on beside the texts: one other setting, one other identity."""
        noted = {
            "name": self.name,
            "manifest": self.manifest and self.manifest.as_dict(),
            "revision": self.base.revision,
            "adapter": self.adapter,
            "read_out": self.read_out,
            "max_text_tokens": self.max_text_tokens,
            "price_format": str(self.price_format),
        }
        return hashlib.sha256(json.dumps(noted, sort_keys=True, default=str).encode()).hexdigest()

    @property
    def constant(self) -> Any:
        """The median price of the training items as a baseline, or None for an untuned predictor."""
        from pricelab.baselines import ConstantPrice

        return ConstantPrice(self.manifest.data["median_price_usd"]) if self.manifest else None

    @overload
    def estimate(self, descriptions: str) -> PriceEstimate: ...  # type: ignore[overload-overlap]
    @overload
    def estimate(self, descriptions: Sequence[str], *, progress: bool = ...) -> list[PriceEstimate]: ...
    def estimate(self, descriptions: Any, *, progress: bool = False) -> Any:
        """Estimate the price of one description, or of B descriptions in their order.

        An empty description gets NaN and a warning, never a number; one out of scope gets a warning with the reason and
        an interval as wide as the catalog's prices.

        Raises:
            ValueError: something that is not text.
        """
        if isinstance(descriptions, str):
            return self.estimate([descriptions])[0]
        texts = _texts(descriptions)
        prompts = [self.prompt_ids(text) for text in texts]
        answers = [nothing_to_price(self.price_format.prices) for _ in texts]
        waiting = (i for i, text in enumerate(texts) if text)
        for batch in by_length(waiting, [ids for ids, _ in prompts], batch_size(self), "pricing", progress):
            found = self._batch([texts[i] for i in batch], [prompts[i] for i in batch])
            for i, answer in zip(batch, found, strict=True):
                answers[i] = answer
        return answers

    def write(self, descriptions: Sequence[str], max_new_tokens: int = 8) -> list[str]:
        """What the model writes after the prompt when left free (greedy): the new text only."""
        import torch

        answers = []
        for text in _texts(descriptions):
            ids = torch.tensor([self.prompt_ids(text)[0]], device=self.model.device)
            with self.running():
                output = causal_lm(self.model).generate(
                    input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=max_new_tokens
                )
            new = output[0, ids.shape[1] :]
            answers.append(self.base.tokenizer.decode(new, skip_special_tokens=True))
        return answers

    def prompt(self, description: str) -> str:
        """The text that the model reads for ``description``."""
        return prompt_text(description)

    def prompt_ids(self, text: str) -> tuple[list[int], bool]:
        return prompt_tokens(self.base.tokenizer, text, self.max_text_tokens)

    def _batch(self, texts: list[str], prompts: list[tuple[list[int], bool]]) -> list[PriceEstimate]:
        read = self._read_blend if self.read_out == BLEND else self._read_digits
        median, distribution, unread, calibration, unlike = read(texts, [ids for ids, _ in prompts])
        prices = self.price_format.prices
        low, high = raw_interval(distribution, prices=prices)
        if calibration is not None:
            low, high = calibration.widen(low, high, median)
        lowest, *_, highest = self.price_format.edges  # what is written as the lowest price may be half a step cheaper
        low, high = np.minimum(low, median).clip(min=lowest), np.maximum(high, median).clip(max=highest)
        warnings = [self._warning(was_cut, m) for (_, was_cut), m in zip(prompts, median, strict=True)]
        columns = zip(median, low, high, distribution, warnings, unread, strict=True)
        answers = [
            PriceEstimate(float(m), float(lo), float(hi), d, w, prices, float(u)) for m, lo, hi, d, w, u in columns
        ]
        return [self.scope.judge(*one) for one in zip(texts, answers, unlike, strict=True)]

    def _read_digits(self, texts: list[str], prompts: list[list[int]]) -> _Read:
        tokenizer, wanted = self.base.tokenizer, self.price_format
        numbers, pad = number_tokens(tokenizer, wanted), tokenizer.pad_token_id
        with self.running():
            distribution, unread = price_distribution(self.model, prompts, numbers, pad, price_format=wanted)
        half = distribution.cumsum(1) >= 0.5
        # NaN: no probabilities, arithmetic overflowed
        median = np.where(half.any(1), wanted.prices[half.argmax(1)], np.nan)
        return median, distribution, unread, self.calibration, [None] * len(texts)

    def _read_blend(self, texts: list[str], prompts: list[list[int]]) -> _Read:
        with self.bare.running():
            states = pool(self.model, prompts, self.base.tokenizer.pad_token_id)
        median, distribution = self.blend.read(states, self.ridge.predict(texts), self.price_format)
        return median, distribution, np.zeros(len(texts)), self.blend.calibration, self.blend.unlike(states)

    def _warning(self, text_was_cut: bool, estimate: float) -> str | None:
        if np.isnan(estimate):
            return "the model gave no probabilities: its arithmetic overflowed"
        if text_was_cut:
            return f"only the first {self.max_text_tokens} tokens of the description were read"
        return None

    @contextlib.contextmanager
    def running(self) -> Any:
        """Inference with the adapter on or off, in the precision that fits the device, for one caller at a time.

        A widget's click may come from another thread while a cell is running, and the switch is the model's.
        """
        import torch

        dtype, _ = pick_precision(self.base.device)
        with self.base.lock, torch.inference_mode(), autocast(self.base.device, dtype), quiet(), self._switched():
            yield

    @contextlib.contextmanager
    def _switched(self) -> Any:
        """This predictor's adapter, or none, at work in the model; afterwards the one that was."""
        if not self.adapter:
            with _without_adapters(self.model):
                yield
            return
        before = self.model.active_adapter if self.adapter_name else None
        if before == self.adapter_name:
            yield
            return
        self.model.set_adapter(self.adapter_name)
        try:
            yield
        finally:
            self.model.set_adapter(before)


@contextlib.contextmanager
def _without_adapters(model: Any) -> Any:
    """No adapter at work in ``model``, also where one was laid onto a bare model's layers afterwards."""
    if hasattr(model, "disable_adapter"):
        with model.disable_adapter():
            yield
        return
    layers = adapted_layers(model)
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)


def adapted_layers(model: Any) -> list[Any]:
    """The layers of ``model`` that hold an adapter."""
    tuners = sys.modules.get("peft.tuners.tuners_utils")  # not imported yet: nothing is adapted
    return [layer for layer in model.modules() if isinstance(layer, tuners.BaseTunerLayer)] if tuners else []


def labelled(model: Any) -> str:
    """The name of a predictor or a baseline for tables, with the read-out where that isn't the adapter's digits."""
    read_out = getattr(model, "read_out", DIGITS)
    return str(model.name) if read_out == DIGITS else f"{model.name}, {read_out}"


def _texts(descriptions: Sequence[str]) -> list[str]:
    if isinstance(descriptions, str | Mapping) or not isinstance(descriptions, Iterable):
        raise ValueError(f"expected a list of descriptions, got {type(descriptions).__name__} ({descriptions!r})")
    texts = list(descriptions)
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"description {row} is {type(text).__name__} ({text!r}), expected text")
        if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
            raise ValueError(f"description {row} ({text!r}) holds half a character (a lone surrogate); decode it again")
    return [text.strip() for text in texts]


def _any_price(price_format: PriceFormat) -> Scope:
    """The limits of a predictor that has learned none: an item that says nothing may have any price of the format."""
    low, high = price_format.range
    return Scope(low=low, high=high)
