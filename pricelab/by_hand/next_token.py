"""Next-token loss by hand: the probability of every token of an answer, what it costs, one step of gradient descent.

Training with batches, warm-up and AdamW is `training`'s (and ``scratch``'s, from random weights). Notebook 02
introduces it.

Notation: T tokens of a prompt with its answer, R tokens of the answer, V the vocabulary.
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pricelab.catalog import Item
from pricelab.show import html_table, text_table
from pricelab.training import IGNORED, encode


@dataclass(frozen=True)
class Guess:
    """What a model thought of one token that really came."""

    token: str  # as the tokenizer writes it
    probability: float  # given all tokens before it
    likeliest: str  # the token that the model thought most probable

    @property
    def nats(self) -> float:
        """What the token costs: −ln of its probability."""
        return -math.log(self.probability) if self.probability > 0 else math.inf


@dataclass(frozen=True, repr=False)
class Guesses:
    """The model's guesses at the R tokens of an answer; shows itself as a table."""

    tokens: tuple[Guess, ...]

    @property
    def loss(self) -> float:
        """Mean cost of a token in nats: the next-token loss."""
        return sum(guess.nats for guess in self.tokens) / len(self.tokens)

    @property
    def perplexity(self) -> float:
        """e^loss: a uniform guess among so many tokens would cost the same."""
        return math.exp(self.loss)

    def __str__(self) -> str:
        return text_table(_HEADERS, self._rows())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(_HEADERS, self._rows())

    def _rows(self) -> list[tuple[str, ...]]:
        return [(one.token, f"{one.probability:.2g}", f"{one.nats:.3f}", one.likeliest) for one in self.tokens]


_HEADERS = ("true token", "probability p", "−ln p", "likeliest")


def answer_guesses(model: Any, tokenizer: Any, item: Item, max_text_tokens: int) -> Guesses:
    """The probability of each token of the item's true answer, read from the whole (T, V) table of scores."""
    (example,) = encode(tokenizer, [item], max_text_tokens)
    ids = torch.tensor([example["input_ids"]], device=model.device)
    with torch.inference_mode():
        probabilities = model(input_ids=ids).logits[0].float().softmax(-1)  # row t speaks of token t + 1
    places = [place for place, label in enumerate(example["labels"]) if label != IGNORED]
    rows, truth = probabilities[[place - 1 for place in places]], ids[0, places]
    tokens, likeliest = (tokenizer.convert_ids_to_tokens(one.tolist()) for one in (truth, rows.argmax(-1)))
    true = rows.gather(1, truth[:, None])[:, 0].tolist()
    return Guesses(tuple(Guess(*one) for one in zip(tokens, true, likeliest, strict=True)))


# ---- one step of gradient descent


@dataclass(frozen=True)
class OneStep:
    """The loss after one step of gradient descent, for each learning rate that was tried from the same start."""

    before: float  # nats a token
    slope: (
        float  # squared length of the gradient: what the loss would fall by per unit of rate, were it a straight line
    )
    after: dict[float, float]  # learning rate → nats a token; NaN where the model broke down

    @property
    def best(self) -> float:
        """The learning rate with the lowest loss after the step."""
        return min(self.after, key=lambda rate: (math.isnan(self.after[rate]), self.after[rate]))


def one_step(loss: Callable[[], Any], parameters: Sequence[Any], rates: Sequence[float]) -> OneStep:
    """Try ``parameters − rate · gradient`` for each rate; the parameters are put back.

    Args:
        loss: computes the loss, a tensor with one number, from the parameters as they are.
        parameters: tensors that the loss has gradients for.
        rates: learning rates, positive.

    Raises:
        ValueError: a rate that is not positive.
    """
    if not all(rate > 0 for rate in rates):
        raise ValueError(f"learning rates must be positive, got {[rate for rate in rates if not rate > 0]}")
    with _put_back(parameters) as start:
        now = loss()
        gradients = torch.autograd.grad(now, list(parameters))
        after = {}
        for rate in rates:
            _move(parameters, start, gradients, rate)
            after[float(rate)] = _number(loss)
    slope = sum(float(gradient.square().sum()) for gradient in gradients)
    return OneStep(float(now.detach()), slope, after)


def descend(loss: Callable[[], Any], parameters: Sequence[Any], rate: float, steps: int) -> list[float]:
    """The loss before the first of ``steps`` steps of gradient descent and after each; the parameters are put back."""
    with _put_back(parameters):
        losses = []
        for _ in range(steps):
            now = loss()
            losses.append(float(now.detach()))
            gradients = torch.autograd.grad(now, list(parameters))
            _move(parameters, [one.detach().clone() for one in parameters], gradients, rate)
        return [*losses, _number(loss)]


def _move(parameters: Sequence[Any], start: Sequence[Any], gradients: Sequence[Any], rate: float) -> None:
    with torch.no_grad():
        for parameter, here, gradient in zip(parameters, start, gradients, strict=True):
            parameter.copy_(here - rate * gradient)


def _number(loss: Callable[[], Any]) -> float:
    with torch.no_grad():
        return float(loss())


@contextlib.contextmanager
def _put_back(parameters: Sequence[Any]) -> Iterator[list[Any]]:
    """Copies of the parameters as they are; they are restored at the end, also after an error."""
    start = [parameter.detach().clone() for parameter in parameters]
    try:
        yield start
    finally:
        _move(parameters, start, start, 0.0)
