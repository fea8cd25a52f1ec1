"""The price distribution: equal to scoring every price by itself, whatever the batch looks like."""

import numpy as np
import pytest
import torch

from pricelab import decoding
from pricelab.decoding import price_distribution
from pricelab.prompt import digit_tokens, prompt_tokens

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


def brute_force(model, prompt, digits):
    """P($1)…P($999), each price scored by a whole pass of its own, without a cache and without padding."""
    scores = np.zeros(1000)
    for low, high in ((1, 10), (10, 100), (100, 1000)):
        numbers = [[digits[int(d)] for d in str(n)] for n in range(low, high)]
        with torch.inference_mode():
            logits = model(torch.tensor([prompt + number for number in numbers])).logits.double()
        chance = logits[:, len(prompt) - 1 :].softmax(-1)
        for n, number in enumerate(numbers):
            first, *later = (chance[n, place, token] for place, token in enumerate(number))
            stop = 1 - chance[n, len(number)][digits].sum() if high < 1000 else 1.0
            scores[low + n] = first / chance[n, 0, digits[1:]].sum() * np.prod(later) * stop
    return scores[1:]


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
    assert lengths[:2] == [max(map(len, prompts)), 9]
    assert len(lengths) == 3 and lengths[2] <= 90
