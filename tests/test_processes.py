"""A run shared out among processes learns what one would, ends together, and is resumed."""

import json
import os
import signal
import subprocess
import time

import numpy as np
import psutil
import pytest
import several
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from launching import assert_same, launch, one, two

from benchmarks import several_gpus
from pricelab import processes, sharing
from pricelab.checkpoints import newest_valid
from pricelab.examples import IGNORED, collate, encode
from pricelab.price_trainer import mixed_loss, price_loss
from pricelab.processes import part_of
from pricelab.recipe import Recipe
from pricelab.sharing import SharedOrder, as_forward, blank, count_labels, part_of_loss, real_rows

SEVERAL = {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}


@pytest.fixture
def second_of_two(monkeypatch):
    """The environment of the second of two processes, which is all that is there of them."""
    for name, value in SEVERAL.items():
        monkeypatch.setenv(name, value)


# ---- who shares


def test_a_process_that_was_not_launched_is_alone_and_first(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "8")  # some clusters set it for programs that know nothing of it
    assert (processes.count(), processes.rank(), processes.is_first()) == (1, 0, True)
    assert processes.once(lambda: 3) == 3 and processes.own_device("cuda") == "cuda"
    processes.agree("settings", {"seed": 1})
    tensor = torch.ones(2)
    assert processes.total(tensor) is tensor


def test_launched_processes_know_their_number(second_of_two):
    assert (processes.count(), processes.rank(), processes.is_first()) == (2, 1, False)
    assert processes.own_device("cuda") == {"": "cuda:1"} and processes.own_device("cpu") == "cpu"


@given(size=st.integers(1, 4096), world=st.integers(1, 64))
def test_a_batch_is_shared_out_evenly_or_refused_with_one_that_can_be(size, world):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "count", lambda: world)
        if size % world == 0:
            assert part_of(size) * world == size
            return
        with pytest.raises(ValueError, match=f"batch of {size} items can't be shared .* {world} processes") as refusal:
            part_of(size)
        assert part_of(int(str(refusal.value).split("batch_size of ")[1].split(",")[0])) >= 1


def test_an_odd_batch_is_refused_before_anything_is_written(second_of_two, toy_catalog, toy_base, tmp_path):
    from pricelab.finetuning import finetune

    with pytest.raises(ValueError, match="batch of 5 items can't be shared out evenly among 2 processes"):
        finetune(toy_catalog, tmp_path / "run", base=str(toy_base), recipe=Recipe(batch_size=5))
    assert not (tmp_path / "run").exists()


def test_a_sweep_of_several_processes_is_refused(second_of_two, toy_catalog, tmp_path):
    from pricelab import sweep

    with pytest.raises(ValueError, match="a sweep runs in one process, and 2 were started; leave the launcher out"):
        sweep(toy_catalog, tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists()


def test_a_process_without_a_gpu_is_refused_in_words(second_of_two, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="process 2 of 2 has no GPU of its own: this machine has 1; start as many"):
        processes.join()


def test_a_folder_that_not_all_machines_see_is_refused(monkeypatch, tmp_path):
    processes.check_shared(tmp_path)
    monkeypatch.setattr(processes, "gather", lambda seen: [seen, False])
    with pytest.raises(ValueError, match="isn't the same folder on all machines; give one that they share"):
        processes.check_shared(tmp_path)


def test_other_settings_in_one_process_are_refused(monkeypatch):
    monkeypatch.setattr(processes, "count", lambda: 2)
    monkeypatch.setattr(processes, "gather", lambda value: [value, {"seed": 2}])
    processes.agree("settings", {"seed": 2})
    with pytest.raises(ValueError, match="process 2 of 2 was given other settings than the first"):
        processes.agree("settings", {"seed": 1})


def test_the_docs_hold_what_the_formulas_give():
    assert several_gpus.PAGE.read_text(encoding="utf-8") == several_gpus.page(), (
        "run: python -m benchmarks.several_gpus"
    )


# ---- what is shared


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), parts=st.sampled_from([1, 2, 3, 6]), texts=st.integers(0, 6))
def test_the_parts_of_a_loss_have_the_loss_as_their_mean(toy_model, toy_tokenizer, toy_catalog, data, parts, texts):
    """However the examples are dealt out, blanks among them."""
    plain = [toy_tokenizer.encode(item.text)[:30] for item in toy_catalog["test"][:texts]]
    examples = encode(toy_tokenizer, toy_catalog["train"][: 6 - texts], 30)
    examples += [{"input_ids": ids, "labels": ids} for ids in plain]
    pad = toy_tokenizer.pad_token_id
    whole = (mixed_loss if texts else price_loss)(toy_model, collate(examples, pad))
    dealt = data.draw(st.permutations(examples + [blank(examples[0])] * parts))
    batches = [collate(dealt[part::parts], pad) for part in range(parts)]
    counts = sum(count_labels(batch["labels"]) for batch in batches)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharing.processes, "count", lambda: parts)
        shared = [part_of_loss(toy_model, batch, counts) for batch in batches]
    torch.testing.assert_close(torch.stack(shared).mean(), whole)
    assert counts[:, 0].tolist() == [6 - texts, texts]


