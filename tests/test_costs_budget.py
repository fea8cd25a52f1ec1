"""Plans and budgets: contradictions refused, arithmetic as torch counts it, and published runs met."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricelab import costs
from pricelab.costs import HARDWARE, PUBLISHED, QWEN_STEPS, SHAPES, Plan, Shape, budget, published_flops
from pricelab.costs.budget import attention_share, training_flops

TOY = Shape("toy", 64, 160, 4, 4, 2, 300, True)
BASE = SHAPES["Llama-3.1-8B"]
H100 = HARDWARE["H100 SXM"]
LORA = {"method": "lora", "rank": 16}

# ---- plans


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"method": "qlora"}, "'qlora' trains adapters: give their rank, say 16"),
        ({"method": "lora", "rank": -1}, "give their rank"),
        ({"rank": 8}, "'full' trains all weights and has no adapters: leave out rank and targets"),
        ({"method": "scratch", "targets": costs.ATTENTION}, "leave out rank and targets, or choose lora"),
        ({**LORA, "targets": ("lm_head",)}, "unknown targets"),
        ({"method": "scratch", "precision": "int8"}, "'scratch' does not go with int8 weights.*use fp32 or bf16"),
        ({"precision": "nf4"}, "'full' does not go with nf4 weights; .*cannot take small steps"),
        ({**LORA, "precision": "nf4"}, "QLoRA|use method qlora"),
        ({"method": "qlora", "rank": 16, "precision": "bf16"}, "QLoRA is LoRA beside a 4-bit base: use nf4"),
        ({**LORA, "master_copy": False}, "master_copy=False is for scratch and full"),
        ({"precision": "fp32", "master_copy": False}, "master_copy=False is for scratch and full"),
        ({"precision": "bf16", "hardware": HARDWARE["T4"]}, "T4 has no bf16 arithmetic; use fp16 or fp32"),
        ({"method": "lore"}, "unknown method 'lore'; choose one of scratch, full, lora, qlora"),
        ({"precision": "bf32"}, "unknown precision"),
        ({"attention": "flash"}, "unknown attention"),
        ({"tokens": 0}, "tokens must be more than 0"),
        ({"batch": 0}, "batch must be more than 0"),
        ({"length": float("nan")}, "length must be more than 0"),
        ({"utilisation": 1.2}, "utilisation a share from 0 to 1"),
        ({"devices": -1}, "devices must be 0 or more"),
    ],
)
def test_a_contradiction_is_refused_with_the_cure(settings, told):
    with pytest.raises(ValueError, match=told):
        Plan(**{"shape": TOY, "tokens": 1e6, **settings})


def test_what_is_left_out_becomes_what_is_usual_also_after_a_change():
    plan = Plan(BASE, 1e6)
    assert (plan.weight_format, plan.arithmetic, plan.trainable) == ("bf16", "bf16", BASE.parameters)
    qlora = replace(plan, method="qlora", rank=16, hardware=HARDWARE["T4"])
    assert (qlora.weight_format, qlora.arithmetic, qlora.adapted) == ("nf4", "fp16", costs.ALL_LINEAR)
    assert qlora.trainable == BASE.lora_parameters(16)


# ---- arithmetic


def counted(plan):
    """Operations of a training step of ``plan`` as torch counts them, products only."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import LlamaForCausalLM

    from pricelab.training import Recipe, add_adapters

    model = LlamaForCausalLM(plan.shape.config(attn_implementation="eager")).train()
    if plan.adapts:
        model = add_adapters(model, Recipe(rank=plan.rank, targets=plan.adapted))
    if plan.checkpointing:
        enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
        enable({"use_reentrant": False})
    tokens = torch.zeros(plan.batch, plan.length, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        model(input_ids=tokens, labels=tokens, use_cache=False).loss.backward()
    return counter.get_total_flops()


@pytest.mark.parametrize(
    "settings",
    [{}, {"checkpointing": True}, LORA, {**LORA, "targets": costs.ATTENTION}, {**LORA, "checkpointing": True}],
)
def test_flops_are_those_that_torch_counts(settings):
    plan = Plan(TOY, 2 * 32, precision="fp32", batch=2, length=32, **settings)
    expected = training_flops(plan) * (1 + attention_share(plan))
    assert expected == pytest.approx(counted(plan), rel=0.04)  # the lowest frozen block needs no gradient of its input


def test_a_frozen_base_saves_a_third():
    full, lora = Plan(BASE, 1e7), Plan(BASE, 1e7, **LORA)
    assert training_flops(full) == 6 * BASE.multiplied * 1e7
    assert training_flops(lora) == pytest.approx(4 / 6 * training_flops(full), rel=0.02)
    assert training_flops(replace(lora, method="qlora")) == training_flops(lora)


# ---- published runs


def test_published_models_are_found_by_name():
    assert published_flops("Llama-2-7B", "GPT-3-175B")["GPT-3-175B"] == pytest.approx(3.15e23, rel=0.01)
    with pytest.raises(ValueError, match="'Llama-9' is not among"):
        published_flops("Llama-9")


@pytest.mark.parametrize("run", [run for run in PUBLISHED if run.flops], ids=lambda run: run.name)
def test_published_operations_are_met_within_a_quarter(run):
    assert 1 / 1.25 < run.six_nd / run.flops < 1.25


@pytest.mark.parametrize("run", [run for run in PUBLISHED if run.device_hours], ids=lambda run: run.name)
def test_published_hours_are_met_within_a_factor_of_two_but_for_one(run):
    factor = run.estimated_hours / run.device_hours
    if run.name == "Llama-3.1-8B":
        assert 1 / 3 < factor < 1 / 2 and "14 %" in run.note  # told where it stands, and not hidden
    else:
        assert 1 / 2 < factor < 2


def test_enough_was_published_to_check_against():
    assert sum(run.flops is not None for run in PUBLISHED) >= 5
    assert sum(run.device_hours is not None for run in PUBLISHED) >= 8
    assert all(run.source for run in PUBLISHED) and len({run.name for run in PUBLISHED}) == len(PUBLISHED)
    with pytest.raises(ValueError, match="no hardware is noted for GPT-3"):
        _ = next(run for run in PUBLISHED if run.name.startswith("GPT-3")).estimated_hours


@pytest.mark.parametrize("name", ["SmolLM2-135M", "Llama-2-7B", "Llama-3.1-70B", "Llama-3.1-405B"])
def test_a_plan_of_a_published_run_gives_its_six_nd(name):
    run = next(run for run in PUBLISHED if run.name == name)
    plan = Plan(SHAPES[name], run.tokens, "scratch", length=4096)
    assert budget(plan).flops == pytest.approx(run.six_nd, rel=0.07)  # the embedding is looked up


@pytest.mark.parametrize("step", QWEN_STEPS, ids=lambda step: f"{step.plan.method}-{step.plan.length}")
def test_times_published_for_fine_tuning_are_near(step):
    assert 1 / 1.5 < budget(step.plan).seconds / step.seconds < 1.5


def test_energy_is_what_was_published_for_bloom():
    a100 = HARDWARE["A100 80GB"]
    bloom = next(run for run in PUBLISHED if run.name.startswith("BLOOM"))
    plan = Plan(BASE, 1e12, hardware=a100)
    once = budget(plan)
    assert once.kwh / once.gpu_hours * bloom.device_hours == pytest.approx(433_195, rel=0.01)  # arXiv 2211.02001


# ---- budgets


@given(st.sampled_from(costs.METHODS), st.floats(1e3, 1e13), st.sampled_from(list(HARDWARE)), st.booleans())
def test_time_money_and_energy_follow_from_operations(method, tokens, device, checkpointing):
    rank = 8 if method in ("lora", "qlora") else 0
    plan = Plan(BASE, tokens, method, rank, hardware=HARDWARE[device], checkpointing=checkpointing)
    once, twice = budget(plan), budget(replace(plan, tokens=2 * tokens))
    hardware = plan.hardware
    work = once.seconds * once.devices * hardware.flops_per_second(plan.arithmetic) * once.utilisation
    assert work == pytest.approx(once.flops) and twice.usd == pytest.approx(2 * once.usd)
    assert once.usd == pytest.approx(once.gpu_hours * hardware.usd_per_hour)
    assert once.kwh == pytest.approx(once.gpu_hours * hardware.watts / 1000)
    assert once.fits and once.devices * hardware.memory * 0.9 >= once.memory.total
    assert twice.memory == once.memory


def test_more_devices_cost_time_only_and_too_few_do_not_fit():
    plan = Plan(BASE, 1e9)
    fewest, many, one = budget(plan), budget(replace(plan, devices=64)), budget(replace(plan, devices=1))
    assert fewest.devices == fewest.devices_needed == 2 and fewest.fits and not one.fits
    assert many.seconds == pytest.approx(fewest.seconds / 32) and many.usd == pytest.approx(fewest.usd)


def test_what_is_kept_is_what_the_files_weigh(tmp_path):
    import torch
    from transformers import LlamaForCausalLM

    from pricelab.training import Recipe, add_adapters

    model = LlamaForCausalLM(TOY.config())
    add_adapters(model, Recipe(rank=4)).save_pretrained(tmp_path / "adapter")
    LlamaForCausalLM(TOY.config()).to(torch.bfloat16).save_pretrained(tmp_path / "full")
    for folder, plan in (("adapter", Plan(TOY, 1, "lora", rank=4)), ("full", Plan(TOY, 1))):
        (weights,) = (tmp_path / folder).glob("*.safetensors")
        assert budget(plan).artefact_bytes == pytest.approx(weights.stat().st_size, rel=0.15)  # and a header


def test_the_given_utilisation_is_taken_and_else_the_cases():
    assert budget(Plan(BASE, 1, utilisation=0.2)).utilisation == 0.2
    cpu = costs.Hardware("cpu", {"fp32": 1e11, "bf16": 1e12}, 16e9, 65, 0, "", "", True, cpu=True)
    shares = [budget(Plan(TOY, 1, precision=held, hardware=cpu)).utilisation for held in ("fp32", "bf16")]
    assert 0 < shares[1] < shares[0] < 1


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "scratch"},
        {"precision": "fp32"},
        LORA,
        {"method": "qlora", "rank": 8},
        {**LORA, "precision": "int8", "checkpointing": True},
    ],
)
def test_each_figure_is_explained(settings):
    rows = budget(Plan(BASE, 1e9, **settings)).explain()
    assert all(row.quantity and row.formula and row.value and row.source for row in rows)
    quantities = [row.quantity for row in rows]
    assert len(set(quantities)) == len(rows)
    assert {"FLOPs", "memory", "time", "money", "energy", "what is kept", "weights that learn"} <= set(quantities)
    formula = next(row.formula for row in rows if row.quantity == "FLOPs")
    assert ("(4·N + 6·A)·D" if "rank" in settings else "6·N·D") in formula


def test_a_budget_reads_well_in_terminal_and_notebook():
    shown = budget(Plan(replace(BASE, name="<b>8B</b>"), 1e9, **LORA))
    assert "FLOPs" in str(shown) and str(shown).splitlines()[1].startswith("---")
    assert "&lt;b&gt;8B" in shown._repr_html_() and "<b>8B" not in shown._repr_html_()
    assert "arXiv 2106.09685" in shown._repr_html_()


def test_the_ladder_rises_from_here_to_the_largest_model():
    cpu = costs.Hardware("cpu", {"fp32": 1e11}, 16e9, 65, 0, "", "", True, cpu=True)
    rungs = costs.ladder(cpu, seconds=60)
    flops = [rung[1] for rung in rungs]
    assert flops == sorted(flops) and rungs[0][0] == "1 minutes here, at\n45 % of full speed"
    assert rungs[0][1] == pytest.approx(1e11 * 0.45 * 60) and "405B" in rungs[-1][0]
