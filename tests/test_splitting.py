"""Steps that run out of memory: the same batch in parts, the same losses, and words where even that can't be."""

import math

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pricelab import price_trainer, training
from pricelab.examples import collate, encode, mixed_in
from pricelab.finetuning import finetune
from pricelab.price_trainer import mixed_loss, price_loss
from pricelab.splitting import out_of_memory, pieces
from pricelab.training import Recipe, load_trainable, train

RECIPE = Recipe(epochs=1, batch_size=8, rank=4, max_text_tokens=40, learning_rate=5e-3)
TEXTS = ["The river bends twice before it meets the sea.", "Bread is flour, water, salt and time."]


@pytest.fixture
def limited(monkeypatch):
    """``limited(n)``: memory ends for more than n items at once, as torch says it on a GPU, after some work."""

    def limit(most, error=None):
        ours = price_trainer.hidden_states

        def hidden_states(model, input_ids, *rest):
            hidden = ours(model, input_ids, *rest)
            if len(input_ids) > most and model.training:
                raise error or torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return hidden

        monkeypatch.setattr(price_trainer, "hidden_states", hidden_states)

    return limit


def batch_of(toy_tokenizer, items, texts=()):
    examples = encode(toy_tokenizer, items, 60) + mixed_in(toy_tokenizer, texts, len(items), 0.4, 60)
    return collate(examples, toy_tokenizer.pad_token_id)


@given(at_once=st.integers(1, 9), size=st.integers(1, 7), mixed=st.booleans())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_parts_add_up_to_the_loss_and_the_gradients_of_the_whole(
    toy_model, toy_tokenizer, toy_catalog, at_once, size, mixed
):
    batch = batch_of(toy_tokenizer, toy_catalog["train"][:size], TEXTS if mixed else ())
    weight = toy_model.model.layers[0].self_attn.q_proj.weight
    whole = mixed_loss(toy_model, batch) if mixed else price_loss(toy_model, batch)
    (expected,) = torch.autograd.grad(whole, weight)
    parts = list(pieces(batch, at_once))
    assert all(len(part["labels"]) <= at_once for part, _ in parts)
    assert sum(len(part["labels"]) for part, _ in parts) == len(batch["labels"])
    losses = [share * price_loss(toy_model, part) for part, share in parts]
    torch.testing.assert_close(sum(losses), whole)
    (gradient,) = torch.autograd.grad(sum(losses), weight)
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-6)


def run(toy_base, items, folder=None, mix=(), recipe=RECIPE, method="lora"):
    base, model = load_trainable(str(toy_base), method, recipe, seed=1)
    return train(model, base, items, recipe, folder, seed=1, progress=False, mix=mix)


@pytest.mark.parametrize(("most", "said"), [(7, "8 items at once at step 1; from there on 4 at a time"),
                                            (1, "2 items at once at step 1; from there on 1 at a time")])  # fmt: skip
def test_a_run_out_of_memory_goes_on_in_parts_with_the_same_losses(
    toy_base, toy_catalog, limited, monkeypatch, capsys, most, said
):
    monkeypatch.setattr("pricelab.price_trainer.pick_precision", lambda device: (torch.float32, "for the test"))
    monkeypatch.setattr("pricelab.bases.pick_precision", lambda device: (torch.float32, "for the test"))
    whole = run(toy_base, toy_catalog["train"][:30])
    limited(most)
    split = run(toy_base, toy_catalog["train"][:30])
    assert len(split.losses) == len(whole.losses) == 4  # steps of the same batches
    assert split.losses == pytest.approx(whole.losses, rel=1e-4)
    assert whole.split == "" and said in split.split and "the same 8 items a step" in split.split
    assert capsys.readouterr().err.count("out of memory") == {7: 1, 1: 3}[most]


def test_general_texts_count_as_much_in_parts(toy_base, toy_catalog, limited, monkeypatch):
    for module in ("price_trainer", "bases"):
        monkeypatch.setattr(f"pricelab.{module}.pick_precision", lambda device: (torch.float32, "for the test"))
    whole = run(toy_base, toy_catalog["train"][:24], mix=TEXTS)
    limited(2)
    assert run(toy_base, toy_catalog["train"][:24], mix=TEXTS).losses == pytest.approx(whole.losses, rel=1e-3)


def test_when_not_even_one_item_fits_it_ends_in_words(toy_base, toy_catalog, limited):
    limited(0)
    with pytest.raises(MemoryError, match="out of memory with 1 items at once at step 1; use .* a smaller base"):
        run(toy_base, toy_catalog["train"][:16])


def test_another_error_is_not_taken_for_a_lack_of_memory(toy_base, toy_catalog, limited):
    limited(1, RuntimeError("size mismatch"))
    with pytest.raises(RuntimeError, match="size mismatch"):
        run(toy_base, toy_catalog["train"][:16])


def test_one_of_several_processes_says_so_and_does_not_split_alone(toy_base, toy_catalog, limited, monkeypatch):
    limited(4)
    monkeypatch.setattr(training.PriceTrainer, "_halve", _as_if_of_two(training.PriceTrainer._halve))
    with pytest.raises(MemoryError, match="out of memory with 8 items at once"):
        run(toy_base, toy_catalog["train"][:16])


def _as_if_of_two(halve):
    from types import SimpleNamespace

    def of_two(self, error):
        one_of_two = SimpleNamespace(world_size=2, gradient_accumulation_steps=1)
        halve(SimpleNamespace(state=self.state, at_once=self.at_once, args=one_of_two, recipe=self.recipe), error)

    return of_two


def test_the_manifest_notes_that_a_run_was_split(toy_base, toy_catalog, tmp_path, limited, monkeypatch):
    monkeypatch.setenv("PRICELAB_PROFILE", "smoke")
    limited(5)
    result = finetune(toy_catalog, tmp_path / "run", base=str(toy_base), method="lora", recipe=RECIPE, progress=False)
    assert "from there on 4 at a time" in result.manifest.metrics["split"]
    assert all(math.isfinite(loss) for loss in result.losses)


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (torch.OutOfMemoryError("any words"), True),
        (MemoryError(), True),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
            True,
        ),
        (RuntimeError("MPS backend out of memory"), True),
        (RuntimeError("shapes cannot be multiplied"), False),
        (ValueError("out of range"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_what_counts_as_out_of_memory(error, is_it):
    assert out_of_memory(error) is is_it
