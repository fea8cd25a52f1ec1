"""Ctrl-C while a model trains: saved, told, resumed; in a notebook finished with what there is, trained on later."""

import os
import shutil
import signal
import threading
from types import SimpleNamespace

import pytest
import torch
from transformers import TrainerCallback, TrainerControl

from pricelab import cli, finetuning, interruption, training
from pricelab.artifacts import MANIFEST, RUN, is_finished, is_unfinished
from pricelab.checkpoints import named, newest_valid
from pricelab.finetuning import CHECKPOINTS, finetune
from pricelab.interruption import HINT, Interrupted, Interruption
from pricelab.pricer import Pricer
from pricelab.run_folder import RESULT
from pricelab.training import Recipe

RECIPE = Recipe(epochs=2, batch_size=16, rank=4, max_text_tokens=40, save_every=5)  # 8 steps


def interrupting(*steps):
    """A trainer's callback class that presses Ctrl-C at the beginning of these steps."""

    class Interrupting(TrainerCallback):
        def on_step_begin(self, args, state, control, **_):
            for _ in range(steps.count(state.global_step + 1)):
                signal.raise_signal(signal.SIGINT)

    return Interrupting


@pytest.fixture(autouse=True)
def smoke(monkeypatch):
    monkeypatch.setenv("PRICELAB_PROFILE", "smoke")


@pytest.fixture(autouse=True)
def interrupts_are_heard():
    """Python's own answer to Ctrl-C, which is missing where the tests run in a shell's background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def options(toy_base):
    return {"base": str(toy_base), "method": "lora", "recipe": RECIPE, "seed": 3}


@pytest.fixture(scope="module")
def whole(toy_catalog, options, tmp_path_factory):
    """A run that nobody interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRICELAB_PROFILE", "smoke")
        return finetune(toy_catalog, tmp_path_factory.mktemp("runs") / "whole", progress=False, **options)


@pytest.fixture
def notebook(monkeypatch):
    """As if in a notebook, as far as interruptions go."""
    for module in (training, interruption):
        monkeypatch.setattr(module, "in_notebook", lambda: True)


def test_outside_a_notebook_it_is_saved_told_and_resumed(whole, toy_catalog, options, tmp_path, monkeypatch, capsys):
    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(training, "LossDisplay", interrupting(4))
        with pytest.raises(Interrupted, match=r"interrupted at step 4 of 8 \(1 passes .*the same command goes on from"):
            finetune(toy_catalog, tmp_path / "run", **options)
    assert HINT in capsys.readouterr().err and signal.getsignal(signal.SIGINT) == before
    assert is_unfinished(tmp_path / "run")
    found = newest_valid(tmp_path / "run" / CHECKPOINTS)
    assert found.checkpoint == named(tmp_path / "run" / CHECKPOINTS, 4) and not found.skipped
    again = finetune(toy_catalog, tmp_path / "run", progress=False, **options)
    assert (again.losses, again.manifest.files) == (whole.losses, whole.manifest.files)


def test_the_second_one_stops_at_once(toy_catalog, options, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "LossDisplay", interrupting(4, 4))
    with pytest.raises(KeyboardInterrupt) as caught:
        finetune(toy_catalog, tmp_path / "run", **options)
    assert not isinstance(caught.value, Interrupted) and not (tmp_path / "run" / CHECKPOINTS / "checkpoint-4").exists()


