"""The budget explorer without a browser: its state, its numbers as people enter them, its page, its view."""

import re
from dataclasses import replace

import ipywidgets
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import Page, leaves

from pricelab import costs
from pricelab.widgets import BudgetExplorer, BudgetState, budget_page
from pricelab.widgets.budget_state import KNOBS, OWN_SIZE, THIS_MACHINE
from pricelab.widgets.quantity import Quantity, number_if_any, parsed

HOSTILE = "<img src=x onerror='window.hit = 1'>"


@pytest.fixture
def machine(monkeypatch):
    """A machine that is measured at once; counts how often."""
    calls = []
    measured = replace(costs.HARDWARE["T4"], name="this CPU (2 threads)", measured=True, usd_per_hour=0.0)
    monkeypatch.setattr(costs, "this_machine", lambda: calls.append(1) or measured)
    return calls


# ---- state


def test_it_opens_with_a_plan_that_fits():
    state = BudgetState()
    assert state.error == "" and state.budget.fits and state.budget.devices == 1
    assert state.budget == costs.budget(state.plan)


CHANGES = [
    # begin with, then change, and the figure that must rise (+) or fall (-)
    ({}, {"model": "Qwen3-4B"}, "-flops"),
    ({"model": OWN_SIZE}, {"parameters": 2e9}, "+flops"),
    ({"model": OWN_SIZE}, {"parameters": "250 M"}, "-flops"),
    ({}, {"items": 20_000}, "+flops"),
    ({}, {"count": "tokens"}, "+flops"),
    ({"count": "tokens"}, {"tokens": "2 T"}, "+flops"),
    ({"method": "scratch"}, {"method": "qlora"}, "-memory"),
    ({"method": "full"}, {"method": "lora"}, "-artefact_bytes"),
    ({}, {"rank": 64}, "+artefact_bytes"),
    ({"method": "lora"}, {"precision": "fp32"}, "+memory"),
    ({}, {"batch": 8}, "+memory"),
    ({}, {"length": 512}, "+memory"),
    ({}, {"checkpointing": True}, "-memory"),
    ({}, {"checkpointing": True}, "+flops"),
    ({}, {"hardware": "H100 SXM"}, "-seconds"),
    ({}, {"devices": 4}, "-seconds"),
    ({}, {"usd_per_hour": 8.0}, "+usd"),
]


@pytest.mark.parametrize(("begin", "change", "effect"), CHANGES)
def test_every_knob_recomputes(begin, change, effect):
    def figure(budget):
        return budget.memory.total if effect[1:] == "memory" else getattr(budget, effect[1:])

    state = BudgetState()
    state.set(**begin)
    before, calls = figure(state.budget), []
    state.on_change = lambda: calls.append(figure(state.budget))
    state.set(**change)
    [after] = calls
    assert state.error == "" and (after > before if effect[0] == "+" else after < before)


def test_every_knob_has_been_turned():
    assert {name for _, change, _ in CHANGES for name in change} == set(KNOBS)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "GPT-9"}, "no model “GPT-9”; choose own size, "),
        ({"model": OWN_SIZE, "parameters": "many"}, "“many” is no number; write for example 8 B"),
        ({"model": OWN_SIZE, "parameters": 12}, "1e+06"),
        ({"items": ""}, "“” is no number"),
        ({"items": 0}, "tokens must be more than 0"),
        ({"count": "words"}, "counted in items or tokens, got 'words'"),
        ({"method": "magic"}, "choose one of scratch, full, lora, qlora"),
        ({"rank": 0}, "give their rank, say 16"),
        ({"rank": 1.5}, "rank must be a whole number, got 1.5"),
        ({"batch": 0}, "batch must be more than 0"),
        ({"length": "long"}, "length must be a whole number"),
        ({"devices": -1}, "devices must be 0 or more"),
        ({"precision": "bf16"}, "method 'qlora' does not go with bf16 weights"),
        ({"method": "full", "precision": "nf4"}, "only adapters beside them can learn"),
        ({"method": "full", "precision": "bf16", "hardware": "T4"}, "T4 has no bf16 arithmetic; use fp16 or fp32"),
        ({"hardware": "abacus"}, "no hardware “abacus”; choose this machine, T4"),
        ({"usd_per_hour": -1}, "price of 0 or more"),
    ],
)
def test_a_plan_that_makes_no_sense_is_explained_and_can_be_mended(change, words):
    state = BudgetState()
    sound = {name: getattr(state, name) for name in change}
    state.set(**change)
    assert state.budget is None and words in state.error and "Traceback" not in state.error
    state.set(**sound)
    assert state.error == "" and state.budget.fits


