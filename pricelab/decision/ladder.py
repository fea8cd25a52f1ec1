"""The ladder of the decision guide as tables: which answers lead to which rung, which contradict each other, what next.

Data only. The principle: take the lowest rung that nothing in the answers rules out. ``checklist`` asks the questions,
`pricelab.decision` walks these tables. Notebook 01 introduces the guide.
"""

from collections.abc import Mapping
from typing import NamedTuple

When = Mapping[str, str]  # question id → the option ids that match, separated by spaces

RUNGS = {
    "classical": "a classical model",
    "prompt": "a prompt with examples",
    "retrieval": "retrieval",
    "fine-tune": "fine-tuning a base",
    "train": "training from scratch",
}

SOME, MANY = "hundreds thousands huge", "thousands huge"  # examples
WRITING, NO_BASE = "text both", "none own"


class Rule(NamedTuple):
    """A rung, and the answers that lead to it."""

    rung: str
    when: When


RULES = (  # the first rule that holds decides
    Rule("classical", {"task": "number", "examples": SOME, "simple": "untried good"}),
    Rule("train", {"base": NO_BASE}),
    Rule("fine-tune", {"works": "yes", "limits": "tight", "examples": SOME}),
    Rule("prompt", {"works": "yes"}),
    Rule("retrieval", {"missing": "facts both"}),
    Rule("fine-tune", {"works": "mostly", "missing": "behaviour", "examples": SOME}),
    Rule("fine-tune", {"works": "mostly", "format": "exact", "examples": SOME}),
    Rule("fine-tune", {"works": "hardly", "examples": MANY}),
    Rule("prompt", {}),
)


class Clash(NamedTuple):
    """Answers that contradict each other, or contradict the rung they lead to (where ``rung`` names one)."""

    when: When
    why: str
    settle: str  # what to do about it
    rung: str = ""


CLASHES = (
    Clash(
        {"task": "text", "simple": "good"},
        "a classical model predicts a number or a label and doesn't write text",
        "say what was measured; if a label is all you need, the task is a label",
    ),
    Clash(
        {"simple": "good", "examples": "few"},
        "so few examples can't show that a model is good enough",
        "collect a few hundred and measure again, with an interval",
    ),
    Clash(
        {"base": "none", "works": "yes mostly"},
        "the two can't both be true",
        "name the base that was asked, and read its licence and its list of languages once more",
    ),
    Clash(
        {"works": "yes", "missing": "facts behaviour both"},
        "a base that is right as often as needed lacks nothing that you need",
        "count fifty of its answers; if too many are wrong, it mostly works",
    ),
    Clash(
        {"works": "hardly", "missing": "nothing"},
        "wrong answers lack something",
        "read fifty of them and sort them by what is missing",
    ),
    Clash(
        {"works": "mostly", "missing": "nothing", "format": "loose"},
        "if neither facts nor behaviour nor form are missing, nothing is left to be wrong",
        "read fifty wrong answers and sort them by what is missing",
    ),
    Clash(
        {"works": "hardly", "examples": "few hundreds"},
        "teaching a task takes thousands of examples, so no rung of the ladder carries this yet",
        "ask a more capable base first, or collect more examples",
        "prompt",
    ),
    Clash(
        {"limits": "tight"},
        "retrieval puts passages into every prompt, so each answer gets slower and dearer",
        "fetch few, short passages and measure, or relax the limit",
        "retrieval",
    ),
    Clash(
        {"base": NO_BASE, "task": WRITING, "compute": "laptop gpu"},
        "from random weights to a model that writes well takes many GPUs and months; one GPU gets as far as a small "
        "model for a narrow use, and a laptop not even there",
        "find the compute, settle for a narrow use, or give up what rules out every base",
        "train",
    ),
    Clash(
        {"base": NO_BASE, "task": WRITING, "raw_text": "little"},
        "language itself has to be learned from that text; at about twenty tokens a weight (Hoffmann et al., 2022) a "
        "billion tokens are enough for fifty million weights, and so small a model has no broad ability",
        "find more text, or give up what rules out every base",
        "train",
    ),
    Clash(
        {"base": NO_BASE, "task": "number", "examples": "few hundreds"},
        "random weights know nothing, so everything has to come from your examples, and these are too few",
        "collect thousands, fit a classical model, or give up what rules out every base",
        "train",
    ),
)


class Method(NamedTuple):
    """How to go about a rung; of several, the first whose answers fit."""

    rung: str
    when: When
    how: str


METHODS = (
    Method(
        "classical",
        {},
        "Words and letter groups into a ridge, its strength tuned by cross-validation; or boosted trees.",
    ),
    Method(
        "prompt",
        {"limits": "private"},
        "A base with open weights on your own machines, and a few well-chosen examples in the prompt.",
    ),
    Method("prompt", {}, "The most capable base you may use, and a few well-chosen examples in the prompt."),
    Method("retrieval", {}, "Search your documents or past cases for what fits, and put it into the prompt."),
    Method(
        "fine-tune",
        {"compute": "laptop"},
        "LoRA on a small 16-bit base. QLoRA saves nothing worth having at that size.",
    ),
    Method(
        "fine-tune",
        {"compute": "gpu"},
        "QLoRA: with the base in 4 bits, a larger one fits beside its adapter. LoRA, if it fits in 16 bits anyway.",
    ),
    Method(
        "fine-tune",
        {"compute": "cluster", "examples": "huge"},
        "LoRA first, as the number to beat; then full fine-tuning, which so many examples and GPUs allow.",
    ),
    Method(
        "fine-tune",
        {"compute": "cluster"},
        "LoRA on a 16-bit base: memory is no reason for 4 bits here, nor the examples for moving every weight.",
    ),
    Method(
        "fine-tune",
        {},
        "LoRA if the base fits in 16 bits with room to spare, QLoRA if it fits in 4; your compute decides.",
    ),
    Method(
        "train",
        {"task": "number"},
        "A small task model from random weights: no foundation model, and no cluster needed.",
    ),
    Method(
        "train",
        {},
        "A language model from random weights, with its own tokenizer: 6 FLOPs for each weight and token.",
    ),
)

NEXT = {
    "classical": "Notebook 03 measures it: which numbers must a model beat?",
    "prompt": "Notebook 00 asks an untuned base and counts the answers that keep the format. Do the same with yours.",
    "retrieval": "No notebook here measures retrieval: score it on your own held-out items, beside the plain prompt.",
    "fine-tune": "Notebook 07 measures it, after 05 (LoRA) and 06 (QLoRA) have taken it apart; 08 says what it cost.",
    "train": "Notebook 04 measures it, and how far away a foundation model lies.",
}