@pytest.mark.usefixtures("notebook")
@pytest.mark.parametrize("overwrite", [True, "changed"])
def test_a_notebooks_run_is_finished_with_what_there_is_and_trained_on_later(
    whole, toy_catalog, options, tmp_path, monkeypatch, overwrite
):
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(training, "LossDisplay", interrupting(3))
        early = finetune(toy_catalog, folder, **options)
    assert len(early.losses) == 3 and is_finished(folder)
    assert early.stopped == early.manifest.metrics["stopped"]
    assert early.stopped.startswith("interrupted at step 3 of 8") and "overwrite=True" in early.stopped
    assert Pricer.load(folder).estimate(toy_catalog["test"][0].text).estimate > 0
    with pytest.raises(ValueError, match="--overwrite to replace it .with the same settings: to train it on"):
        finetune(toy_catalog, folder, progress=False, **options)
    other = shutil.copytree(folder, tmp_path / "other")
    again = finetune(toy_catalog, folder, progress=False, overwrite=overwrite, **options)
    assert (again.losses, again.manifest.files, again.stopped) == (whole.losses, whole.manifest.files, "")
    assert {path.name for path in folder.iterdir()} == {*again.manifest.files, MANIFEST}
    afresh = finetune(toy_catalog, other, progress=False, overwrite=True, **{**options, "seed": 4})
    assert len(afresh.losses) == 8 and not (other / RUN).exists() and afresh.losses[0] != whole.losses[0]


@pytest.mark.usefixtures("notebook")
def test_a_notebooks_watched_run_keeps_the_best_weights_so_far(toy_catalog, options, tmp_path, monkeypatch):
    recipe = Recipe(epochs=8, batch_size=16, rank=4, max_text_tokens=40, learning_rate=0.05, evaluate_every=2)
    monkeypatch.setattr(training, "LossDisplay", interrupting(7))
    watched = {"validation": toy_catalog["validation"][:16], **options, "recipe": recipe}
    early = finetune(toy_catalog, tmp_path / "run", **watched)
    assert list(early.validation) == [2, 4, 6] and early.stopped.startswith("interrupted at step 7 of 32")
    assert early.manifest.metrics["best_step"] == min(early.validation, key=early.validation.get)


@pytest.mark.usefixtures("notebook")
def test_an_interrupt_in_the_last_step_changes_nothing(whole, toy_catalog, options, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "LossDisplay", interrupting(8))
    done = finetune(toy_catalog, tmp_path / "run", **options)
    assert (done.stopped, done.manifest.files) == ("", whole.manifest.files)


@pytest.mark.parametrize("doing", ["with_read_outs", "learn_scope", "finish"])
def test_when_the_training_is_done_the_same_command_finishes_the_run(
    whole, toy_catalog, options, tmp_path, monkeypatch, doing
):
    with monkeypatch.context() as patch:
        patch.setattr(finetuning, doing, lambda *_, **__: signal.raise_signal(signal.SIGINT))
        with pytest.raises(Interrupted, match="^interrupted after the training.*the same command finishes the run"):
            finetune(toy_catalog, tmp_path / "run", progress=False, **options)
    assert is_unfinished(tmp_path / "run") and not is_finished(tmp_path / "run")
    monkeypatch.setattr(training, "price_loss", None)  # no step is done again
    again = finetune(toy_catalog, tmp_path / "run", progress=False, **options)
    assert (again.losses, again.manifest.files) == (whole.losses, whole.manifest.files)


def test_a_run_that_was_cut_off_while_it_tidied_up_is_finished(whole, toy_catalog, options, tmp_path, monkeypatch):
    folder, finish = tmp_path / "run", finetuning.finish

    def cut_off(*parts):
        settings = (folder / RUN).read_bytes()
        finish(*parts)
        (folder / RUN).write_bytes(settings)
        (folder / CHECKPOINTS / RESULT).mkdir(parents=True)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(finetuning, "finish", cut_off)
        with pytest.raises(Interrupted, match="the same command finishes the run"):
            finetune(toy_catalog, folder, progress=False, **options)
    monkeypatch.setattr(training, "price_loss", None)  # nothing is trained
    again = finetune(toy_catalog, folder, progress=False, **options)
    assert again.manifest.files == whole.manifest.files
    assert {path.name for path in folder.iterdir()} == {*again.manifest.files, MANIFEST}


