"""The price distribution: equal to scoring every price by itself, whatever the batch looks like."""

from functools import cache

import numpy as np
import pytest
import torch
from every_price import brute_force

from pricelab import decoding
from pricelab.backbone import padded_width
from pricelab.decoding import greedy, price_distribution
from pricelab.price_format import WHOLE_DOLLARS, PriceFormat
from pricelab.prompt import digit_tokens, number_tokens, prompt_tokens

TEXTS = ["lamp", "Stainless steel water bottle, 750 ml\nkeeps drinks cold. Price is $9", "", "A chair, black, 2 pack"]


@pytest.fixture
def model(toy_model, toy_tokenizer):
    """A toy model that mostly answers with digits, so that prices of all lengths are likely."""
    digits = digit_tokens(toy_tokenizer)

    def favour_digits(module, inputs, logits):
        logits[..., digits] += 4
        return logits

    toy_model.get_output_embeddings().register_forward_hook(favour_digits)
    return toy_model


@pytest.fixture
def prompts(toy_tokenizer):
    return [prompt_tokens(toy_tokenizer, text, 100)[0] for text in TEXTS]


@pytest.fixture
def distribution(model, toy_tokenizer):
    def compute(prompts, cut=0.0):
        return price_distribution(model, prompts, digit_tokens(toy_tokenizer), toy_tokenizer.pad_token_id, cut)

    return compute


def test_without_a_cut_it_equals_scoring_every_price_by_itself(model, prompts, distribution, toy_tokenizer):
    found, cut = distribution(prompts)
    for row, prompt in zip(found, prompts, strict=True):
        expected = brute_force(model, prompt, digit_tokens(toy_tokenizer))
        assert expected.sum() == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose(row, expected, rtol=1e-3, atol=1e-9)
        for digits in (slice(0, 9), slice(9, 99), slice(99, 999)):
            assert expected[digits].sum() > 0.05  # prices of all lengths were put to the test
    np.testing.assert_allclose(cut, 0, atol=1e-6)


def test_rows_sum_to_1_and_differ_between_descriptions(prompts, distribution):
    found, _ = distribution(prompts, cut=1e-4)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-12)
    assert (found >= 0).all()
    assert np.abs(found[0] - found[1]).sum() > 0.01


