"""The two halves of a model, taken apart and put together again."""

import pytest
import torch

from pricelab.backbone import autocast, causal_lm, head_logits, hidden_states, padded_width


def test_layers_then_head_equal_the_whole_model(toy_model):
    ids = torch.tensor([[5, 6, 7, 8, 9], [15, 16, 17, 18, 19]])
    hidden = hidden_states(toy_model, ids, torch.ones_like(ids))
    logits = head_logits(toy_model, hidden.flatten(0, 1)).view(2, 5, -1)
    torch.testing.assert_close(logits, toy_model(ids).logits)


def test_padding_on_either_side_changes_nothing(toy_model):
    ids = torch.tensor([[5, 6, 7, 8]])
    alone = hidden_states(toy_model, ids, torch.ones_like(ids))
    pad, off = torch.zeros(1, 3, dtype=torch.long), torch.zeros(1, 3, dtype=torch.long)
    for side in (1, -1):
        padded, mask = (torch.cat([a, b][::side], dim=1) for a, b in ((pad, ids), (off, torch.ones_like(ids))))
        hidden = hidden_states(toy_model, padded, mask)
        torch.testing.assert_close(hidden[mask.bool()], alone[0])


@pytest.mark.parametrize(("lengths", "width"), [([1], 4), ([4, 2], 4), ([3, 5, 2], 8), ([97], 100)])
def test_a_batch_is_as_wide_as_its_longest_prompt_rounded_up(lengths, width):
    assert padded_width(iter(lengths)) == width


def test_a_cache_continues_where_the_prompt_ended(toy_model):
    from transformers import DynamicCache

    ids = torch.tensor([[5, 6, 7, 8, 9]])
    whole = hidden_states(toy_model, ids, torch.ones_like(ids))
    cache = DynamicCache()
    hidden_states(toy_model, ids[:, :3], torch.ones(1, 3), cache=cache)
    causal = torch.full((2, 5), torch.finfo(torch.float32).min).triu(4)[None, None]
    rest = hidden_states(toy_model, ids[:, 3:], causal, torch.tensor([[3, 4]]), cache)
    torch.testing.assert_close(rest, whole[:, 3:])
    assert cache.get_seq_length() == 5


def test_scores_are_fp32_whatever_the_model_computes_in(toy_model):
    model = toy_model.to(torch.bfloat16)
    assert head_logits(model, torch.zeros(2, 64, dtype=torch.bfloat16)).dtype == torch.float32


def test_an_adapter_is_seen_through(toy_model):
    from pricelab.training import Recipe, add_adapters

    assert causal_lm(toy_model) is toy_model
    assert causal_lm(add_adapters(toy_model, Recipe())) is toy_model


def test_autocast_computes_in_the_dtype_and_leaves_fp32_alone():
    weights = torch.ones(2, 2)
    for dtype in (torch.bfloat16, torch.float32):
        with autocast("cpu", dtype):
            assert (weights @ weights).dtype == dtype
