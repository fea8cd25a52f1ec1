"""Memory formulas against the peak of real training steps on this machine, and against published peaks of a GPU."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricelab.costs import ATTENTION, HARDWARE, QWEN_STEPS, SHAPES, Plan, Shape, budget, measured_peak
from pricelab.costs.measured import _watch
from pricelab.costs.memory import NF4_BITS, sharded, step_memory, weight_bytes

TOLERANCE = 0.08  # what is promised is 0.15
SMALL = Shape("small", 96, 256, 6, 6, 2, 300, True)
WIDE = Shape("wide vocabulary", 64, 160, 2, 2, 2, 8000, False)
NORMED = Shape("norms on queries and keys", 64, 160, 3, 4, 2, 500, True, 24, True)
LORA, QLORA = {"method": "lora", "rank": 8}, {"method": "qlora", "rank": 8}
METHODS = {
    "full in fp32": {"method": "full", "precision": "fp32"},
    "full in bf16": {"method": "full", "precision": "bf16"},
    "full in bf16, no copy": {"method": "full", "precision": "bf16", "master_copy": False},
    "full, eager": {"method": "full", "precision": "fp32", "attention": "eager"},
    "full, checkpointing": {"method": "full", "precision": "fp32", "checkpointing": True},
    "LoRA in fp32": {**LORA, "precision": "fp32"},
    "LoRA in bf16": {**LORA, "precision": "bf16"},
    "LoRA on attention": {**LORA, "precision": "bf16", "targets": ATTENTION, "attention": "eager"},
    "LoRA, checkpointing": {**LORA, "precision": "fp32", "checkpointing": True},
    "QLoRA": QLORA,
    "QLoRA, checkpointing": {**QLORA, "checkpointing": True},
}
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("shape", "batch", "length"), [(SMALL, 2, 32), (WIDE, 2, 48), (NORMED, 1, 40)],
                         ids=["small", "wide", "normed"])  # fmt: skip
def test_the_formula_agrees_with_the_measured_peak(method, shape, batch, length):
    plan = Plan(shape, 1, batch=batch, length=length, **METHODS[method])
    assert budget(plan).memory.total == pytest.approx(measured_peak(plan), rel=TOLERANCE)


@pytest.mark.parametrize("method", ["full in fp32", "LoRA in fp32"])
def test_longer_texts_and_larger_batches_agree_too(method):
    plan = Plan(SHAPES["tiny"], 1, batch=3, length=100, **METHODS[method])
    assert budget(plan).memory.total == pytest.approx(measured_peak(plan), rel=TOLERANCE)


def test_gradients_freed_before_the_step_are_not_in_the_peak():
    plan = Plan(SMALL, 1, precision="fp32", batch=2, length=64)
    memory = budget(plan).memory
    freed = measured_peak(plan, keep_gradients=False)
    assert freed == pytest.approx(memory.total - memory.gradients, rel=TOLERANCE)


def test_int8_is_not_measured():
    with pytest.raises(ValueError, match="int8 weights are not measured on a CPU; choose precision"):
        measured_peak(Plan(SMALL, 1, "lora", rank=8, precision="int8"))


def test_the_watch_follows_what_comes_and_goes():
    import torch

    held = torch.zeros(1000)
    with _watch([held, held.view(10, 100)]) as watch:
        assert watch.now == 4000
        more = held + 1
        view = more[:10]
        del more
        assert watch.now == 8000  # the view keeps it
        del view
        assert (watch.now, watch.peak) == (4000, 8000)
        del held
        assert watch.now == 0


def test_the_watch_agrees_with_torchs_profiler():
    import torch

    def work():
        weight = torch.ones(64, 64, requires_grad=True)
        return (weight @ weight).relu().log_softmax(-1).square().sum().backward()

    with _watch([]) as watch:
        work()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    now = peak = 0
    for event in sorted(profiler.profiler.kineto_results.events(), key=lambda event: event.start_ns()):
        now += event.nbytes() if event.name() == "[memory]" else 0
        peak = max(peak, now)
    assert watch.peak == pytest.approx(peak, rel=0.05)


def test_fewer_labels_and_freed_gradients_leave_the_usual_plan_as_it_was():
    plan = Plan(SMALL, 1, precision="fp32", batch=2, length=64)
    same = replace(plan, labels=64)
    assert budget(same).memory == budget(plan).memory
    few = budget(replace(plan, labels=4)).memory
    assert few.logits < budget(plan).memory.logits
    freed = budget(replace(plan, accumulated=False)).memory
    assert freed.total < budget(plan).memory.total


@pytest.mark.parametrize(
    ("nonsense", "said"),
    [
        ({"labels": -1}, "labels must be from 0"),
        ({"labels": 600}, "labels must be from 0"),
        ({"autocast": True, "precision": "bf16"}, "autocast=True is for scratch and full with fp32 weights"),
        ({"autocast": True, **LORA}, "autocast=True is for"),
    ],
)
def test_contradictions_about_labels_and_products_are_refused(nonsense, said):
    with pytest.raises(ValueError, match=said):
        Plan(SMALL, 1, **nonsense)


# ---- other people's measurements


@pytest.mark.parametrize("step", QWEN_STEPS, ids=lambda step: f"{step.plan.method}-{step.plan.length}")
def test_peaks_published_for_a_gpu_are_near(step):
    assert budget(step.plan).memory.total / 1e9 == pytest.approx(step.gigabytes, rel=0.15)


def test_nf4_needs_the_published_bits():
    assert pytest.approx(4.127, abs=5e-4) == NF4_BITS  # QLoRA, arXiv 2305.14314: 0.127 bits above 4
    shape = SHAPES["Llama-3.1-8B"]
    rest = 2 * (shape.parameters - shape.linear)
    assert weight_bytes(shape, "nf4") == rest + shape.linear * NF4_BITS / 8
    assert shape.linear < weight_bytes(shape, "int8") - rest < 1.002 * shape.linear


def test_states_are_those_of_zero():
    memory = budget(Plan(SHAPES["Llama-3.1-8B"], 1)).memory  # arXiv 1910.02054: 16 bytes a parameter
    assert memory.weights + memory.gradients + memory.optimizer == 16 * SHAPES["Llama-3.1-8B"].parameters


# ---- how the parts behave


@given(
    st.sampled_from([SHAPES["SmolLM2-135M"], SHAPES["Llama-3.1-8B"], NORMED]),
    st.integers(1, 64),
    st.integers(1, 8192),
    st.sampled_from(["sdpa", "eager"]),
)
def test_less_learning_and_fewer_bits_never_need_more(shape, batch, length, attention):
    sizes = {"batch": batch, "length": length, "attention": attention, "precision": "bf16"}
    full, lora = Plan(shape, 1, **sizes), Plan(shape, 1, "lora", rank=8, **sizes)
    qlora = replace(lora, method="qlora", precision="nf4")
    parts = [budget(plan).memory for plan in (full, lora, qlora)]
    assert parts[0].gradients > parts[1].gradients == parts[2].gradients
    assert parts[0].optimizer > parts[1].optimizer == parts[2].optimizer
    assert parts[1].weights > parts[2].weights
    for plan, memory in zip((full, lora, qlora), parts, strict=True):
        assert memory.total == pytest.approx(sum(memory.parts.values()))
        assert all(size >= 0 for size in memory.parts.values())
        checkpointed = budget(replace(plan, checkpointing=True)).memory
        assert checkpointed.total <= memory.total
        more = budget(replace(plan, batch=batch + 1)).memory
        assert more.activations >= memory.activations and more.total >= memory.total


def test_eager_attention_grows_with_the_square_of_the_length():
    def activations(length, attention):
        plan = Plan(SHAPES["SmolLM2-135M"], 1, length=length, attention=attention, hardware=HARDWARE["T4"])
        return budget(plan).memory.activations

    assert activations(2000, "sdpa") == pytest.approx(2 * activations(1000, "sdpa"))
    assert activations(2000, "eager") > 2.5 * activations(1000, "eager")


@pytest.mark.parametrize("method", [{"method": "full", "precision": "fp32"}, {**LORA, "precision": "bf16"}], ids=str)
def test_what_is_shared_out_shrinks_to_the_ends_and_two_blocks(method):
    shape = SHAPES["Llama-3.1-8B"]
    plan = Plan(shape, 1, batch=8, length=128, **method)
    alone = step_memory(plan)
    parts = [sharded(alone, plan, devices) for devices in (1, 2, 8, 10**9)]
    totals = [memory.total for memory in parts]
    assert totals == sorted(totals, reverse=True)
    least = parts[-1]
    assert (least.activations, least.logits) == (alone.activations, alone.logits)
    assert least.optimizer == pytest.approx(0, abs=1e3)
    width, ends = (4 if plan.method == "full" else 2), 2 * shape.embedding  # no tied head
    adapters = 0 if plan.method == "full" else 4 * plan.trainable
    blocks = 2 * (width * (shape.parameters - ends) + adapters) / shape.layers
    assert least.weights == pytest.approx(width * ends + blocks, abs=1e3)


def test_four_bit_weights_fit_whole_on_a_gpu_before_they_are_shared_out():
    plan = Plan(SHAPES["Llama-3.1-70B"], 1, batch=1, length=128, **QLORA)
    alone = step_memory(plan)
    assert alone.weights <= sharded(alone, plan, 8).total < alone.total
