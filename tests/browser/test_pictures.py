"""Screenshots of the forms, kept in build/screenshots and compared loosely with those in tests/browser/references.

What the comparison can see and what it can't stands in ``pictures``; that it sees a fault is tested here too.
"""

import pytest
from lab_session import ROOT
from pictures import differs
from PIL import Image
from screenshots import DESKTOP_PX, PHONE_PX, REFERENCES, SAME_FONT, answer_guide, answered, photograph

pytestmark = pytest.mark.browser
KEPT = ROOT / "build" / "screenshots"
WIDTHS = {"": DESKTOP_PX, "-phone": PHONE_PX}


def show_predictor(lab):
    answered(lab)


def show_guide(guide):
    guide.reset()
    answer_guide(guide)


def show_budget(explorer):
    explorer.choose(Model="Llama-3.1-8B", Method="QLoRA", Hardware="L4")
    explorer.enter("LoRA rank", "16")
    explorer.shows("Fits: a step takes 15.2 GB of the 24 GB of one L4.")


FORMS = {
    "price-predictor": ("lab", show_predictor),
    "decision-guide": ("guide", show_guide),
    "budget-explorer": ("explorer", show_budget),
}


@pytest.fixture(params=FORMS)
def form(request):
    """A form, filled in as its reference is, in the reference's font, and its name."""
    fixture, show = FORMS[request.param]
    form = request.getfixturevalue(fixture)
    form.resize(1280)
    show(form)
    font = form.page.add_style_tag(content=SAME_FONT)
    KEPT.mkdir(parents=True, exist_ok=True)
    yield form, request.param
    font.evaluate("element => element.remove()")
    form.resize(1280)


def test_each_form_looks_as_it_did(form):
    form, name = form
    for suffix, width in WIDTHS.items():
        picture = photograph(form, KEPT / f"{name}{suffix}.png", width)
        assert differs(picture, REFERENCES / picture.name) == "", f"look at {picture}; is the change meant?"


@pytest.mark.parametrize("fault", [".pricelab-out { visibility: hidden; }", ".pricelab * { all: revert !important; }"])
def test_a_fault_is_seen(form, fault, tmp_path):
    form, name = form
    broken = form.page.add_style_tag(content=fault)
    try:
        assert differs(photograph(form, tmp_path / "broken.png", DESKTOP_PX), REFERENCES / f"{name}.png")
    finally:
        broken.evaluate("element => element.remove()")


def test_other_fonts_are_no_fault(explorer, tmp_path):
    show_budget(explorer)
    other = explorer.page.add_style_tag(content=".pricelab * { font-family: 'DejaVu Serif', Georgia, serif; }")
    for suffix, width in WIDTHS.items():
        picture = photograph(explorer, tmp_path / "serif.png", width)
        assert differs(picture, REFERENCES / f"budget-explorer{suffix}.png") == ""
    other.evaluate("element => element.remove()")
    explorer.resize(1280)


def test_every_kind_of_difference_is_told(tmp_path):
    made = {}
    for name, size, colour in (
        ("same", (400, 300), "white"), ("wide", (420, 300), "white"), ("high", (400, 390), "white"),
        ("grey", (400, 300), "#e0e0e0"), ("spot", (400, 300), "white"),
    ):  # fmt: skip
        made[name] = tmp_path / f"{name}.png"
        picture = Image.new("RGB", size, colour)
        if name == "spot":
            picture.paste("#0072b2", (40, 40, 140, 90))
        picture.save(made[name])
    assert differs(made["same"], made["same"]) == ""
    for name, words in {"wide": "wide", "high": "high", "grey": "on average", "spot": "at most"}.items():
        assert words in differs(made[name], made["same"])
    assert "--references" in differs(made["same"], tmp_path / "none.png")