def test_a_batch_gives_what_each_prompt_gives_alone(prompts, distribution):
    together, _ = distribution(prompts)
    alone = np.concatenate([distribution([prompt])[0] for prompt in prompts])
    np.testing.assert_allclose(together, alone, rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("cut", [0.01, 0.1, 0.3])
def test_a_cut_loses_no_more_than_it_reports(prompts, distribution, cut):
    whole, _ = distribution(prompts)
    found, lost = distribution(prompts, cut)
    assert (lost > 0).all() and (lost <= cut + 1e-6).all()
    np.testing.assert_allclose(found.sum(1), 1)
    kept = found > 0
    np.testing.assert_allclose((found * (1 - lost)[:, None])[kept], whole[kept], rtol=1e-3)
    np.testing.assert_allclose((whole * ~kept).sum(1), lost, atol=1e-5)


def test_three_passes_read_the_prompt_once_then_the_digits_side_by_side(model, prompts, distribution, monkeypatch):
    lengths = []
    forward = decoding.hidden_states

    def noting(model, ids, *rest, **options):
        lengths.append(ids.shape[1])
        return forward(model, ids, *rest, **options)

    monkeypatch.setattr(decoding, "hidden_states", noting)
    distribution(prompts)
    assert lengths[:2] == [padded_width(map(len, prompts)), 9]
    assert len(lengths) == 3 and lengths[2] <= 90


@pytest.mark.parametrize(
    ("chances", "answer"),
    [
        ({7: 1.0}, 7),
        ({24: 0.4, 240: 0.35, 241: 0.25}, 24),  # more goes on after "24" than ends there, but with no digit so likely
        ({24: 0.3, 240: 0.4, 241: 0.3}, 240),
        ({1: 0.1, 12: 0.1, 150: 0.2, 155: 0.2, 30: 0.4}, 150),  # "1" begins more than "3" does
        ({999: 0.6, 1: 0.4}, 999),
    ],
)
def test_greedy_takes_the_likeliest_next_digit_or_the_end(chances, answer):
    row = np.zeros(999)
    for price, chance in chances.items():
        row[price - 1] = chance
    assert greedy(row[None]).tolist() == [answer]


def test_greedy_is_what_the_model_writes(model, prompts, distribution, toy_tokenizer):
    digits = digit_tokens(toy_tokenizer)
    bias = torch.full((len(toy_tokenizer),), -30.0)
    bias[[*digits, toy_tokenizer.eos_token_id]] = 0.0
    bias[digits[0]] = -2.0
    model.get_output_embeddings().register_forward_hook(lambda module, inputs, logits: logits + bias)
    found, _ = distribution(prompts)
    for prompt, price in zip(prompts, greedy(found), strict=True):
        ids = list(prompt)
        while len(ids) < len(prompt) + 3:
            with torch.inference_mode():
                scores = model(torch.tensor([ids])).logits[0, -1].numpy()
            if len(ids) == len(prompt):
                scores[digits[0]] = scores[toy_tokenizer.eos_token_id] = -np.inf
            if (best := int(scores.argmax())) not in digits:
                break
            ids.append(best)
        assert toy_tokenizer.decode(ids[len(prompt) :]) == str(price)


# ---- tokens of several digits


def toy_numbers(longest, extra=()):
    """A tokenizer that writes letters one by one and numbers with tokens of up to ``longest`` digits, or more."""
    from tokenizers import Regex, Tokenizer, decoders, models
    from tokenizers import pre_tokenizers as pre
    from transformers import PreTrainedTokenizerFast

    two = [f"{n:02}" for n in range(100)] if longest > 1 else []
    three = [f"{n:03}" for n in range(1000)] if longest > 2 else []
    pieces = [*sorted(pre.ByteLevel.alphabet()), *two, *three, *extra]
    merges = [(text[:-1], text[-1]) for text in (*two, *three, *extra)]
    model = models.BPE(vocab={text: i for i, text in enumerate([*pieces, "<end>"])}, merges=merges)
    tokenizer = Tokenizer(model)
    most = max([longest, *map(len, extra)])
    words = pre.Split(Regex(rf"\p{{N}}{{1,{most}}}|[^\p{{N}}]+"), "isolated")
    tokenizer.pre_tokenizer = pre.Sequence([words, pre.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<end>")


def small_llama(tokenizer, favoured=4.0, price_format=WHOLE_DOLLARS):
    """A random Llama in fp32 that mostly answers with digits and doesn't care how many a token writes."""
    from transformers import LlamaConfig, LlamaForCausalLM, set_seed

    set_seed(1)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), initializer_range=0.2, **sizes)).eval()
    digits = number_tokens(tokenizer, price_format)
    bonus = torch.tensor([favoured - np.log(10) * (len(text) - 1) for text in digits.values()])

    def favour(module, inputs, logits):
        logits[..., list(digits)] += bonus
        return logits

    model.get_output_embeddings().register_forward_hook(favour)
    return model


def path_by_path(model, prompt, digits):
    """P($1)…P($999) from whole passes over the prompt and every way to write a beginning of two digits at most."""
    scores = np.zeros(1000)
    waiting = [((), "", 1.0)]
    while waiting:
        path, text, chance = waiting.pop()
        with torch.inference_mode():
            after = model(torch.tensor([[*prompt, *path]])).logits[0, -1].double().softmax(-1).numpy()
        goes_on = {token: after[token] for token, more in digits.items() if text or more[0] != "0"}
        if text:
            scores[int(text)] += chance * (1 - sum(goes_on.values()))
        whole = 1.0 if text else sum(goes_on.values())
        for token, share in goes_on.items():
            longer = text + digits[token]
            if len(longer) >= 3:
                scores[int(longer[:3])] += chance * share / whole
            else:
                waiting.append(((*path, token), longer, chance * share / whole))
    return scores[1:]


NUMBERS = {"one": (1,), "two": (2,), "three": (3,), "uneven": (2, ("123", "305", "200", "1234", "2000"))}


@pytest.fixture(params=NUMBERS, scope="module")
def writer(request):
    """A tokenizer of each kind with a model and two prompts."""
    tokenizer = toy_numbers(*NUMBERS[request.param])
    return tokenizer, small_llama(tokenizer), [prompt_tokens(tokenizer, text, 100)[0] for text in ("lamp", "A mug, 2")]


def test_tokens_of_several_digits_are_found(writer):
    tokenizer, _, _ = writer
    digits = number_tokens(tokenizer)
    longest = max(map(len, digits.values()))
    assert set("0123456789") <= set(digits.values()) and len(digits) in (10, 110, 115, 1110)
    assert all(tokenizer.decode([token]) == text for token, text in digits.items())
    assert longest == {10: 1, 110: 2, 115: 4, 1110: 3}[len(digits)]