def test_a_part_of_nothing_but_blanks_still_has_gradients_and_they_are_0(toy_model, toy_tokenizer, toy_catalog):
    (example,) = encode(toy_tokenizer, toy_catalog["train"][:1], 30)
    batch = collate([blank(example)] * 2, toy_tokenizer.pad_token_id)
    part_of_loss(toy_model, batch, torch.tensor([[8, 30], [0, 0]])).backward()
    assert all(weight.grad is not None and not weight.grad.any() for weight in toy_model.parameters())


@given(items=st.integers(1, 70), batch=st.integers(1, 16))
def test_the_order_is_that_of_one_process_filled_up_with_blanks(items, batch):
    class Order(list):
        batch_size = batch

        def set_epoch(self, epoch):
            self.epoch = epoch

    trainer = type("Trainer", (), {"state": type("State", (), {"epoch": 1.9})})
    order = Order(range(items))
    shared = SharedOrder(order, trainer)
    assert list(shared)[:items] == order and set(list(shared)[items:]) <= {items} and order.epoch == 1
    assert len(list(shared)) == len(shared) and len(shared) % batch == 0 and len(shared) - items < batch


@pytest.mark.parametrize(("remainder", "ends", "rows"), [(0, True, 4), (6, True, 2), (3, True, 1), (6, False, 4)])
def test_what_fills_up_the_last_evaluated_batch_is_left_out(second_of_two, remainder, ends, rows):
    loader = type("Loader", (), {"remainder": remainder, "end_of_dataloader": ends})
    cut = real_rows({"labels": torch.full((4, 3), IGNORED), "input_ids": torch.arange(12).view(4, 3)}, loader)
    assert cut["input_ids"].tolist() == torch.arange(12).view(4, 3)[:rows].tolist() and len(cut["labels"]) == rows


def test_a_loss_runs_as_the_forward_of_what_is_wrapped(monkeypatch):
    monkeypatch.setattr(processes, "count", lambda: 2)
    model = torch.nn.Linear(2, 2)
    wrapped = torch.nn.Sequential(model)
    seen = []
    wrapped.register_forward_pre_hook(lambda *_: seen.append("wrapped"))
    monkeypatch.setattr(wrapped, "forward", lambda: model())
    assert as_forward(wrapped, model, lambda: model(torch.zeros(1, 2)).shape) == (1, 2)
    assert seen == ["wrapped"] and "forward" not in vars(model)
    with pytest.raises(ZeroDivisionError):
        as_forward(wrapped, model, lambda: 1 / 0)
    assert "forward" not in vars(model)


# ---- when one of them ends


@pytest.mark.parametrize(
    "error",
    [
        torch.distributed.DistBackendError("NCCL"),
        RuntimeError("[gloo/transport/tcp/pair.cc:1] Connection closed by peer"),
    ],
)
def test_a_broken_connection_ends_in_words(second_of_two, error):
    words = "another process of this run ended early.*goes on from its last"
    with pytest.raises(processes.ProcessEnded, match=words), processes.told_when_one_ends():
        raise error


