"""The prompt contract: what the model reads, and how its answer becomes a price."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricelab.price_format import PriceFormat
from pricelab.prompt import (
    SUFFIX,
    answer_tokens,
    digit_tokens,
    follows_format,
    number_tokens,
    parse_price,
    prompt_text,
    prompt_tokens,
    whole_dollars,
)

CENTS = PriceFormat(cents=True)


def tokenizer_splitting(pre_tokenizer, texts):
    """A byte-level tokenizer with another way to cut a text into words."""
    from tokenizers import Tokenizer, decoders, models, trainers
    from tokenizers import pre_tokenizers as pre
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizer, decoders.ByteLevel()
    alphabet = pre.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, special_tokens=["<end>"])
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")


@pytest.fixture(scope="module")
def newline_gluing():
    """Splits as Qwen's and Llama-3's tokenizers do: punctuation takes the newlines after it along."""
    from tokenizers import Regex
    from tokenizers import pre_tokenizers as pre

    words = pre.Split(Regex(r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+"), "isolated")
    split = pre.Sequence([words, pre.ByteLevel(add_prefix_space=False, use_regex=False)])
    return tokenizer_splitting(split, ["A red chair.\n\nPrice is $12"] * 50)


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=60))
def test_the_tokens_are_those_of_the_prompt_as_one_text(toy_tokenizer, text):
    ids, cut = prompt_tokens(toy_tokenizer, text, max_text_tokens=10_000)
    assert ids == toy_tokenizer.encode(prompt_text(text))
    assert not cut


def test_the_tokens_are_those_of_one_text_also_where_newlines_stick_to_punctuation(newline_gluing):
    glued = newline_gluing.encode("chair." + SUFFIX)
    assert glued != newline_gluing.encode("chair.") + newline_gluing.encode(SUFFIX)
    assert prompt_tokens(newline_gluing, "chair.", 100) == (glued, False)


@settings(max_examples=100, deadline=None)
@given(text=st.text(min_size=1, max_size=80), most=st.integers(1, 30))
def test_cutting_a_text_never_cuts_the_question(toy_tokenizer, text, most):
    body, question = toy_tokenizer.encode(text.strip()), toy_tokenizer.encode(SUFFIX)
    ids, cut = prompt_tokens(toy_tokenizer, text, most)
    assert ids == body[:most] + question
    assert cut == (len(body) > most)


def test_white_space_around_a_text_does_not_matter(toy_tokenizer):
    assert prompt_tokens(toy_tokenizer, "  lamp\n", 50) == prompt_tokens(toy_tokenizer, "lamp", 50)


@pytest.mark.parametrize(
    ("price", "dollars"), [(0.01, 1), (1, 1), (1.49, 1), (1.5, 2), (24.5, 25), (998.5, 999), (999, 999), (5e9, 999)]
)
def test_whole_dollars_rounds_half_up_and_stays_within_1_and_999(price, dollars):
    assert whole_dollars(price) == dollars


@pytest.mark.parametrize("price", [0, -1, math.nan, math.inf])
def test_whole_dollars_refuses_what_is_no_price(price):
    with pytest.raises(ValueError, match="positive number of US dollars"):
        whole_dollars(price)


@given(price=st.floats(0.01, 2000))
def test_the_label_is_one_token_a_digit_and_the_end(toy_tokenizer, price):
    *digits, end = answer_tokens(toy_tokenizer, price)
    assert [toy_tokenizer.decode([d]) for d in digits] == list(str(whole_dollars(price)))
    assert end == toy_tokenizer.eos_token_id


def test_each_digit_has_its_own_token(toy_tokenizer):
    assert [toy_tokenizer.decode([token]) for token in digit_tokens(toy_tokenizer)] == list("0123456789")


def test_a_tokenizer_with_tokens_of_several_digits_is_refused_in_words():
    from tokenizers import pre_tokenizers as pre

    numbers = [f"Price is ${n}" for n in range(1, 1000)]
    with pytest.raises(ValueError, match=r"writes '\d+' as \['\d+'.*one digit per token.*choose a base"):
        digit_tokens(tokenizer_splitting(pre.ByteLevel(add_prefix_space=False), numbers))


def test_tokens_of_several_digits_are_told_by_what_they_write():
    from tokenizers import pre_tokenizers as pre

    numbers = [f"Price is ${n}" for n in range(1, 1000)]
    tokenizer = tokenizer_splitting(pre.ByteLevel(add_prefix_space=False), numbers)
    found = number_tokens(tokenizer)
    assert set("0123456789") < set(found.values()) and max(map(len, found.values())) > 1
    assert all(tokenizer.decode([token]) == text for token, text in found.items())
    assert number_tokens(tokenizer) is found  # looked for once


def test_a_tokenizer_that_glues_digits_to_the_dollar_sign_is_refused_in_words():
    from tokenizers import pre_tokenizers as pre

    whole = pre.Sequence([pre.WhitespaceSplit(), pre.ByteLevel(add_prefix_space=False, use_regex=False)])
    glued = tokenizer_splitting(whole, ["Price is $12"] * 50)
    with pytest.raises(ValueError, match=r"ends the prompt with '\d+' as .*digits alone; choose a base"):
        number_tokens(glued)


def test_the_point_is_looked_for_only_where_there_are_cents(toy_tokenizer):
    digits = number_tokens(toy_tokenizer)
    with_point = number_tokens(toy_tokenizer, CENTS)
    assert set(with_point.values()) - set(digits.values()) == {"."}
    ids = answer_tokens(toy_tokenizer, 4.99, CENTS)
    assert [with_point[token] for token in ids[:-1]] == list("4.99") and ids[-1] == toy_tokenizer.eos_token_id
    assert toy_tokenizer.decode(answer_tokens(toy_tokenizer, 12_345, PriceFormat(5))[:-1]) == "12300"


def test_a_tokenizer_that_glues_the_point_to_digits_is_refused_in_words_for_cents_alone():
    from tokenizers import Regex
    from tokenizers import pre_tokenizers as pre

    words = pre.Split(Regex(r"\.?[0-9]|[^0-9.]+|\."), "isolated")
    split = pre.Sequence([words, pre.ByteLevel(add_prefix_space=False, use_regex=False)])
    glued = tokenizer_splitting(split, [f"{SUFFIX}{n}.{n}" for n in range(10)] * 50)
    assert set("0123456789") <= set(number_tokens(glued).values())
    with pytest.raises(ValueError, match=r"with '0\.0\d' as .*digits alone, and \"\.\" between them; choose a base"):
        number_tokens(glued, CENTS)


@pytest.mark.parametrize(
    ("answer", "price"),
    [
        ("24", 24), (" 24.99", 24.99), ("\n7", 7), ("24 dollars", 24), ("1,299", 1299), ("24.", 24), ("007", 7),
        ("24.99.5", 24.99), ("1,299.50 or so", 1299.5), ("12\n\nPrice is $9", 12),
        ("about 24", None), ("", None), ("0", None), ("0.00", None), ("$24", None), ("-3", None), (".50", None),
    ],
)  # fmt: skip
def test_a_free_answer_is_read_by_its_leading_number(answer, price):
    assert parse_price(answer) == price


@pytest.mark.parametrize("answer", ["1", "24", "999"])
def test_the_format_is_whole_dollars_and_nothing_else(answer):
    assert follows_format(answer)


@pytest.mark.parametrize("answer", ["", "0", "024", "1000", " 24", "24\n", "24.99", "24 dollars", "about 24", "2٤"])
def test_anything_around_the_number_breaks_the_format(answer):
    assert not follows_format(answer)


@pytest.mark.parametrize(
    ("answer", "price_format", "kept"),
    [
        ("4.99", CENTS, True), ("0.49", CENTS, True), ("12", CENTS, True), ("4", CENTS, False), ("4.9", CENTS, False),
        (".49", CENTS, False), ("0.00", CENTS, False), ("12.00", CENTS, False), ("2490", PriceFormat(4), True),
        ("2499", PriceFormat(4), False), ("12300", PriceFormat(5), True), ("12300", PriceFormat(4), False),
    ],
)  # fmt: skip
def test_another_format_asks_for_its_own_prices(answer, price_format, kept):
    assert follows_format(answer, price_format) == kept