def test_without_a_cut_it_equals_every_path_to_every_price(writer, one_thread):
    tokenizer, model, prompts = writer
    digits = number_tokens(tokenizer)
    found, left_out = price_distribution(model, prompts, digits, tokenizer.pad_token_id, cut=0)
    for row, prompt in zip(found, prompts, strict=True):
        expected = path_by_path(model, prompt, digits)
        assert expected.sum() == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose(row, expected, rtol=1e-3, atol=1e-8)
        for lengths in (slice(0, 9), slice(9, 99), slice(99, 999)):
            assert expected[lengths].sum() > 0.02  # prices of all lengths were put to the test
    np.testing.assert_allclose(left_out, 0, atol=1e-6)


@pytest.mark.parametrize("cut", [0.05, 0.4])
def test_what_is_left_out_is_bounded_with_tokens_of_several_digits(writer, one_thread, cut):
    tokenizer, model, prompts = writer
    options = {"digits": number_tokens(tokenizer), "pad": tokenizer.pad_token_id}
    whole, _ = price_distribution(model, prompts, **options, cut=0)
    found, lost = price_distribution(model, prompts, **options, cut=cut)
    assert (lost > 0).all() and (lost <= cut + 1e-6).all()
    assert (found * (1 - lost)[:, None] <= whole * (1 + 1e-3) + 1e-8).all()  # nothing is counted twice
    assert (np.abs(found - whole).sum(1) / 2 <= lost + 1e-6).all()


def test_the_more_may_be_left_out_the_fewer_branches_are_followed(one_thread, monkeypatch):
    tokenizer = toy_numbers(3)
    model, prompt = small_llama(tokenizer), [prompt_tokens(tokenizer, "lamp", 100)[0]]
    followed = []
    after = decoding._Tree.after
    monkeypatch.setattr(
        decoding._Tree, "after", lambda tree, *pair: followed.append(pair[0].size) or after(tree, *pair)
    )
    counts = []
    for cut in (0, 0.1, 0.5):
        followed.clear()
        price_distribution(model, prompt, number_tokens(tokenizer), tokenizer.pad_token_id, cut)
        counts.append(sum(followed))
    assert counts[0] == 99 + 90 > counts[1] > counts[2]


def test_a_base_with_tokens_of_three_digits_learns_and_answers(tmp_path, toy_catalog, one_thread, monkeypatch):
    from pricelab import Pricer, finetune
    from pricelab.training import Recipe

    monkeypatch.setenv("PRICELAB_PROFILE", "smoke")
    tokenizer = toy_numbers(3)
    base = small_llama(tokenizer)
    base.save_pretrained(tmp_path / "base"), tokenizer.save_pretrained(tmp_path / "base")
    recipe = Recipe(epochs=1, batch_size=16, rank=2)
    finetune(toy_catalog, tmp_path / "run", base=str(tmp_path / "base"), method="lora", recipe=recipe, progress=False)
    found = Pricer.load(tmp_path / "run").digits.estimate(["lamp", "A mug"])
    assert all(0.5 <= one.low <= one.estimate <= one.high <= 999.5 for one in found)
    assert all(one.distribution.sum() == pytest.approx(1) for one in found)


def test_large_levels_are_scored_in_parts(model, prompts, distribution, monkeypatch):
    whole, _ = distribution(prompts)
    monkeypatch.setattr(decoding, "HEAD_ROWS", 7)
    np.testing.assert_allclose(distribution(prompts)[0], whole, rtol=1e-4, atol=1e-9)


# ---- other formats


DIGITS_4, DIGITS_5, CENTS, BOTH = PriceFormat(4), PriceFormat(5), PriceFormat(cents=True), PriceFormat(4, cents=True)


def nearest(price_format, text):
    return int((price_format.edges[1:-1] <= float(text)).sum())  # the upper one of two as near


def read(text, price_format):
    """Whether a text may go on, and the place of its price; None where no price of the format begins so."""
    whole, point, _ = text.partition(".")
    text = text if point else text[: price_format.digits]
    if text in proper_beginnings(price_format):
        return text, True, nearest(price_format, text) if float(text) > 0 else None
    if (len(whole) != 1 or text.count(".") > 1) if point else (whole.startswith("0") or not whole):
        return None
    return (text, False, nearest(price_format, text)) if float(text) >= price_format.edges[0] else None


