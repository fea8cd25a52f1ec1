"""General English: the passages, and the loss that a model has on them."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from pricelab.general import for_mixing, held_out, passage_losses, perplexity


def test_there_are_as_many_passages_as_the_card_says_and_none_is_in_both_files():
    assert len(held_out()) == len(for_mixing()) == 40
    assert not set(held_out()) & set(for_mixing())
    assert all(45 <= len(passage.split()) <= 70 for passage in held_out() + for_mixing())


def test_held_out_and_mixing_share_no_run_of_seven_words():
    def runs(passages):
        words = [passage.lower().split() for passage in passages]
        return {tuple(w[i : i + 7]) for w in words for i in range(len(w) - 6)}

    assert not runs(held_out()) & runs(for_mixing())


def test_a_passages_loss_is_the_models_own_however_the_batch_is_filled_up(toy_model, toy_tokenizer):
    texts = held_out()[:11]  # two batches, several lengths
    nats, tokens = passage_losses(toy_model, toy_tokenizer, texts, device="cpu")
    for text, total, count in zip(texts, nats, tokens, strict=True):
        ids = torch.tensor([toy_tokenizer.encode(text)])
        with torch.no_grad():
            own = toy_model(input_ids=ids, labels=ids).loss.item()
        assert count == ids.shape[1] - 1
        assert total / count == pytest.approx(own, rel=1e-2)  # bf16 arithmetic where the CPU has it


def test_perplexity_weighs_every_token_the_same(toy_model, toy_tokenizer):
    texts = held_out()[:4]
    nats, tokens = passage_losses(toy_model, toy_tokenizer, texts)
    assert perplexity(toy_model, toy_tokenizer, texts) == pytest.approx(math.exp(nats.sum() / tokens.sum()))


def test_a_model_that_knows_nothing_hesitates_among_the_whole_vocabulary(toy_model, toy_tokenizer):
    with torch.no_grad():
        toy_model.get_output_embeddings().weight.zero_()
    assert perplexity(toy_model, toy_tokenizer, held_out()[:3]) == pytest.approx(len(toy_tokenizer), rel=1e-3)


def test_the_order_of_the_texts_does_not_matter(toy_model, toy_tokenizer):
    texts = held_out()[:9]
    forth, _ = passage_losses(toy_model, toy_tokenizer, texts)
    back, _ = passage_losses(toy_model, toy_tokenizer, texts[::-1])
    np.testing.assert_allclose(forth, back[::-1], rtol=2e-2)
    assert all(a != b for a, b in pairwise(forth))


@pytest.mark.parametrize("texts", [[], ["", "words"]])
def test_texts_without_a_next_token_are_refused(toy_model, toy_tokenizer, texts):
    with pytest.raises(ValueError, match="two tokens or more"):
        passage_losses(toy_model, toy_tokenizer, texts)