def test_other_errors_stay_what_they_are(second_of_two):
    for error in (RuntimeError("a bug"), torch.OutOfMemoryError("too large"), ValueError("no")):
        with pytest.raises(type(error), match=str(error)), processes.told_when_one_ends():
            raise error


def test_a_launcher_that_stops_a_process_is_heard(second_of_two):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(processes.ProcessEnded, match="another process"), processes.told_when_one_ends():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    assert signal.getsignal(signal.SIGTERM) == before


# ---- two processes


def test_two_processes_learn_what_one_does_and_stop_when_it_does(toy_base, tmp_path):
    first, second = two(toy_base, tmp_path, "watched")
    assert first == second and first["processes"] == 2
    alone = one(toy_base, "watched")
    assert "no gain" in alone["stopped"]
    assert_same(first["watched"], alone)


@pytest.fixture(scope="module")
def pair(toy_base, tmp_path_factory):
    """All runs in two processes, and their folder."""
    folder = tmp_path_factory.mktemp("pair")
    return two(toy_base, folder, "resumed", *several.RUNS), folder


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in several.RUNS if name != "timed"])
def test_each_kind_of_run_ends_in_two_processes_as_in_one(pair, toy_base, name):
    (first, second), _ = pair
    assert first[name] == second[name]
    alone = one(toy_base, name)
    if name == "diverged":
        assert "the loss became nan at step" in alone["error"] and first[name] == alone
    else:
        assert_same(first[name], alone)


@pytest.mark.slow
def test_the_time_is_over_for_both_at_once(pair):
    (first, second), _ = pair
    assert first["timed"] == second["timed"]
    assert "minutes were over" in first["timed"]["stopped"]


@pytest.mark.slow
def test_an_interrupted_run_goes_on_in_two_processes_or_in_one(pair, toy_base):
    (first, _), folder = pair
    assert first["resumed"] == first["lora"]  # bit by bit
    newest = newest_valid(folder / "for-one").checkpoint
    assert newest.name == "checkpoint-9"
    assert_same(one(toy_base, "lora", folder / "for-one"), first["lora"])


@pytest.mark.slow
def test_a_killed_process_ends_the_other_in_words_and_the_run_is_resumed(toy_base, tmp_path):
    from pricelab.artifacts import Manifest, is_unfinished
    from pricelab.files import data_dir
    from pricelab.pricer import Pricer

    run, shop = tmp_path / "run", tmp_path / "shop.csv"
    shop.write_text("".join((data_dir() / "catalog" / "train.csv").open().readlines()[:400]))
    program = ["-m", "pricelab", "finetune", shop, "--out", run, "--base", toy_base, "--epochs", 2]
    process = launch(*program, stdout=subprocess.PIPE)
    while not newest_valid(run / "checkpoints").checkpoint:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    (victim,) = [child for child in psutil.Process(process.pid).children(True) if child.environ().get("RANK") == "1"]
    victim.kill()
    _, errors = process.communicate(timeout=100)
    assert process.returncode != 0 and "error: another process of this run ended early" in errors
    assert is_unfinished(run)
    newest = newest_valid(run / "checkpoints").checkpoint
    before = json.loads((newest / "trainer_state.json").read_text())["log_history"]

    process = launch(*program, stdout=subprocess.PIPE)
    output, errors = process.communicate(timeout=250)
    assert process.returncode == 0, errors
    assert output.count("The predictor is in") == errors.count("2 processes, each with 2 of the 4 items") == 1
    assert "training: 100%" in errors
    losses = Manifest.read(run).metrics["losses"]
    noted = [entry["loss"] for entry in before if "loss" in entry]
    np.testing.assert_allclose(losses[: len(noted)], noted, atol=5e-5)
    assert len(losses) > len(noted)
    Pricer.load(run)