@cache
def proper_beginnings(price_format):
    return {label[:end] for label in price_format.labels for end in range(1, len(label))}


def level_by_level(model, prompt, tokens, price_format):
    """P of all prices of a format from whole passes over the prompt and every way to write a text that may go on."""
    scores = np.zeros(len(price_format.prices))
    level, known = [((), "", 1.0, None)], {}
    while level:
        ids = torch.tensor([[*prompt, *path] for path, *_ in level])
        with torch.inference_mode():
            after = torch.cat([model(part).logits[:, -1].double().softmax(-1) for part in ids.split(256)]).numpy()
        longer = []
        for (path, text, chance, place), row in zip(level, after, strict=True):
            steps = {}
            for token, more in tokens.items():
                if (whole := text + more) not in known:
                    known[whole] = read(whole, price_format)
                if known[whole]:
                    steps[token] = known[whole]
            whole = sum(row[token] for token in steps)
            if place is not None:
                scores[place] += chance * (1 - whole)
            for token, (written, goes_on, price) in steps.items():
                share = chance * row[token] / (1 if place is not None else whole)
                if goes_on:
                    longer.append(((*path, token), written, share, price))
                else:
                    scores[price] += share
        level = longer
    return scores


@pytest.mark.parametrize(
    ("kind", "price_format"),
    [
        ("one", CENTS), ("two", CENTS), ("three", CENTS), ("one", DIGITS_4), ("one", DIGITS_5), ("one", BOTH),
        ("two", DIGITS_4), ("uneven", DIGITS_4), ("uneven", BOTH),
        pytest.param("three", DIGITS_4, marks=pytest.mark.slow),
    ],
    ids=str,
)  # fmt: skip
def test_the_prices_of_every_format_equal_every_path_to_them(kind, price_format, one_thread):
    tokenizer = toy_numbers(*NUMBERS[kind])
    model = small_llama(tokenizer, price_format=price_format)
    tokens, prompt = number_tokens(tokenizer, price_format), prompt_tokens(tokenizer, "A mug, 2", 100)[0]
    options = {"pad": tokenizer.pad_token_id, "price_format": price_format}
    (found,), (left_out,) = price_distribution(model, [prompt], tokens, cut=0, **options)
    expected = level_by_level(model, prompt, tokens, price_format)
    assert expected.sum() == pytest.approx(1, abs=1e-6) and abs(left_out) < 1e-6
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-8)
    borders = [0, 1, 10, 100, 1000, 10_000]
    for low, high in zip(borders[:-1], borders[1:], strict=True):
        within = (price_format.prices >= low) & (price_format.prices < high)
        assert not within.any() or expected[within].sum() > 1e-3  # prices of all lengths were put to the test
    (part,), (lost,) = price_distribution(model, [prompt], tokens, cut=0.3, **options)
    assert 0 < lost <= 0.3 + 1e-6 and np.abs(part - found).sum() / 2 <= lost + 1e-6


@pytest.mark.parametrize(
    ("text", "price_format", "price"),
    [
        ("4", CENTS, 4.0), ("4.", CENTS, 4.0), ("4.9", CENTS, 4.9), ("4.99", CENTS, 4.99), ("0.4", CENTS, 0.4),
        ("0.49", CENTS, 0.49), ("12", CENTS, 12), ("4.999", CENTS, 5.0), ("9.999", CENTS, 10), ("0.006", CENTS, 0.01),
        ("1234", DIGITS_4, 1230), ("1235", DIGITS_4, 1240), ("1230", DIGITS_4, 1230), ("12345", DIGITS_4, 1230),
        ("1234", DIGITS_5, 1230), ("12304", DIGITS_5, 12_300), ("12345", DIGITS_5, 12_300), ("99999", DIGITS_5, 99_900),
        ("1234", WHOLE_DOLLARS, 123), ("999", WHOLE_DOLLARS, 999),
    ],
)  # fmt: skip
def test_a_text_that_the_format_does_not_write_counts_for_a_near_price(text, price_format, price):
    begun = decoding._begun(decoding._cut(text, price_format.digits), price_format)
    assert price_format.prices[begun.place] == price


@pytest.mark.parametrize("text", ["", ".", ".5", "05", "00", "12.", "12.5", "4.9.", "4..", "0.00", "0.004", "0.0049"])
def test_a_text_that_begins_no_price_counts_for_none(text):
    assert decoding._begun(text, CENTS) is None


