"""The comparison with TRL: same tokens, same losses; tables that say what the results say."""

import math

import pytest

from benchmarks import engine, engine_docs, engine_profile, epochs
from benchmarks.engine import Measured
from benchmarks.engine_docs import SECTIONS, page
from benchmarks.results import RESULTS
from pricelab.files import read_json


@pytest.fixture
def two_rows(monkeypatch):
    monkeypatch.setattr(engine, "BATCH", 4)


@pytest.mark.parametrize(
    ("method", "precision", "cast", "tolerance"),
    [
        ("lora", "fp32", False, 1e-5),
        ("lora", "bf16", False, 3e-2),
        ("qlora", "fp32", True, 1e-5),  # TRL's adapters are bf16 with QLoRA: without the cast they differ
        ("qlora", "bf16", False, 3e-2),
    ],
)
def test_both_engines_report_the_same_losses_step_by_step(one_thread, two_rows, method, precision, cast, tolerance):
    found = engine.agreement(method, "tiny", precision, do=engine.run, cast_adapters=cast)
    assert len(found["pricelab"]) == len(found["trl"]) == engine.SAME_STEPS
    assert all(map(math.isfinite, found["pricelab"])) and found["pricelab"][-1] < found["pricelab"][0]
    assert found["largest_relative_difference"] < tolerance


def test_ratios_are_of_runs_side_by_side():
    speeds = {"pricelab": iter([8.0, 4.0]), "trl": iter([4.0, 1.0]), "trl, checkpointing": iter([2.0, 2.0]),
              "pricelab, compiled": iter([8.0, 8.0])}  # fmt: skip

    def do(job):
        speed = next(speeds[job.engine + ", checkpointing" * job.checkpointing + ", compiled" * job.compile])
        return Measured(speed, 80 * speed, int(1e9 * (1 if job.engine == "pricelab" else 2)), [1.0], 0.1)

    first, facts = engine.rounds("lora", "tiny", repeats=2, do=do)
    assert first["trl"]["times_faster"]["least"] == first["trl"]["times_faster"]["most"]
    assert facts["trl"]["times_faster"] == {"median": 3.0, "least": 2.0, "most": 4.0}
    assert facts["trl_checkpointing"]["times_faster"] == {"median": 3.0, "least": 2.0, "most": 4.0}
    assert facts["trl"]["share_of_peak"]["median"] == 0.5
    assert facts["trl"]["compiled"]["times_faster"] == {"median": 5.0, "least": 2.0, "most": 8.0}
    assert "times_faster" not in facts["pricelab"]


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("aten::mm", "matrix products"),
        ("bitsandbytes::gemm_4bit", "4-bit weights to 16 bit"),
        ("aten::_scaled_dot_product_flash_attention_for_cpu_backward", "fused attention"),
        ("aten::copy_", "copies and casts"),
        ("aten::_softmax", "softmax and loss"),
        ("ChunkedLogProbFunctionBackward", "softmax and loss"),
        ("aten::embedding", "other"),
    ],
)
def test_an_operation_counts_to_one_kind(operation, kind):
    assert engine_profile.kind_of(operation) == kind


def test_an_aim_that_is_missed_is_told_so():
    facts = read_json(RESULTS / "engine-cpu.json")
    row = facts["qlora"]["trl"]
    row["times_faster"]["median"], row["share_of_peak"]["median"] = 3.0, 1.001
    told = "\n".join(engine_docs.aims(facts))
    assert "QLoRA, against TRL, no checkpointing: speed reached (3.00×), memory **not reached** (100%)" in told
    told = "\n".join(engine_docs.aims({**facts, "device": "cuda"}))
    assert "2 times TRL's items/s with QLoRA, in 50% of its peak memory" in told and "LoRA, against" in told
    assert "memory **not reached** (100%)" in told and "- LoRA" not in told


def test_an_epoch_that_is_not_linear_is_told_so():
    facts = read_json(RESULTS / "epochs.json")
    for speed, words in ((300, "17% (**not reached**) from"), (340, "3% (reached) from")):
        facts["passes"][-1]["items_per_second"] = speed
        assert words in engine_docs.epochs(facts)


def test_a_pass_over_more_items_takes_more_steps(one_thread):
    assert epochs.epoch(40)["steps"] == 3


def test_the_docs_hold_the_committed_results():
    assert engine_docs.PAGE.read_text(encoding="utf-8") == page(), "run: python -m benchmarks.engine_docs"


MEASURED = [name for name, (file, _) in SECTIONS.items() if (RESULTS / file).is_file()]


@pytest.mark.parametrize("section", [name for name in MEASURED if name != "losses"])
def test_each_table_names_machine_and_command(section):
    file, table = SECTIONS[section]
    facts = read_json(RESULTS / file)
    machines = [facts["machine"]] if "machine" in facts else [run["machine"] for run in facts["runs"]]
    assert all(machine in table(facts) for machine in machines) and f"`{facts['command']}`" in table(facts)