def test_what_is_no_knob_is_refused():
    state = BudgetState()
    for name in ("colour", "budget", "error"):
        with pytest.raises(ValueError, match=f"no {name}; it has model, parameters"):
            state.set(**{name: 1})


def test_only_precisions_of_the_method_are_offered_and_an_impossible_one_goes():
    state = BudgetState()
    assert state.precisions == ("", "nf4") and state.usual_precision == "nf4"
    state.set(method="lora", precision="int8")
    assert state.precisions[1:] == costs.PRECISIONS_OF["lora"] and state.budget.plan.precision == "int8"
    state.set(method="scratch")
    assert state.precision == "" and state.usual_precision == "bf16" and state.error == ""
    state.set(precision="fp32")
    state.set(method="full")
    assert state.precision == "fp32"  # which full fine-tuning can have too


def test_items_are_texts_of_the_length_given():
    state = BudgetState()
    state.set(items=1000, length=128)
    assert state.budget.plan.tokens == 128_000
    state.set(count="tokens", tokens=5e6, length=64)
    assert state.budget.plan.tokens == 5e6


def test_the_price_is_the_list_price_until_it_is_given_and_goes_with_the_device():
    state = BudgetState()
    assert state.price == costs.HARDWARE["L4"].usd_per_hour == state.budget.plan.hardware.usd_per_hour
    state.set(usd_per_hour=9.0)
    assert state.price == state.budget.plan.hardware.usd_per_hour == 9.0
    state.set(hardware="T4")
    assert state.price == costs.HARDWARE["T4"].usd_per_hour
    state.set(hardware="L4", usd_per_hour=0.0)
    assert state.budget.usd == 0.0


def test_this_machine_is_measured_once_and_only_when_asked_for(machine):
    state, seen = BudgetState(), []
    state.on_change = lambda: seen.append(state.status)
    state.set(rank=8)
    assert machine == []
    state.set(hardware=THIS_MACHINE, model="SmolLM2-135M")
    assert machine == [1] and seen == ["ready", "measuring", "ready"] and state.price == 0.0
    state.set(rank=32)
    assert machine == [1] and state.budget.plan.hardware.measured


def test_this_machine_is_one_and_is_not_multiplied(machine):
    state = BudgetState()
    state.set(hardware=THIS_MACHINE, method="full")
    assert state.budget.devices == 1 and not state.budget.fits and state.budget.devices_needed > 1


def test_a_measurement_that_fails_is_told_in_words_and_can_be_repeated(monkeypatch, machine):
    works = costs.this_machine

    def fails():
        raise RuntimeError("the driver is gone")

    monkeypatch.setattr(costs, "this_machine", fails)
    state = BudgetState()
    state.set(hardware=THIS_MACHINE, model="tiny")
    assert (state.budget, state.error, state.status) == (None, "the driver is gone", "ready")
    monkeypatch.setattr(costs, "this_machine", works)
    state.set(hardware=THIS_MACHINE)
    assert state.error == "" and machine == [1]


# ---- large numbers as people enter them


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("8 B", 8e9), ("135M", 135e6), (" 1.5 t ", 1.5e12), ("1,000,000", 1e6), ("20 000", 2e4), ("2e12", 2e12),
        ("7g", 7e9), ("10 k", 1e4), ("0", 0.0), (12, 12.0),
    ],
)  # fmt: skip
def test_a_number_is_read_as_people_write_it(text, number):
    assert parsed(text) == number == number_if_any(text)


@pytest.mark.parametrize("text", ["", "abc", "-3", "8 BB", "1.2.3", "1e999", float("nan"), None, HOSTILE, "1" * 41])
def test_what_is_no_number_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="is no number; write for example 8 B") as error:
        parsed(text)
    assert len(str(error.value)) < 130
    assert number_if_any(text) is text


