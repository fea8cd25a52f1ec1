"""The prompt contract: how an item becomes tokens and how tokens become a price. Introduced in notebook 00.

One contract serves training, evaluation, the widget and the server: ``text``, a blank line, ``Price is $``, then the
price, by default in whole dollars, as tokens of digits alone, and the end-of-text token. It leaves columns to
`catalog`, other prices to `price_format` and probabilities to `decoding`. T is a number of tokens.
"""

import re
import weakref
from typing import Any

from pricelab.price_format import WHOLE_DOLLARS, PriceFormat

PROMPT_VERSION = 1
SUFFIX = "\n\nPrice is $"
_KNOWN: "weakref.WeakKeyDictionary[Any, dict[PriceFormat, dict[int, str]]]" = weakref.WeakKeyDictionary()
_LEADING_NUMBER = re.compile(r"\s*(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?")


def whole_dollars(price: float) -> int:
    """The default format's label for a price in US dollars: rounded to whole dollars (half up), within 1…999."""
    return int(WHOLE_DOLLARS.label(price))


def prompt_text(text: str) -> str:
    """The prompt as one string, for engines that take text."""
    return text.strip() + SUFFIX


def prompt_tokens(tokenizer: Any, text: str, max_text_tokens: int) -> tuple[list[int], bool]:
    """The prompt's token ids and whether ``text`` was cut to its first ``max_text_tokens`` tokens.

    The suffix is never cut, so a long description can't push the question out of the prompt. Uncut, the ids equal
    those of `prompt_text` as a whole.
    """
    whole = tokenizer.encode(prompt_text(text), add_special_tokens=True)
    suffix = tokenizer.encode(SUFFIX, add_special_tokens=False)
    if len(whole) <= max_text_tokens + len(suffix):
        return whole, False
    return tokenizer.encode(text.strip(), add_special_tokens=True)[:max_text_tokens] + suffix, True


def answer_tokens(tokenizer: Any, price: float, price_format: PriceFormat = WHOLE_DOLLARS) -> list[int]:
    """The label: the price in its format as the tokenizer writes it, then the end-of-text token."""
    return [*tokenizer.encode(price_format.label(price), add_special_tokens=False), tokenizer.eos_token_id]


def number_tokens(tokenizer: Any, price_format: PriceFormat = WHOLE_DOLLARS) -> dict[int, str]:
    """What each token of digits alone writes, by its id: one digit with SmolLM2 and Qwen3, up to three with Llama 3.

    With cents the token of the decimal point is there too.

    Raises:
        ValueError: the tokenizer writes a price of the format with other tokens after the prompt.
    """
    known = _KNOWN.setdefault(tokenizer, {})
    if price_format not in known:
        special = set(tokenizer.all_special_ids)
        pattern = r"[0-9]+|\." if price_format.cents else "[0-9]+"
        found = {i: text for text, i in tokenizer.get_vocab().items() if re.fullmatch(pattern, text)}
        found = {i: found[i] for i in sorted(found) if i not in special}
        _check_numbers(tokenizer, found, price_format)
        known[price_format] = found
    return known[price_format]


def _check_numbers(tokenizer: Any, written_by: dict[int, str], price_format: PriceFormat) -> None:
    start = tokenizer.encode(SUFFIX, add_special_tokens=False)
    numbers = list(price_format.labels)
    written = tokenizer([SUFFIX + number for number in numbers], add_special_tokens=False)["input_ids"]
    alone = tokenizer(numbers, add_special_tokens=False)["input_ids"]
    for number, ids, label in zip(numbers, written, alone, strict=True):
        if ids != start + label or "".join(written_by.get(token, "?") for token in label) != number:
            pieces = tokenizer.convert_ids_to_tokens(ids)[len(start) - 1 :]
            point = ', and "." between them' if price_format.cents else ""
            raise ValueError(
                f"the tokenizer ends the prompt with {number!r} as {pieces}, but pricelab reads prices from tokens "
                f"that are digits alone{point}; choose a base that writes them so (SmolLM2, Qwen3, Llama 3)"
            )


def digit_tokens(tokenizer: Any) -> list[int]:
    """Ids of the tokens "0" … "9" of a tokenizer that writes one digit a token, which notebook 02 reads token by token.

    Raises:
        ValueError: the tokenizer does not write one digit per token after the prompt.
    """
    start = tokenizer.encode(SUFFIX, add_special_tokens=False)
    digits = [tokenizer.encode(str(d), add_special_tokens=False) for d in range(10)]
    for number in ("1", "24", "100", "305", "999"):
        expected = start + [token for d in number for token in digits[int(d)]]
        if any(len(d) != 1 for d in digits) or tokenizer.encode(SUFFIX + number, add_special_tokens=False) != expected:
            pieces = tokenizer.tokenize(SUFFIX + number)[len(start) :]
            raise ValueError(
                f"the tokenizer writes {number!r} as {pieces}, not with one digit per token; choose a base that does "
                "so (SmolLM2, Qwen3)"
            )
    return [d[0] for d in digits]


def parse_price(answer: str) -> float | None:
    """The price in a model's free answer (the new text only), or None when it doesn't begin with a positive number."""
    match = _LEADING_NUMBER.match(answer)
    if match is None:
        return None
    price = float(match.group(1).replace(",", "") + (match.group(2) or ""))
    return price if price > 0 else None


def follows_format(answer: str, price_format: PriceFormat = WHOLE_DOLLARS) -> bool:
    """Whether a free answer is exactly what the contract asks for: a price of the format and nothing else."""
    return answer in price_format.labels
