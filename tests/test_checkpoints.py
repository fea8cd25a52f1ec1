"""Checkpoints and faults: damaged files, kills at any instant, full and read-only disks, drives without rename."""

import contextlib
import errno
import itertools
import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import faults
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import TrainerCallback

from pricelab import checkpoints, disk, files, finetuning, run_folder, saving, training
from pricelab.artifacts import Manifest, is_finished
from pricelab.checkpoints import MARKER, STAGING, STATE, all_in, fault_of, named, newest_valid, publish, rotate, step_of
from pricelab.finetuning import CHECKPOINTS, finetune
from pricelab.training import Recipe, load_trainable, train

RECIPE = Recipe(epochs=2, batch_size=16, rank=4, max_text_tokens=40, save_every=2)  # 8 steps
WATCHED = Recipe(epochs=6, batch_size=16, rank=4, max_text_tokens=40, learning_rate=0.05, evaluate_every=2, patience=2)


@pytest.fixture(autouse=True)
def smoke(monkeypatch):
    monkeypatch.setenv("PRICELAB_PROFILE", "smoke")


def run(toy_base, items, folder, recipe=RECIPE, **options):
    """What was trained, and the adapter's weights."""
    base, model = load_trainable(str(toy_base), "lora", recipe, seed=1)
    trained = train(model, base, items, recipe, folder, seed=1, **{"progress": False, **options})
    return trained, {name: weight.detach() for name, weight in model.named_parameters() if "lora_" in name}


@pytest.fixture(scope="module")
def whole(toy_base, toy_catalog, tmp_path_factory):
    """A run that nothing happened to."""
    return run(toy_base, toy_catalog["train"], tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def _cut(toy_base, toy_catalog, tmp_path_factory, stop_at):
    folder = tmp_path_factory.mktemp("cut")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "LossDisplay", stop_at(7))
        with pytest.raises(InterruptedError):
            run(toy_base, toy_catalog["train"], folder, progress=True)
    return folder


@pytest.fixture
def cut(_cut, tmp_path):
    """A copy of the checkpoints of a run that was cut off after step 7: those of steps 4 and 6."""
    return shutil.copytree(_cut, tmp_path / "cut")


def assert_ends_as(whole, toy_base, toy_catalog, folder):
    trained, weights = run(toy_base, toy_catalog["train"], folder)
    assert trained.losses == whole[0].losses
    assert all(torch.equal(weights[name], weight) for name, weight in whole[1].items())


# ---- what a checkpoint is


def test_a_checkpoint_is_marked_hashed_and_loads_without_pickle(cut):
    assert [path.name for path in all_in(cut)] == ["checkpoint-6", "checkpoint-4"] and not (cut / STAGING).exists()
    newest = cut / "checkpoint-6"
    assert fault_of(newest) == "" and newest_valid(cut) == checkpoints.Found(newest) and str(newest_valid(cut)) == ""
    names = {path.name for path in newest.iterdir()} - {MARKER}
    assert names == set(json.loads((newest / MARKER).read_text())["files"])
    assert {"adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", STATE} <= names
    assert not any(name.endswith(".bin") for name in names)
    for name in ("optimizer.pt", "scheduler.pt"):
        assert torch.load(newest / name, weights_only=True)


def test_what_travels_is_safetensors_and_json(finetuned):
    for run_ in finetuned.values():
        assert {path.suffix for path in run_.folder.iterdir()} == {".safetensors", ".json", ".md"}


def truncate(checkpoint):
    os.truncate(checkpoint / "adapter_model.safetensors", 1000)