@given(st.floats(1, 1e15))
def test_a_number_as_it_is_shown_is_read_back(number):
    assert parsed(costs.human_number(number)) == pytest.approx(number, rel=0.006)


@given(st.text(max_size=60))
def test_any_text_is_a_number_or_refused(text):
    try:
        assert parsed(text) >= 0
    except ValueError as refused:
        assert "is no number" in str(refused)


def test_field_and_slider_go_together():
    heard = []
    size = Quantity("Weights", 1e6, 1e12, heard.append)
    size.show(8e9)
    assert size.field.value == "8 B" and size.slider.value == pytest.approx(8e9)
    size.slider.value = 3.0123e7
    size.field.value = "2 T"
    assert heard[-2:] == [3.0e7, "2 T"]
    size.show(5e13)
    assert size.field.value == "50 T" and size.slider.value == pytest.approx(1e12)  # as far as it goes
    size.show("many")
    assert size.field.value == "many" and size.slider.value == pytest.approx(1e12)


def test_a_slider_in_somebodys_hand_is_left_there():
    size = Quantity("Weights", 1e6, 1e12, lambda value: None)
    size.slider.value = 10**9.05
    size.show(1.1e9)
    assert size.slider.value == 10**9.05


@pytest.mark.parametrize(("number", "answer"), [(3e9, 10**9.5), (8.03e9, 10**9.9), (5e13, 1e12), (2.0, 1e6)])
def test_the_answer_of_a_slider_to_being_put_somewhere_is_no_change(number, answer):
    heard = []
    size = Quantity("Weights", 1e6, 1e12, heard.append)
    size.show(number)
    heard.clear()
    size.slider.value = answer  # a browser rounds to the slider's steps and sends that back
    assert heard == []
    size.slider.value = 10**7.5
    assert heard == [3.2e7]


# ---- page


def text_of(**plan):
    state = BudgetState()
    state.set(**plan)
    return Page(budget_page.page(state.budget)).text


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({}, r"^Fits: a step takes [\d.]+ GB of the 24 GB of one L4\."),
        ({"method": "full"}, r"^Too large for one L4: .* more than 90% of 24 GB\. It takes \d+ × L4\."),
        (
            {"method": "full", "devices": 2},
            r"^Does not fit: .*, 2 × L4 can use 90% of 24 GB each; \d+ of them would do\.",
        ),
        ({"method": "full", "devices": 100}, r"^Fits: a step takes [\d.]+ GB, 100 × L4 have 24 GB each\."),
    ],
)
def test_the_verdict_is_a_sentence(plan, words):
    assert re.search(words, text_of(**plan))


def test_the_verdict_of_this_machine(machine):
    assert "GB of the 16 GB of this CPU (2 threads)." in text_of(hardware=THIS_MACHINE, model="SmolLM2-135M")
    too_large = text_of(hardware=THIS_MACHINE, method="full")
    assert "this CPU (2 threads) can use 90% of 16 GB; " in too_large and "if it fitted" in too_large


def test_all_figures_stand_on_the_page():
    budget = BudgetState().budget
    text = Page(budget_page.page(budget)).text
    for figure in (
        costs.human_flops(budget.flops).removesuffix(" FLOPs"), costs.human_seconds(budget.seconds),
        costs.human_usd(budget.usd),
        costs.human_bytes(budget.artefact_bytes), costs.human_bytes(budget.memory.total),
        costs.human_number(budget.trainable), budget_page.energy(budget.kwh),
    ):  # fmt: skip
        assert figure in text
    assert "the adapter" in text and "all weights" in text_of(method="full")


@pytest.mark.parametrize(
    ("kwh", "words"), [(0, "0 Wh"), (4.27e-2, "42.7 Wh"), (1, "1 kWh"), (2500, "2.5 MWh"), (3.1e6, "3.1 GWh")]
)
def test_energy_in_the_unit_that_it_fills(kwh, words):
    assert budget_page.energy(kwh) == words


