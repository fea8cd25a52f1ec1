"""Start programs in two processes as a user would, and compare what came out with what one process does."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import several

DDP, FSDP = "--multi_gpu", "--use_fsdp"


def launch(*program, way=DDP, **options):
    """Start ``program`` in two processes on CPUs."""
    where = [way, "--num_processes", "2", "--num_machines", "1", "--main_process_port", "0"]
    plain = ["--mixed_precision", "no", "--dynamo_backend", "no"]
    command = [sys.executable, "-m", "accelerate.commands.launch", *where, *plain, *map(str, program)]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "PRICELAB_PROFILE": "smoke"}
    return subprocess.Popen(command, env=environment, text=True, stderr=subprocess.PIPE, **options)


def two(base, folder, *names, way=DDP):
    """What came out of the runs called ``names`` in each of two processes."""
    process = launch(several.__file__, base, folder, *names, way=way)
    _, errors = process.communicate(timeout=250)
    assert process.returncode == 0, errors
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


def one(base, name, *checkpoints):
    """What comes out of the run in this process alone, in the same precision."""
    with pytest.MonkeyPatch.context() as patch:
        several.in_fp32(patch.setattr)
        return several.run(base, name, *checkpoints)


def assert_same(found, expected, nats=3e-6):
    """The same steps, gradients and losses, which are 7 nats a token, to the last digit or two of fp32."""
    for kind in ("losses", "validation"):
        np.testing.assert_allclose(found[kind], expected[kind], rtol=0, atol=nats)
    np.testing.assert_allclose(found["gradients"], expected["gradients"], rtol=1e-4)
    for name, weight in expected["weights"].items():
        assert found["weights"][name] == pytest.approx(weight, abs=1e-4)
    assert (found["stopped"], found["best"]) == (expected["stopped"], expected["best"])