def flip(checkpoint):
    content = bytearray((checkpoint / "optimizer.pt").read_bytes())
    content[len(content) // 2] ^= 1
    (checkpoint / "optimizer.pt").write_bytes(content)


DAMAGES = {
    "adapter_model.safetensors isn't as it was written": truncate,
    "optimizer.pt isn't as it was written": flip,
    "rng_state.pth is missing": lambda checkpoint: (checkpoint / "rng_state.pth").unlink(),
    "it was never finished": lambda checkpoint: (checkpoint / MARKER).unlink(),
    "it can't be read": lambda checkpoint: (checkpoint / MARKER).write_text("{"),
    "doesn't list its files": lambda checkpoint: (checkpoint / MARKER).write_text('{"files": {}}'),
    "doesn't list": lambda checkpoint: (checkpoint / MARKER).write_text("[]"),
}


@pytest.mark.parametrize("words", DAMAGES)
def test_a_damaged_checkpoint_is_skipped_with_the_reason(cut, words):
    DAMAGES[words](cut / "checkpoint-6")
    found = newest_valid(cut)
    assert found.checkpoint == cut / "checkpoint-4" and list(found.skipped) == ["checkpoint-6"]
    assert f"skipped checkpoint-6: {words}" in str(found).replace("its complete.json ", "")
    assert str(found).endswith("training goes on from step 4")


def test_the_newest_may_be_damaged_and_the_run_still_ends_the_same(whole, cut, toy_base, toy_catalog, capsys):
    truncate(cut / "checkpoint-6")
    (cut / STAGING / "checkpoint-8").mkdir(parents=True)
    (cut / "checkpoint-99").mkdir()
    assert_ends_as(whole, toy_base, toy_catalog, cut)
    told = capsys.readouterr().err
    assert "skipped saving: the run was cut off" in told and "skipped checkpoint-99: it was never finished" in told
    assert "skipped checkpoint-6: adapter_model" in told and "training goes on from step 4" in told
    assert [step_of(path) for path in all_in(cut)] == [8, 6] and not (cut / STAGING).exists()
    assert not any(fault_of(path) for path in all_in(cut))


def test_without_a_whole_one_the_run_starts_again(whole, cut, toy_base, toy_catalog, capsys):
    for path in all_in(cut):
        truncate(path)
    assert_ends_as(whole, toy_base, toy_catalog, cut)
    assert "training goes on from the beginning" in capsys.readouterr().err


@contextlib.contextmanager
def quick_folder():
    """For many small checkpoints: not every byte has to be on disk."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        for module in (checkpoints, files):
            patch.setattr(module, "flush", lambda path: None)
        yield Path(name)


def make(folder, step, best=None):
    """A small checkpoint, published as real ones are."""
    staged = folder / STAGING / f"checkpoint-{step}"
    staged.mkdir(parents=True)
    state = {"best_global_step": best, "best_model_checkpoint": best and "somewhere"}
    (staged / STATE).write_text(json.dumps(state))
    (staged / "weights").write_bytes(os.urandom(20))
    publish(staged, named(folder, step))


@settings(deadline=None, max_examples=15)
@given(states=st.lists(st.sampled_from(["whole", "truncated", "unmarked"]), max_size=6))
def test_the_newest_whole_one_is_found_whatever_happened_to_the_others(states):
    with quick_folder() as folder:
        for step, state in enumerate(states, 8):  # from one digit to two: a number, not a text, decides
            make(folder, step)
            if state == "truncated":
                os.truncate(named(folder, step) / "weights", 3)
            if state == "unmarked":
                (named(folder, step) / MARKER).unlink()
        steps = [step for step, state in enumerate(states, 8) if state == "whole"]
        found = newest_valid(folder)
        assert found.checkpoint == (named(folder, max(steps)) if steps else None)
        newer = [step for step in range(8, 8 + len(states)) if not steps or step > max(steps)]
        assert set(found.skipped) == {f"checkpoint-{step}" for step in newer}


@settings(deadline=None, max_examples=15)
@given(damaged=st.sets(st.integers(1, 6)), newest=st.integers(1, 6), best=st.none() | st.integers(1, 6))
def test_rotation_keeps_the_one_just_written_and_the_best(damaged, newest, best):
    damaged, best = damaged - {newest}, None if best is None else min(best, newest)
    with quick_folder() as folder:
        for step in range(1, 7):
            make(folder, step)
            if step in damaged:
                os.truncate(named(folder, step) / "weights", 3)
        rotate(folder, newest, best)
        kept = {step_of(path) for path in all_in(folder)}
        earlier = [step for step in range(1, newest) if step not in damaged]
        expected = {newest, best or newest}
        assert kept == expected | ({max(earlier)} if len(expected) == 1 and earlier else set())


def test_a_checkpoint_counts_on_its_best_weights(tmp_path):
    for step, best in ((2, 2), (4, 4), (6, 4)):
        make(tmp_path, step, best)
    assert newest_valid(tmp_path).checkpoint == named(tmp_path, 6)
    os.truncate(named(tmp_path, 4) / "weights", 3)
    found = newest_valid(tmp_path)
    assert found.checkpoint == named(tmp_path, 2)
    assert "the best weights so far, in checkpoint-4, can't be used: weights isn't" in found.skipped["checkpoint-6"]


def test_a_drive_without_rename_and_fsync_will_do(whole, toy_base, toy_catalog, tmp_path, monkeypatch):
    replace, copied = os.replace, []

    def no_folders(source, target):
        if os.path.isdir(source):
            copied.append(target)
            raise OSError(errno.ENOTSUP, "no rename here")
        replace(source, target)

    def no_sync(handle):
        raise OSError(errno.EINVAL, "no fsync here")

    monkeypatch.setattr(os, "replace", no_folders)
    monkeypatch.setattr(os, "fsync", no_sync)
    assert_ends_as(whole, toy_base, toy_catalog, tmp_path)
    assert len(copied) == 4 and newest_valid(tmp_path) == checkpoints.Found(named(tmp_path, 8))


# ---- runs that were over


@pytest.fixture(scope="module")
def watched(toy_base, toy_catalog, tmp_path_factory):
    """A run that ended early, and its options."""
    options = {
        "base": str(toy_base), "method": "lora", "recipe": WATCHED, "seed": 3, "progress": False,
        "validation": toy_catalog["validation"][:16],
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRICELAB_PROFILE", "smoke")
        done = finetune(toy_catalog, tmp_path_factory.mktemp("runs") / "watched", **options)
    assert "no gain" in done.stopped and len(done.losses) < 24
    return done, options


def test_a_run_that_was_over_stays_as_it_was_also_in_another_place(watched, toy_catalog, tmp_path, monkeypatch):
    done, options = watched
    with monkeypatch.context() as patch:
        patch.setattr(finetuning, "with_read_outs", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            finetune(toy_catalog, tmp_path / "here", **options)
    moved = (tmp_path / "here").rename(tmp_path / "there")
    again = finetune(toy_catalog, moved, **options)
    assert (again.losses, again.validation, again.stopped) == (done.losses, done.validation, done.stopped)
    assert again.manifest.files == done.manifest.files


def test_a_clock_that_had_run_out_stays_so(toy_base, toy_catalog, tmp_path):
    first, weights = run(toy_base, toy_catalog["train"], tmp_path, minutes=1e-9)
    again, same = run(toy_base, toy_catalog["train"], tmp_path, minutes=1e-9)
    assert len(first.losses) == len(again.losses) == 1 and first.stopped == again.stopped
    assert "minutes were over" in again.stopped
    assert all(torch.equal(same[name], weight) for name, weight in weights.items())


# ---- writes that fail


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "No space left on device; it takes about .* and .* are free; free some space there"),
        (errno.EROFS, "Read-only file system; .*make the folder writable"),
        (errno.ENOTCONN, "not connected; .*see whether the disk is still connected"),
    ],
)
def test_a_checkpoint_that_cannot_be_saved_ends_the_run_in_words(
    whole, toy_base, toy_catalog, tmp_path, monkeypatch, number, words
):
    flushes = itertools.count()

    def failing(path):
        if next(flushes) == 25:  # in the third checkpoint
            raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "flush", failing)
        with pytest.raises(OSError, match=f"saving the checkpoint of step 6 in .* failed: .*{words}") as caught:
            run(toy_base, toy_catalog["train"], tmp_path)
    assert "The checkpoint of step 4 is whole: the same command goes on from there" in str(caught.value)
    assert not (tmp_path / STAGING).exists()
    assert_ends_as(whole, toy_base, toy_catalog, tmp_path)


@pytest.mark.parametrize("step", [2, 6])
def test_a_folder_that_went_away_is_told_and_the_run_goes_on_when_it_is_back(
    whole, toy_base, toy_catalog, tmp_path, monkeypatch, step
):
    folder, elsewhere = tmp_path / "drive" / "run", tmp_path / "elsewhere"

    class Gone(TrainerCallback):
        def on_step_begin(self, args, state, control, **_):
            if state.global_step == step - 1:
                folder.parent.rename(elsewhere)

    with monkeypatch.context() as patch:
        patch.setattr(training, "LossDisplay", Gone)
        with pytest.raises(OSError, match=f"step {step} in .* failed: No such file or directory; it takes") as caught:
            run(toy_base, toy_catalog["train"], folder, progress=True)
    assert "mount Drive again). Once it is back, the same command goes on from the last" in str(caught.value)
    assert "beginning" not in str(caught.value) and not folder.parent.exists()
    elsewhere.rename(folder.parent)
    assert_ends_as(whole, toy_base, toy_catalog, folder)


def test_a_drive_that_went_away_can_still_be_told(tmp_path, monkeypatch):
    def gone(*_):
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))

    monkeypatch.setattr(checkpoints, "all_in", gone)
    monkeypatch.setattr(shutil, "disk_usage", gone)
    words = "mount Drive again.*Once it is back, the same command"
    with pytest.raises(OSError, match=words) as caught, checkpoints.told(tmp_path, 3, 2_500_000):
        gone()
    assert "it takes about 2.5 MB; see" in str(caught.value)


def test_a_predictor_that_cannot_be_saved_is_finished_later(watched, toy_catalog, tmp_path, monkeypatch):
    done, options = watched

    def full(path):
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(saving, "flush", full)
        with pytest.raises(OSError, match="saving the predictor in .* No space left.*The training is done; the same"):
            finetune(toy_catalog, tmp_path / "run", **options)
    assert finetune(toy_catalog, tmp_path / "run", **options).manifest.files == done.manifest.files


def test_a_folder_that_cannot_be_written_is_refused_in_words(watched, toy_catalog, tmp_path, monkeypatch):
    def closed(path, value):
        raise OSError(errno.EACCES, "no")

    monkeypatch.setattr(run_folder, "write_json_atomic", closed)
    with pytest.raises(OSError, match="starting a run in .* failed: Permission denied; .*make the folder writable"):
        finetune(toy_catalog, tmp_path / "run", **watched[1])


def test_other_errors_keep_their_own_words():
    with pytest.raises(RuntimeError, match="^out of something$"), disk.in_words("saving", Path("here")):
        raise RuntimeError("out of something")


# ---- real kills, real limits


@pytest.fixture(scope="module")
def processes():
    return faults.server()


def start(processes, *arguments, **keywords):
    """A process that fine-tunes, once it is about to; and its answers."""
    answers = processes.Queue()
    process = processes.Process(target=faults.run, args=(answers, *arguments), kwargs=keywords)
    process.start()
    assert answers.get(timeout=120) == "started"
    return process, answers


@pytest.fixture(scope="module")
def undisturbed(processes, watched, toy_catalog, tmp_path_factory):
    """How many file events and seconds such a run takes."""
    process, answers = start(processes, toy_catalog, tmp_path_factory.mktemp("runs") / "free", watched[1])
    begin = time.monotonic()
    hashes, events = answers.get(timeout=120)
    process.join()
    assert hashes == watched[0].manifest.files and events > 100
    return events, time.monotonic() - begin


def assert_killed_run_ends_the_same(processes, watched, toy_catalog, folder, undisturbed, chance, by_event):
    """Kill a run at a random moment and do it again in this process."""
    events, seconds = undisturbed
    dies_at = chance.randint(1, events) if by_event else None
    process, answers = start(processes, toy_catalog, folder, watched[1], dies_at=dies_at)
    if not by_event:
        time.sleep(chance.uniform(0, seconds))
        process.kill()
    process.join(timeout=120)
    assert process.exitcode in ((-9,) if by_event else (-9, 0))
    if not is_finished(folder):
        finetune(toy_catalog, folder, **watched[1])
    manifest = Manifest.read(folder)
    manifest.check(folder)
    assert manifest.files == watched[0].manifest.files


@pytest.mark.parametrize("by_event", [True, False])
def test_a_kill_costs_nothing(processes, watched, toy_catalog, tmp_path, undisturbed, by_event):
    assert_killed_run_ends_the_same(
        processes, watched, toy_catalog, tmp_path / "run", undisturbed, random.Random(), by_event
    )


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20))
def test_twenty_kills_cost_nothing(processes, watched, toy_catalog, tmp_path, undisturbed, number):
    chance = random.Random(number)
    assert_killed_run_ends_the_same(
        processes, watched, toy_catalog, tmp_path / "run", undisturbed, chance, by_event=number % 2 == 0
    )


@pytest.mark.slow
def test_files_that_may_not_grow_are_told_and_the_run_goes_on_later(processes, watched, toy_catalog, tmp_path):
    process, answers = start(processes, toy_catalog, tmp_path / "run", watched[1], largest=20_000)
    told = answers.get(timeout=120)
    process.join()
    assert "saving the checkpoint of step 2" in told and "There is no earlier checkpoint" in told
    assert finetune(toy_catalog, tmp_path / "run", **watched[1]).manifest.files == watched[0].manifest.files


@pytest.fixture
def small_disk(tmp_path):
    """``small_disk(bytes)``: a disk of that size, where mounting is allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options):
        if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True).returncode:
            pytest.skip("needs the right to mount")
        return folder

    yield mount
    subprocess.run(["umount", folder], capture_output=True)