@pytest.mark.parametrize("plan", [{}, {"method": "full", "devices": 1}, {"method": "scratch", "model": "tiny"}])
def test_the_memory_bar_is_to_scale(plan):
    state = BudgetState()
    state.set(**plan)
    budget, page = state.budget, Page(budget_page.memory(state.budget))
    scale = max(budget.memory.total, budget.devices * budget.plan.hardware.memory)
    for part, size in budget.memory.parts.items():
        assert page.widths(f"pricelab-{part}") == [pytest.approx(100 * size / scale, abs=0.01)]
        assert f"{budget_page.PARTS[part]}: {costs.human_bytes(size)} ({size / budget.memory.total:.0%})" in page.text
    assert page.widths("pricelab-device") == [
        pytest.approx(100 * budget.plan.hardware.memory * budget.devices / scale, abs=0.01)
    ]
    [label] = [attributes["aria-label"] for _, attributes in page.elements if "aria-label" in attributes]
    assert all(f"{name} " in label for name in budget_page.PARTS.values())


def test_every_part_of_the_memory_has_a_pattern_of_its_own():
    parts = BudgetState().budget.memory.parts
    assert set(budget_page.PATTERNS) == set(budget_page.PARTS) == set(parts)
    angles = [re.search(r"\((\d+deg)", fill) for fill in budget_page.PATTERNS.values()]
    forms = [angle and angle[1] for angle in angles]
    assert len(set(forms)) == len(forms)  # plain, or striped at an angle of its own


def test_the_formulas_come_with_values_and_sources():
    budget = BudgetState().budget
    text = Page(budget_page.formulas(budget)).text
    assert all(cell in text for row in budget.explain() for cell in vars(row).values())


@pytest.mark.parametrize("make", [budget_page.error, budget_page.note])
def test_hostile_text_stays_text(make):
    page = Page(make(HOSTILE))
    assert HOSTILE in page.text and {tag for tag, _ in page.elements} <= {"div", "p", "strong", "bdi"}


def test_the_page_is_well_formed_and_a_change_is_read_out():
    budget = BudgetState().budget
    for page in map(Page, (budget_page.page(budget), budget_page.formulas(budget))):
        assert page.open == []
        assert not any(name.startswith("on") or name in ("href", "src") for _, a in page.elements for name in a)
    assert 'role="status"' in budget_page.page(budget) and 'role="alert"' in budget_page.error("no")


# ---- view


def shown(explorer):
    return {name for name, knob in explorer.knobs.items() if getattr(knob, "view", knob).layout.display != "none"}


def test_the_form_shows_the_state():
    explorer = BudgetExplorer(model="Qwen3-4B", method="lora", rank=8, precision="int8", hardware="T4")
    values = {name: knob.value for name, knob in explorer.knobs.items() if not isinstance(knob, Quantity)}
    assert values["model"] == "Qwen3-4B" and values["method"] == "lora" and values["rank"] == 8
    assert values["precision"] == "int8" and values["usd_per_hour"] == costs.HARDWARE["T4"].usd_per_hour
    assert explorer.knobs["items"].field.value == "10 k"
    with pytest.raises(ValueError, match="no colour"):
        BudgetExplorer(colour="red")


TURNS = {
    "model": "tiny", "count": "tokens", "method": "full", "rank": 4, "batch": 2, "length": 64, "checkpointing": True,
    "hardware": "H200", "devices": 3, "usd_per_hour": 0.5,
}  # fmt: skip


@pytest.mark.parametrize("name", TURNS)
def test_turning_a_knob_changes_state_and_page(name):
    explorer = BudgetExplorer()
    before = explorer.result.value
    explorer.knobs[name].value = TURNS[name]
    assert getattr(explorer.state, name) == TURNS[name]
    assert explorer.result.value != before and explorer.budget is not None


def test_quantities_are_entered_or_slid():
    explorer = BudgetExplorer(model=OWN_SIZE, count="tokens")
    explorer.knobs["parameters"].field.value = "3 B"
    explorer.knobs["tokens"].slider.value = 2e9
    assert (explorer.state.parameters, explorer.state.tokens) == (3e9, 2e9)
    assert explorer.knobs["parameters"].slider.value == pytest.approx(3e9)
    assert explorer.knobs["tokens"].field.value == "2 B"


def test_from_scratch_to_qlora_the_memory_falls_on_the_page():
    explorer = BudgetExplorer(method="scratch")
    assert "optimizer state: 96.4 GB" in Page(explorer.result.value).text  # 12 bytes for each of 8.03 B weights
    explorer.knobs["method"].value = "qlora"
    assert "Fits" in Page(explorer.result.value).text


