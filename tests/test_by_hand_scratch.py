"""Training from scratch by hand: merges equal to the library's, a loop that learns, bits that models share."""

import json
import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pricelab.by_hand import scratch
from pricelab.pretrain import new_model, pack, train_tokenizer

words = st.dictionaries(st.text("abc", min_size=1, max_size=8).map(tuple), st.integers(1, 9), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def texts(toy_catalog):
    return {split: [item.text for item in toy_catalog[split]] for split in ("train", "validation")}


@pytest.fixture
def small_model(toy_tokenizer, one_thread):
    return scratch.empty_model(toy_tokenizer, "0.24 M")


def run(model, tokenizer, texts, tokens=4096, **options):
    blocks = pack(tokenizer, texts["train"])
    return list(scratch.train(model, tokenizer, blocks, texts["validation"][:8], tokens, **options))


# ---- byte pairs


def test_pairs_are_counted_as_often_as_their_word_occurs():
    found = scratch.count_pairs({("l", "o", "w"): 5, ("l", "o", "l", "o"): 2, ("w",): 7})
    assert found == {("l", "o"): 9, ("o", "w"): 5, ("o", "l"): 2}


def test_words_are_split_as_the_tokenizer_splits_them(toy_tokenizer):
    found = scratch.words_of(toy_tokenizer, ["a 24 V drill", "a drill"])
    assert found[tuple("Ġdrill")] == 2 and found[("Ġ",)] + found[("Ġ", "2")] == 1
    assert found[("4",)] == 1, "each digit is a word of its own"


@given(words=words, pair=st.tuples(st.sampled_from("abc"), st.sampled_from("abc")))
def test_a_merge_keeps_the_text_and_leaves_no_such_pair(words, pair):
    merged = scratch.merge(words, pair)
    assert merged.total() == sum(words.values()) and pair not in scratch.count_pairs(merged)
    assert Counter({"".join(word): count for word, count in merged.items()}) == Counter(
        {"".join(word): count for word, count in words.items()}
    )


def test_a_merge_goes_from_left_to_right():
    assert scratch.merge({tuple("aaab"): 3}, ("a", "a")) == {("aa", "a", "b"): 3}


def test_of_two_equally_frequent_pairs_the_one_of_older_tokens_goes_first():
    assert scratch.learn_merges({("c", "a"): 2, ("b", "c"): 2, ("x",): 1}, 5) == [("b", "c"), ("c", "a")]


def test_the_first_merges_are_the_librarys(toy_tokenizer, texts):
    learned = json.loads(toy_tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    ours = scratch.learn_merges(scratch.words_of(toy_tokenizer, texts["train"]), 100)
    assert [list(pair) for pair in ours] == learned[:100]


# ---- the loop


def test_the_learning_rate_rises_falls_and_ends_at_zero():
    rates = [scratch.learning_rate(step, 200, peak=2.0) for step in range(1, 201)]
    top = rates.index(max(rates))
    assert rates[top] == 2.0 and top + 1 == round(200 * scratch.WARMUP)
    assert all(one < other for one, other in pairwise(rates[: top + 1]))
    assert all(one > other for one, other in pairwise(rates[top:]))
    assert rates[0] == pytest.approx(0.2) and rates[-1] == pytest.approx(0)


@given(steps=st.integers(1, 40))
def test_a_short_run_has_learning_rates_too(steps):
    assert all(0 <= scratch.learning_rate(step, steps) <= scratch.PEAK for step in range(1, steps + 1))


@given(count=st.integers(3, 20), size=st.integers(1, 6), steps=st.integers(1, 12), seed=st.integers(0, 99))
def test_batches_pass_over_every_block_before_one_comes_again(count, size, steps, seed):
    blocks = torch.arange(count).view(-1, 1)
    drawn = [part.flatten().tolist() for part in scratch.batches(blocks, steps, size, seed)]
    assert [len(part) for part in drawn] == [size] * steps
    flat = sum(drawn, [])
    for start in range(0, len(flat), count):
        assert len(set(flat[start : start + count])) == len(flat[start : start + count])
    assert drawn == [part.flatten().tolist() for part in scratch.batches(blocks, steps, size, seed)]


def test_the_loss_is_the_librarys(toy_model):
    ids = torch.randint(0, 400, (3, 20), generator=torch.Generator().manual_seed(1))
    assert scratch.next_token_loss(toy_model, ids).item() == pytest.approx(
        toy_model(input_ids=ids, labels=ids).loss.item(), rel=1e-5
    )


def test_a_run_learns_counts_its_compute_and_writes_four_times(small_model, toy_tokenizer, texts):
    points = run(small_model, toy_tokenizer, texts, tokens=20_480, prompt="Drill")
    step = scratch.BATCH * 128
    assert [point.tokens for point in points] == sorted({point.tokens for point in points})
    assert (points[0].tokens, points[-1].tokens) == (0, 20_480 // step * step)
    assert all(point.flops == 6 * small_model.num_parameters() * point.tokens for point in points)
    assert points[0].validation_loss == pytest.approx(math.log(len(toy_tokenizer)), rel=0.2)
    assert points[-1].validation_loss < points[0].validation_loss - 0.5
    assert points[-1].train_loss < points[0].train_loss - 0.5
    assert [point.tokens / points[-1].tokens for point in points if point.sample is not None] == [0, 0.1, 0.5, 1]


def test_a_run_repeats_itself_by_seed_and_leaves_the_dice_of_others_alone(toy_tokenizer, texts, one_thread):
    found, dice = [], []
    for seed in (0, 0, 1):
        model = scratch.empty_model(toy_tokenizer, "0.24 M")
        found.append(run(model, toy_tokenizer, texts, seed=seed, prompt="Drill"))
        dice.append(torch.rand(1).item())
    assert found[0] == found[1] != found[2]
    assert dice[0] == dice[1] == dice[2]


@pytest.mark.parametrize("tokens", [1, 2048])
def test_the_shortest_run_still_has_a_beginning_and_an_end(small_model, toy_tokenizer, texts, tokens):
    points = run(small_model, toy_tokenizer, texts, tokens=tokens)
    assert points[0].tokens == 0 < points[-1].tokens
    assert all(math.isfinite(point.train_loss) and point.sample is None for point in points)


@pytest.mark.parametrize("size", scratch.SIZES)
def test_a_size_has_the_parameters_of_its_name(size, one_thread):
    class Vocabulary:
        eos_token_id = 0

        def __len__(self):
            return 2048

    parameters = new_model(Vocabulary(), scratch.SIZES[size]).num_parameters()
    assert f"{parameters / 1e6:.2g} M" == size


def test_an_unknown_size_is_refused_with_those_there_are(toy_tokenizer):
    with pytest.raises(ValueError, match="no size '7 B'; choose one of 0.24 M, 1.1 M, 4.8 M"):
        scratch.empty_model(toy_tokenizer, "7 B")


def test_writing_repeats_itself_and_adds_no_prompt(toy_model, toy_tokenizer):
    one, same, other = (scratch.write(toy_model, toy_tokenizer, "Drill", 12, seed=seed) for seed in (3, 3, 4))
    assert one == same != other and not one.startswith("Drill")


# ---- bits per byte


def test_the_bits_of_a_text_are_the_sum_over_its_tokens(toy_model, toy_tokenizer, texts):
    text = texts["validation"][0]
    ids = torch.tensor([[toy_tokenizer.eos_token_id, *toy_tokenizer(text)["input_ids"]]])
    with torch.no_grad():
        log_p = toy_model(input_ids=ids).logits.double().log_softmax(-1)[0]
    expected = -sum(log_p[place, token].item() for place, token in enumerate(ids[0, 1:])) / math.log(2)
    assert scratch.text_bits(toy_model, toy_tokenizer, [text])[0] == pytest.approx(expected, rel=1e-5)


def test_neighbours_in_a_batch_change_no_bits(toy_model, toy_tokenizer, texts):
    some = texts["validation"][: scratch.TEXTS_AT_A_TIME + 3]
    alone = [scratch.text_bits(toy_model, toy_tokenizer, [text])[0] for text in some]
    assert scratch.text_bits(toy_model, toy_tokenizer, some) == pytest.approx(alone, rel=1e-4)


def test_a_document_begins_with_the_token_between_documents(toy_tokenizer):
    assert scratch.start_token(toy_tokenizer) == toy_tokenizer.eos_token_id
    chat = train_tokenizer(["some text"], vocabulary=300)
    chat.add_tokens(["<|endoftext|>"])
    assert chat.convert_ids_to_tokens(scratch.start_token(chat)) == "<|endoftext|>" != chat.eos_token


def test_bits_per_byte_count_bytes_and_not_letters():
    rate = scratch.bits_per_byte([16.0, 8.0], ["½½", "ab"])
    assert rate.value == pytest.approx(24 / 6) and rate.n == 2
    assert (rate.low, rate.high) == (4.0, 4.0), "four bits a byte in either text"


@settings(max_examples=25)
@given(bits=st.lists(st.floats(1, 1e4), min_size=2, max_size=30), factor=st.floats(0.1, 10))
def test_the_interval_holds_the_rate_and_moves_along(bits, factor):
    texts = [f"{'x' * (1 + number % 5)}" for number in range(len(bits))]
    rate = scratch.bits_per_byte(bits, texts)
    assert rate.low <= rate.value * (1 + 1e-9) and rate.value <= rate.high * (1 + 1e-9)
    scaled = scratch.bits_per_byte(np.array(bits) * factor, texts)
    assert (scaled.low, scaled.high) == pytest.approx((rate.low * factor, rate.high * factor))


@pytest.mark.parametrize(("bits", "texts"), [([1.0], []), ([], []), ([1.0, 2.0], ["a"])])
def test_bits_without_their_texts_are_refused(bits, texts):
    with pytest.raises(ValueError, match="give one for each text"):
        scratch.bits_per_byte(bits, texts)


def test_the_prose_is_general_and_of_one_alphabet():
    assert len(scratch.PROSE) >= 6 and all(text.isascii() and len(text.split()) > 25 for text in scratch.PROSE)
