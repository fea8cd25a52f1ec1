"""Next-token loss by hand: the training code's own loss, and steps of gradient descent that leave no trace."""

import math

import pytest
import torch

from pricelab.by_hand.next_token import Guess, Guesses, answer_guesses, descend, one_step
from pricelab.training import collate, encode, price_loss


@pytest.fixture
def item(toy_catalog):
    return toy_catalog["test"][0]


def test_the_loss_by_hand_is_the_training_codes(toy_model, toy_tokenizer, item):
    for max_text_tokens in (10, 200):
        found = answer_guesses(toy_model, toy_tokenizer, item, max_text_tokens)
        batch = collate(encode(toy_tokenizer, [item], max_text_tokens), toy_tokenizer.pad_token_id)
        assert found.loss == pytest.approx(price_loss(toy_model, batch).item(), rel=1e-5)
        assert found.perplexity == pytest.approx(math.exp(found.loss))


def test_it_tells_the_tokens_of_the_true_answer_and_what_was_likeliest(toy_model, toy_tokenizer, item):
    found = answer_guesses(toy_model, toy_tokenizer, item, 200)
    digits = f"{item.price:.0f}"
    assert [one.token for one in found.tokens] == [*digits, toy_tokenizer.eos_token]
    assert all(0 < one.probability < 1 and one.likeliest in toy_tokenizer.get_vocab() for one in found.tokens)
    assert str(found).count("\n") == len(digits) + 2 and repr(found) == str(found)
    assert all(one.token in str(found) for one in found.tokens)


def test_a_certain_token_costs_nothing_and_an_impossible_one_everything():
    assert Guess("1", 1.0, "1").nats == 0 and Guess("1", math.exp(-2), "1").nats == pytest.approx(2)
    assert Guess("1", 0.0, "2").nats == math.inf
    certain = Guesses((Guess("1", 1.0, "1"),) * 3)
    assert certain.loss == 0 and certain.perplexity == 1


def test_the_table_is_escaped():
    page = Guesses((Guess("<|end|>", 0.5, "<b>"),))._repr_html_()
    assert "<b>" not in page and "&lt;b&gt;" in page


def parabola():
    """loss = (x − 3)² + 2·y² at (0, 1): its gradient is (−6, 4)."""
    x, y = torch.zeros(1, requires_grad=True), torch.ones(1, requires_grad=True)
    return [x, y], lambda: ((x - 3).square() + 2 * y.square()).sum()


def test_one_step_is_the_start_minus_rate_times_gradient():
    parameters, loss = parabola()
    step = one_step(loss, parameters, [0.01, 0.25, 2.0])
    assert step.before == 11 and step.slope == 36 + 16
    assert step.after == {
        rate: pytest.approx((6 * rate - 3) ** 2 + 2 * (1 - 4 * rate) ** 2) for rate in (0.01, 0.25, 2.0)
    }
    assert step.best == 0.25 and step.after[2.0] > step.before
    assert step.after[0.01] == pytest.approx(step.before - 0.01 * step.slope, abs=0.01)
    assert [one.item() for one in parameters] == [0.0, 1.0]


def test_descending_repeats_the_step_and_leaves_the_parameters():
    parameters, loss = parabola()
    losses = descend(loss, parameters, 0.1, 30)
    assert len(losses) == 31 and losses[0] == 11 and losses[-1] < 1e-4
    assert losses[1] == pytest.approx(one_step(loss, parameters, [0.1]).after[0.1])
    assert descend(loss, parameters, 2.0, 3)[-1] > 100
    assert [one.item() for one in parameters] == [0.0, 1.0]
    assert descend(loss, parameters, 0.1, 0) == [11.0]


def test_a_model_that_breaks_down_counts_as_the_worst_rate_and_is_put_back():
    x = torch.ones(1, requires_grad=True)
    step = one_step(lambda: x.log().sum(), [x], [0.5, 2.0])  # 1 − 2 has no logarithm
    assert math.isnan(step.after[2.0]) and step.best == 0.5 and x.item() == 1


def test_parameters_are_put_back_after_an_error():
    x, calls = torch.ones(1, requires_grad=True), []

    def loss():
        calls.append(1)
        if len(calls) > 2:
            raise ArithmeticError
        return x.square().sum()

    with pytest.raises(ArithmeticError):
        descend(loss, [x], 0.1, 5)
    assert x.item() == 1


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_a_learning_rate_must_be_positive(rate):
    parameters, loss = parabola()
    with pytest.raises(ValueError, match="must be positive"):
        one_step(loss, parameters, [0.1, rate])