def test_knobs_that_do_not_count_are_hidden():
    always = set(KNOBS) - {"parameters", "items", "tokens", "rank"}
    assert shown(BudgetExplorer()) == always | {"items", "rank"}
    assert shown(BudgetExplorer(model=OWN_SIZE, count="tokens", method="full")) == always | {"parameters", "tokens"}


def test_the_list_of_precisions_follows_the_method_and_names_the_usual_one():
    explorer = BudgetExplorer()
    assert explorer.knobs["precision"].options == (("the usual: nf4", ""), ("nf4", "nf4"))
    explorer.knobs["method"].value = "lora"
    assert [value for _, value in explorer.knobs["precision"].options] == ["", *costs.PRECISIONS_OF["lora"]]
    explorer.knobs["precision"].value = "int8"
    explorer.knobs["method"].value = "scratch"
    assert explorer.knobs["precision"].value == explorer.state.precision == ""


def test_a_mistake_is_explained_in_place_and_stands_in_its_field():
    explorer = BudgetExplorer(model=OWN_SIZE)
    explorer.knobs["parameters"].field.value = HOSTILE
    assert 'role="alert"' in explorer.result.value and "No budget:" in explorer.result.value
    assert "<img" not in explorer.result.value and explorer.knobs["parameters"].field.value == HOSTILE
    explorer.knobs["parameters"].field.value = "1 B"
    assert "Fits" in explorer.result.value
    explorer.set(method="magic")  # which no list offers
    assert "choose one of scratch" in explorer.result.value and explorer.knobs["method"].value == "qlora"


def test_formulas_stay_unfolded_while_knobs_turn():
    explorer = BudgetExplorer()
    assert explorer.formulas.value == "" and explorer.unfold.description == "Show formulas and sources"
    explorer.unfold.value = True
    before = explorer.formulas.value
    explorer.knobs["rank"].value = 64
    assert explorer.unfold.description == "Hide formulas and sources"
    assert "<table>" in explorer.formulas.value != before
    explorer.set(batch=0)
    assert explorer.formulas.value == ""


def test_the_form_says_that_it_measures(machine, monkeypatch):
    explorer, pages = BudgetExplorer(model="tiny"), []
    works = costs.this_machine
    monkeypatch.setattr(costs, "this_machine", lambda: pages.append(explorer.result.value) or works())
    explorer.knobs["hardware"].value = THIS_MACHINE
    assert "Measuring this machine…" in pages[0] and "this CPU (2 threads)" in explorer.result.value


def test_whatever_happens_the_kernel_writes_to_all_controls_alike(monkeypatch):
    explorer, written = BudgetExplorer(), set()
    monkeypatch.setattr(ipywidgets.Widget, "send_state", lambda self, key=None: written.add(self))
    explorer.knobs["rank"].value = 8
    controls = [leaf for leaf in leaves(explorer.view) if not isinstance(leaf, ipywidgets.HTML)]
    assert set(controls) - {explorer.unfold} <= written


def test_every_control_has_a_label_but_the_sliders_whose_fields_have_one():
    for leaf in leaves(BudgetExplorer().view):
        if not isinstance(leaf, ipywidgets.HTML | ipywidgets.FloatLogSlider):
            assert leaf.description and not re.search(r"[<>&]", leaf.description)


def test_nothing_but_core_widgets_and_no_width_in_pixels():
    for leaf in leaves(BudgetExplorer().view):
        assert leaf._model_module == "@jupyter-widgets/controls" and "px" not in (leaf.layout.width or "")
    assert not re.search(r"(?<!max-)(?<!min-)(?<!-)width: ?\d+px", budget_page.STYLE)


def test_the_display_holds_the_widget_and_the_budget_in_words():
    explorer = BudgetExplorer()
    bundles = [explorer._repr_mimebundle_()]
    explorer.set(batch=0)
    bundles.append(explorer._repr_mimebundle_())
    sound, broken = (bundle["text/plain"] for bundle in bundles)
    assert bundles[0]["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.view.model_id
    assert sound.startswith("BudgetExplorer: a form") and "arXiv" not in sound.split("\n")[0]
    assert str(BudgetState().budget) in sound and "batch must be more than 0" in broken
