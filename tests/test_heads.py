"""Heads trained with the adapter: their losses, quantiles that never cross, and the digits' expected log price."""

import csv
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from every_price import brute_force

from benchmarks import heads, results
from benchmarks.expected_price import expected_log_price, price_chances, states_with_prefixes
from benchmarks.price_heads import LEVELS, MEDIAN, Histogram, ProbeFirst, Quantiles, Regression, pinball
from benchmarks.results import results_of
from pricelab.backbone import hidden_states
from pricelab.decoding import PRICES_USD
from pricelab.examples import IGNORED, collate, encode
from pricelab.files import read_json, write_json_atomic
from pricelab.prompt import digit_tokens
from pricelab.recipe import Recipe

KINDS = [Regression, ProbeFirst, Histogram, Quantiles]


@pytest.fixture
def states():
    return np.random.default_rng(0).normal(2, 3, (2, 60, 5)).astype(np.float32)


@pytest.fixture
def log_price(states):
    return (3 + states[1, :, 0] / 3 + np.random.default_rng(1).normal(0, 0.3, 60)).astype(np.float32)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.8])
def test_the_pinball_loss_is_least_at_the_true_quantile(level):
    truth = torch.tensor(np.random.default_rng(0).exponential(1, 20_000), dtype=torch.float32)
    tried = torch.linspace(0, 4, 401)
    losses = pinball(tried.expand(len(truth), -1), truth, torch.tensor(level)).mean(0)
    assert float(tried[losses.argmin()]) == pytest.approx(-np.log(1 - level), abs=0.05)


def test_the_pinball_loss_of_a_miss_by_hand():
    quantiles, levels = torch.tensor([[1.0, 1.0], [1.0, 1.0]]), torch.tensor([0.25, 0.5])
    found = pinball(quantiles, torch.tensor([3.0, -1.0]), levels)
    assert found.tolist() == [[0.5, 1.0], [1.5, 1.0]]


def test_quantiles_start_as_those_of_the_training_items(states, log_price):
    head = Quantiles(states, log_price)
    found = head.quantiles(torch.tensor(states)) * head.spread + head.centre
    expected = np.quantile(log_price, LEVELS)
    assert np.allclose(found.detach().numpy(), expected, atol=0.01)
    assert np.allclose(head.log_price(torch.tensor(states)).detach().numpy(), expected[MEDIAN], atol=1e-5)


def test_quantiles_never_cross_whatever_the_weights(states, log_price):
    head = Quantiles(states, log_price)
    torch.manual_seed(0)
    torch.nn.init.normal_(head.linear.weight, std=3)
    assert (head.quantiles(torch.tensor(states)).diff(dim=1) >= 0).all()


def test_quantiles_read_the_last_token_alone(states, log_price):
    other = states.copy()
    other[0] += 5
    head = Quantiles(states, log_price)
    torch.nn.init.ones_(head.linear.weight)
    assert torch.equal(head.log_price(torch.tensor(states)), head.log_price(torch.tensor(other)))
    assert head.linear.in_features == 5 and Regression(states, log_price).linear.in_features == 10


@pytest.mark.parametrize("kind", KINDS)
def test_each_head_learns_what_the_states_tell(states, log_price, kind):
    head, asked, target = kind(states, log_price), torch.tensor(states), torch.tensor(log_price)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        head.loss(asked, target).backward()
        optimizer.step()
    missed = np.abs(head.log_price(asked).detach().numpy() - log_price).mean()
    assert missed < 0.5 * np.abs(np.median(log_price) - log_price).mean()


def test_learned_quantiles_hold_the_share_that_their_level_says(states, log_price):
    head, asked, target = Quantiles(0 * states, log_price), torch.tensor(0 * states), torch.tensor(log_price)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.01)
    for _ in range(300):
        optimizer.zero_grad()
        head.loss(asked, target).backward()
        optimizer.step()
    below = (head.standard(target)[:, None] < head.quantiles(asked)).float().mean(0)
    assert np.allclose(below.numpy(), LEVELS, atol=0.05)


@pytest.fixture
def batch(toy_tokenizer, toy_catalog):
    """Collated examples of unequal length, the places of their prompts' last tokens, and the ids of the digits."""
    inputs = collate(encode(toy_tokenizer, toy_catalog["train"][:3], 1000), toy_tokenizer.pad_token_id)
    ends = (inputs["labels"][:, 1:] != IGNORED).float().argmax(1)
    assert len(set(ends.tolist())) > 1
    return inputs, ends, digit_tokens(toy_tokenizer)


def test_the_expected_log_price_equals_scoring_every_price_by_itself(toy_model, batch):
    inputs, ends, digits = batch
    states, prefixes = states_with_prefixes(toy_model, inputs, ends, digits)
    found = expected_log_price(toy_model, states, prefixes, ends, digits)
    prompts = [ids[: end + 1].tolist() for ids, end in zip(inputs["input_ids"], ends.tolist(), strict=True)]
    expected = [brute_force(toy_model, prompt, digits) @ np.log(PRICES_USD) for prompt in prompts]
    assert found.tolist() == pytest.approx(expected, abs=1e-4)


def test_the_examples_own_states_are_as_without_prefixes(toy_model, batch):
    inputs, ends, digits = batch
    states, _ = states_with_prefixes(toy_model, inputs, ends, digits)
    alone = hidden_states(toy_model, inputs["input_ids"], inputs["attention_mask"])
    real = inputs["attention_mask"].bool()
    assert torch.allclose(states[real], alone[real], atol=1e-5)