@pytest.mark.parametrize("text", ["0", "0.", "0.0"])
def test_what_is_no_price_yet_has_to_go_on(text):
    assert decoding._begun(text, CENTS) == (text, True, -1)


@pytest.mark.parametrize("price_format", [CENTS, DIGITS_5], ids=str)
def test_prompts_are_read_in_parts_where_a_level_would_be_too_wide(price_format, one_thread, monkeypatch):
    tokenizer = toy_numbers(1)
    model, tokens = small_llama(tokenizer, price_format=price_format), number_tokens(tokenizer, price_format)
    prompts = [prompt_tokens(tokenizer, text, 100)[0] for text in ("lamp", "A mug, 2", "tea")]
    options = {"pad": tokenizer.pad_token_id, "price_format": price_format}
    whole, lost = price_distribution(model, prompts, tokens, **options)
    monkeypatch.setattr(decoding, "BRANCHES", 1)
    parts, also = price_distribution(model, prompts, tokens, **options)
    np.testing.assert_allclose(parts, whole, rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(also, lost, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("price_format", "chances", "answer"),
    [
        (CENTS, {4.99: 0.6, 12: 0.4}, 4.99),
        (CENTS, {0.49: 0.3, 0.5: 0.3, 12: 0.4}, 0.49),
        (CENTS, {4.0: 0.3, 40: 0.25, 41: 0.2, 7: 0.25}, 4.0),
        (DIGITS_5, {123: 0.3, 1230: 0.2, 12_300: 0.4, 7: 0.1}, 12_300),
        (DIGITS_5, {123: 0.5, 12_300: 0.5}, 123),
    ],
)
def test_greedy_knows_the_format(price_format, chances, answer):
    row = np.zeros(len(price_format.prices))
    for price, chance in chances.items():
        row[price_format.place(price)] = chance
    assert greedy(row[None], price_format).tolist() == [answer]


# ---- real bases


def check_format(name, price_format, text="Stainless steel water bottle, 750 ml"):
    """In fp32 within 1e-4 of every price scored by itself, no branch left out."""
    tokenizer, model = fp32(name)
    prompt, tokens = prompt_tokens(tokenizer, text, 100)[0], number_tokens(tokenizer, price_format)
    options = {"pad": tokenizer.pad_token_id, "price_format": price_format}
    (found,), _ = price_distribution(model, [prompt], tokens, cut=0, **options)
    assert np.abs(found - level_by_level(model, prompt, tokens, price_format)).max() < 1e-4


def fp32(name):
    from transformers import AutoModelForCausalLM

    from pricelab.base_files import locate
    from pricelab.bases import load_tokenizer

    place, _ = locate(name, None)
    return load_tokenizer(place), AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32).eval()


def check_base(name, texts):
    tokenizer, model = fp32(name)
    prompts = [prompt_tokens(tokenizer, text, 100)[0] for text in texts]
    digits = number_tokens(tokenizer)
    found, _ = price_distribution(model, prompts, digits, tokenizer.pad_token_id, cut=0)
    for row, prompt in zip(found, prompts, strict=True):
        assert np.abs(row - path_by_path(model, prompt, digits)).max() < 1e-4
        np.testing.assert_allclose(row, path_by_path(model, prompt, digits), rtol=5e-3, atol=1e-7)


def test_tiny_in_fp32_equals_every_price_scored_by_itself(one_thread):
    check_base("tiny", ["Stainless steel water bottle, 750 ml", "lamp"])


@pytest.mark.parametrize("price_format", [CENTS, DIGITS_4, DIGITS_5], ids=str)
def test_tiny_in_fp32_equals_every_price_of_every_format(one_thread, price_format):
    check_format("tiny", price_format)


@pytest.fixture
def smollm2():
    from pricelab.files import cache_dir

    if not (cache_dir() / "bases" / "smollm2-135m").is_dir():
        pytest.skip("SmolLM2 is not in this machine's cache; `pricelab.load_base('smollm2-135m')` puts it there")
    return "smollm2-135m"


@pytest.mark.slow
@pytest.mark.weights
def test_smollm2_in_fp32_equals_every_price_scored_by_itself(smollm2):
    check_base(smollm2, ["Stainless steel water bottle, 750 ml", "lamp"])


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.parametrize("price_format", [CENTS, DIGITS_4], ids=str)
def test_smollm2_in_fp32_equals_every_price_of_every_format(smollm2, price_format):
    check_format(smollm2, price_format, "lamp")
