"""Exercises of notebook 04."""

import math
from collections.abc import Mapping
from typing import Any

from pricelab.exercises.judges import Exercise, function, number

Words = Mapping[tuple[str, ...], int]


def _pair_count(words: Words, left: str, right: str) -> int:
    return sum(
        count * sum(pair == (left, right) for pair in zip(word, word[1:], strict=False))
        for word, count in words.items()
    )


def _each_word_once(words: Words, left: str, right: str) -> int:
    return _pair_count(dict.fromkeys(words, 1), left, right)


def _once_a_word(words: Words, left: str, right: str) -> int:
    return sum(count for word, count in words.items() if _pair_count({word: 1}, left, right))


def _either_order(words: Words, left: str, right: str) -> int:
    there, back = _pair_count(words, left, right), _pair_count(words, right, left)
    return there if left == right else there + back


def _letters(words: Words, left: str, right: str) -> int:
    return sum(count * "".join(word).count(left + right) for word, count in words.items())


def _both_somewhere(words: Words, left: str, right: str) -> int:
    return sum(count for word, count in words.items() if left in word and right in word)


def _word_cases() -> list[tuple[Any, ...]]:
    words = {tuple("lolo"): 2, tuple("low"): 5, ("lo", "w", "er"): 3, tuple("owl"): 1, tuple("ool"): 4}
    return [(words, left, right) for left, right in (("l", "o"), ("o", "w"), ("o", "l"), ("lo", "w"), ("o", "o"))]


def _bits(nats: float, tokens: float, size: float) -> float:
    return nats * tokens / size / math.log(2)


EXERCISES = (
    Exercise(
        "04-pairs",
        "medium",
        4,
        function(
            _pair_count,
            _word_cases,
            "every place where one follows the other, as often as the word occurs",
            wrong={
                "each word was counted once; one that occurs five times counts five times": _each_word_once,
                "a pair can stand in a word more than once, as in l·o·l·o": _once_a_word,
                "only left followed by right counts; the other order is another pair": _either_order,
                "a pair is two *tokens*: in lo·w·er no token l is left": _letters,
                "both tokens stand somewhere in the word; they must be neighbours": _both_somewhere,
            },
            hint="zip(word, word[1:]) walks over the neighbours of one word",
        ),
    ),
    Exercise(
        "04-bits",
        "medium",
        3,
        function(
            _bits,
            lambda: [(2.0, 50, 160), (3.5, 40, 100), (1.0, 80, 400)],
            "tokens cancel: nats a token · tokens / bytes, and ln 2 nats are one bit",
            wrong={
                "those are nats a byte; one bit is ln 2 nats, so divide by ln 2": lambda n, t, b: n * t / b,
                "ln 2 nats are one bit: divide by ln 2 instead of multiplying": lambda n, t, b: n * t / b * math.log(2),
                "those are bits a token; bring in how many tokens a byte has": lambda n, t, b: n / math.log(2),
                "upside down: there are fewer tokens than bytes, so a byte costs less": lambda n, t, b: (
                    n * b / t / math.log(2)
                ),
                "those are the bits of the whole text; divide by its bytes": lambda n, t, b: n * t / math.log(2),
                "that is the perplexity of a token; bits grow with the loss itself": lambda n, t, b: math.exp(n),
            },
        ),
    ),
    Exercise(
        "04-years",
        "medium",
        3,
        number(
            513.4,
            "6·N·D is 1.62 · 10²¹ FLOPs: at 10¹¹ a second half a millennium",
            wrong={
                1.62e10: "those are seconds; a year has about 31.6 million of them",
                1.875e5: "those are days; divide by 365",
                171.1: "that is the forward pass alone, 2·N·D; the backward pass costs twice as much again",
                85.6: "the 6 is missing: each weight takes part in six operations a token",
                342.2: "that is the backward pass alone, 4·N·D; the forward pass adds 2·N·D",
                0.5134: "the tokens are two trillion, 2 · 10¹², not two billion",
            },
            unit="years",
            tolerance=0.02,
        ),
    ),
)