def test_chances_of_all_prices_sum_to_one_and_never_begin_with_nought():
    generator = torch.Generator().manual_seed(0)
    after_prompt, after_prefix = (torch.rand(size, generator=generator) / 10 for size in ((2, 10), (2, 99, 10)))
    found = price_chances(after_prompt, after_prefix)
    assert found.shape == (2, 999) and torch.allclose(found.sum(1), torch.ones(2), atol=1e-5)
    first = after_prompt[0, 3] / after_prompt[0, 1:].sum()
    then = first * after_prefix[0, 3 - 1, 0] * after_prefix[0, 30 - 1, 5]
    assert float(found[0, 305 - 1]) == pytest.approx(float(then))


def test_the_gradient_of_the_expectation_moves_the_digits(toy_model, batch):
    inputs, ends, digits = batch

    def expected():
        return expected_log_price(toy_model, *states_with_prefixes(toy_model, inputs, ends, digits), ends, digits)

    target = expected().detach() + torch.tensor([1.0, -0.5, 0.5])
    optimizer, losses = torch.optim.Adam(toy_model.parameters(), lr=1e-3), []
    for _ in range(20):
        loss = ((expected() - target) ** 2).mean()
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.1 * losses[0]


@pytest.fixture
def small(monkeypatch, tmp_path, toy_catalog):
    """The benchmark on the tiny base, results in a folder of the test, nothing in a process of its own."""
    monkeypatch.setenv("PRICELAB_PROFILE", "smoke")
    monkeypatch.setattr(heads, "RECIPE", Recipe(epochs=1, batch_size=8, rank=4, targets=("attention",)))
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(heads, "processes", lambda jobs: ThreadPoolExecutor(1))
    file = tmp_path / "catalog.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["description", "price"])
        rows.writerows([item.text, item.price] for item in toy_catalog["train"])
    return file


def test_the_new_ways_are_scored_beside_ridge_and_blend_over_all_folds_so_far(small, one_thread):
    heads.measure(str(small), ["digits and quantiles", "digits and expected price"], [0, 1])
    rows = {row["read"]: row for row in read_json(results_of("heads"))["rows"]}
    reads = {
        "digits and quantiles: digits' median", "digits and quantiles: head",
        "digits and expected price: digits' median", "digits and expected price: digits' expected price",
    }  # fmt: skip
    assert set(rows) == {heads.RIDGE, heads.BLEND, *reads}
    assert all(row["folds"] == [0, 1] and row["n"] == 26 and np.isfinite(row["mae"]) for row in rows.values())
    trained = [row for read, row in rows.items() if read not in (heads.RIDGE, heads.BLEND)]
    assert all(row["peak_bytes"] > 0 and len(row["saved"]) == len(row["saved_against_blend"]) == 3 for row in trained)
    assert all(np.isfinite(row[mix]["mae"]) for row in trained for mix in heads.MIXES)
    assert not heads.MIXES.keys() & rows[heads.BLEND].keys()
    assert "saved" not in rows[heads.RIDGE] and "saved_against_blend" not in rows[heads.BLEND]


def test_a_changed_recipe_and_averaged_weights_are_scored_too(small, one_thread):
    heads.measure(str(small), ["digits alone, rank 4", "digits alone, 3 passes"], [0])
    rows = {row["read"]: row for row in read_json(results_of("heads"))["rows"]}
    final, mean = (rows[f"digits alone, 3 passes: digits' median{more}"] for more in ("", ", averaged weights"))
    assert "digits alone, rank 4: digits' median" in rows
    assert final["mae"] != mean["mae"] and final["seconds"] == mean["seconds"]


def test_several_seeds_cost_their_sum_and_other_catalogs_keep_their_rows(small, one_thread):
    other = {"catalog": "workshop", "read": "digits alone, 3 seeds: digits' median", "folds": [0]}
    write_json_atomic(results_of("heads"), {"rows": [other]})
    heads.measure(str(small), ["digits alone", "digits alone, 3 seeds"], [0])
    rows = {(row["catalog"], row["read"]): row for row in read_json(results_of("heads"))["rows"]}
    assert rows["workshop", other["read"]] == other
    one, three = (
        rows["a file of real listings", f"{name}: digits' median"] for name in ("digits alone", "digits alone, 3 seeds")
    )
    assert three["cpu_seconds"] >= 2 * one["cpu_seconds"] and three["mae"] != one["mae"]


def test_the_weights_are_those_of_the_pass_that_read_held_out_items_best(small, toy_catalog, one_thread, monkeypatch):
    monkeypatch.setattr(heads, "RECIPE", Recipe(epochs=1, batch_size=8, rank=4, targets=("attention",)))
    seen = []
    monkeypatch.setattr(heads, "put", lambda weights, values: seen.append((weights, values)))
    too_high = {"epochs": 3, "learning_rate": 0.5}  # it gets worse after a while
    way = heads.Way(digits=1.0, changes=too_high, stop=True)
    made = heads.trained(list(toy_catalog["train"][:30]), way)
    ((weights, best),) = seen
    assert list(made.held) == [1, 2, 3] and min(made.held, key=made.held.get) < 3
    assert not all(torch.equal(weight, kept) for weight, kept in zip(weights, best, strict=True))
    monkeypatch.undo()
    heads.put(weights, best)
    assert all(torch.equal(weight, kept) for weight, kept in zip(weights, best, strict=True))


def test_the_average_is_that_of_the_last_pass(small, toy_catalog, one_thread, monkeypatch):
    monkeypatch.setattr(heads, "RECIPE", Recipe(epochs=1, batch_size=64, rank=4, targets=("attention",)))
    made = heads.trained(list(toy_catalog["train"][:20]), heads.Way(digits=1.0, changes={"epochs": 2}, average=True))
    weights = [weight for weight in made.pricer.model.parameters() if weight.requires_grad]
    assert all(torch.allclose(mean, weight) for mean, weight in zip(made.average, weights, strict=True))