@pytest.mark.slow
@pytest.mark.parametrize("size", range(100_000, 900_000, 100_000))
def test_a_disk_of_any_size_is_full_at_some_point(watched, toy_catalog, small_disk, size):
    done, options = watched
    folder = small_disk(f"size={size}") / "run"
    try:
        finetune(toy_catalog, folder, **options)
    except OSError as error:
        assert "No space left" in str(error) or "the disk is full" in str(error)
        assert "free some space there" in str(error)
    subprocess.run(["mount", "-o", "remount,size=50m", folder.parent], check=True)
    if not is_finished(folder):
        finetune(toy_catalog, folder, **options)
    assert Manifest.read(folder).files == done.manifest.files


@pytest.mark.slow
def test_a_read_only_disk_is_told_before_and_while_training(watched, toy_catalog, small_disk, monkeypatch):
    done, options = watched
    folder = small_disk("size=50m") / "run"
    subprocess.run(["mount", "-o", "remount,ro", folder.parent], check=True)
    with pytest.raises(OSError, match="starting a run in .* failed: Read-only file system.*make the folder writable"):
        finetune(toy_catalog, folder, **options)
    subprocess.run(["mount", "-o", "remount,rw", folder.parent], check=True)
    saved = checkpoints.publish

    def closing(staged, target):
        saved(staged, target)
        subprocess.run(["mount", "-o", "remount,ro", folder.parent], check=True)

    with monkeypatch.context() as patch:
        patch.setattr("pricelab.price_trainer.publish", closing)
        with pytest.raises(OSError, match="step 4 in .* Read-only file system.*The checkpoint of step 2 is whole"):
            finetune(toy_catalog, folder, **options)
    subprocess.run(["mount", "-o", "remount,rw", folder.parent], check=True)
    assert (folder / CHECKPOINTS).is_dir()
    assert finetune(toy_catalog, folder, **options).manifest.files == done.manifest.files
