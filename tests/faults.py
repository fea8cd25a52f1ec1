"""Runs in processes of their own, to be killed or starved: what `test_checkpoints` does to them."""

import os
import resource
import signal
import sys
from multiprocessing import get_context
from pathlib import Path

IMPORTS = ["peft", "pricelab.finetuning", "pricelab.pricer"]  # what takes seconds: once, for all processes
FILE_EVENTS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "os.chmod"}


def server():
    """Where processes come from: forked after the imports, before anything was computed."""
    context = get_context("forkserver")
    context.set_forkserver_preload(IMPORTS)
    return context


def run(answers, catalog, folder: Path, options: dict, dies_at: int | None = None, largest: int | None = None) -> None:
    """`finetune`; what became of it goes to ``answers``: the manifest's hashes, or the error's text.

    Args:
        answers: a queue.
        catalog: what to learn from.
        folder: of the run.
        options: of `finetune`.
        dies_at: the process kills itself at this file event (an open, a rename, …) in ``folder``.
        largest: bytes that a file may have, as if the disk were full.
    """
    import torch

    from pricelab.finetuning import finetune

    os.environ["PRICELAB_PROFILE"] = "smoke"
    torch.set_num_threads(1)
    events = [0]
    sys.addaudithook(lambda event, arguments: _count(event, arguments, str(folder), events, dies_at))
    if largest is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    answers.put("started")
    try:
        answers.put((finetune(catalog, folder, **options).manifest.files, events[0]))
    except OSError as error:
        answers.put(str(error))


def _count(event, arguments, folder, events, dies_at) -> None:
    if event in FILE_EVENTS and arguments and str(arguments[0]).startswith(folder):
        events[0] += 1
        if events[0] == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