@pytest.mark.usefixtures("notebook")
def test_a_notebooks_second_interrupt_says_that_the_run_is_trained_on(
    whole, toy_catalog, options, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(training, "LossDisplay", interrupting(3))
        patch.setattr(finetuning, "with_read_outs", lambda *_, **__: signal.raise_signal(signal.SIGINT))
        with pytest.raises(Interrupted, match="is saved; the same call trains on from there"):
            finetune(toy_catalog, tmp_path / "run", **options)
    again = finetune(toy_catalog, tmp_path / "run", progress=False, **options)
    assert (again.losses, again.manifest.files) == (whole.losses, whole.manifest.files)


def test_without_checkpoints_an_interrupt_is_an_interrupt(toy_base, toy_catalog, monkeypatch):
    monkeypatch.setattr(training, "LossDisplay", interrupting(2))
    base, model = training.load_trainable(str(toy_base), "lora", RECIPE, seed=1)
    with pytest.raises(KeyboardInterrupt) as caught:
        training.train(model, base, toy_catalog["train"], RECIPE, None, seed=1)
    assert not isinstance(caught.value, Interrupted)


def test_only_the_main_thread_listens():
    heard = []

    def elsewhere():
        with Interruption() as listening:
            heard.append(listening.asked)

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert heard == [False] and signal.getsignal(signal.SIGINT) == before


def test_the_command_line_says_how_to_go_on_and_leaves_with_130(toy_base, tmp_path, monkeypatch, capsys):
    shop = tmp_path / "shop.csv"
    shop.write_text("text,price\n" + "".join(f"thing number {n},{n + 1}\n" for n in range(40)))
    monkeypatch.setattr(training, "LossDisplay", interrupting(2))
    with pytest.raises(SystemExit) as left:
        cli.main(["finetune", str(shop), "--out", str(tmp_path / "run"), "--base", str(toy_base), "--method", "lora"])
    told = capsys.readouterr().err
    assert left.value.code == 130 and "the same command goes on from there" in told and "Traceback" not in told
    assert is_unfinished(tmp_path / "run")


def test_of_several_processes_all_stop_when_one_was_interrupted(monkeypatch):
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda heard, op: heard.fill_(1.0))
    here, control = Interruption(), TrainerControl()
    state = SimpleNamespace(global_step=3, max_steps=8)
    here.on_step_end(SimpleNamespace(world_size=1, device="cpu"), state, control)
    assert not control.should_training_stop
    here.on_step_end(SimpleNamespace(world_size=2, device="cpu"), state, control)
    assert control.should_training_stop and control.should_save and here.asked and here.ended


@pytest.mark.slow
def test_a_kernels_interrupt_returns_a_predictor(toy_base, tmp_path):
    """The real thing: the button that stops a cell."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(extra_arguments=["--quiet"], env={**os.environ, "PRICELAB_PROFILE": "smoke"})
    try:
        code = (
            "from pricelab import finetune, load_catalog; from pricelab.training import Recipe\n"
            f"options = dict(base={str(toy_base)!r}, method='lora', recipe=Recipe(epochs=500))\n"
            f"run = finetune(load_catalog('workshop'), {str(tmp_path / 'run')!r}, **options)\n"
            "print('ended:', run.stopped)"
        )
        asked = client.execute(code)
        interrupted, printed = False, ""
        while True:
            message = client.get_iopub_msg(timeout=200)
            content = message["content"]
            if message["msg_type"] == "update_display_data" and not interrupted:  # the loss: it trains
                manager.interrupt_kernel()
                interrupted = True
            printed += content.get("text", "")
            if message["msg_type"] == "status" and content["execution_state"] == "idle" and interrupted:
                break
        assert client.get_shell_msg(timeout=60)["parent_header"]["msg_id"] == asked
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert HINT in printed and "ended: interrupted at step" in printed and "Error" not in printed
    assert is_finished(tmp_path / "run")
