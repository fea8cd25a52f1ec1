"""The model card of a finished run: what it is, what it learned from, how it did, where it ends. Used by `finetuning`.

Markdown with the front matter that model hubs read (https://huggingface.co/docs/hub/model-cards). It holds counts and
settings, never a text or a price of the catalog, and names local folders by their last part only.
"""

from pathlib import Path
from typing import Any

from pricelab.price_format import PriceFormat
from pricelab.pricer import BLEND, DIGITS
from pricelab.prompt import SUFFIX

CARD = "README.md"
METHODS = {
    "qlora": "QLoRA: a LoRA adapter, trained on the base in 4 bits (NF4)",
    "lora": "LoRA: an adapter, trained on the base in 16 bits",
    "full": "full fine-tuning: all weights",
}
READ = {
    DIGITS: "the probabilities of the price's digits",
    BLEND: "the frozen base's states blended with a ridge on words",
}


def model_card(manifest: Any) -> str:
    """The card of the run that an `artifacts.Manifest` describes."""
    base, data, adapter = _plain(manifest.base["name"]), manifest.data, manifest.method != "full"
    matter = {
        "base_model": base,
        "library_name": "peft" if adapter else "transformers",
        "pipeline_tag": "text-generation",
        "tags": "[pricelab, price-prediction" + (", lora]" if adapter else "]"),
    }
    recipe, written = manifest.recipe, PriceFormat.stored(manifest.price_format)
    ridge = f"(the ridge: from {data['ridge_items']:,}) " if "ridge_items" in data else ""
    learned = (
        f"{METHODS[manifest.method]}. Base: {base}, revision `{manifest.base['revision'][:12]}`. "
        f"{data['train_items']:,} items of the catalog “{_plain(data['name'])}” "
        f"{ridge}(fingerprint `{data['fingerprint'][:12]}`), {recipe['epochs']:g} passes, "
        f"batch {recipe['batch_size']}, learning rate {recipe['learning_rate']:g}, seed {manifest.seed}. Texts are "
        f"cut at {manifest.max_text_tokens} tokens."
    )
    return "\n".join(
        [
            "---", *(f"{name}: {value}" for name, value in matter.items()), "---", "",
            "# A price predictor", "",
            "Estimates the price of a product, in US dollars, from its description in English.", "",
            "## How it was made", "", learned, "",
            "## How to ask it", "",
            f"The prompt is the description followed by `{SUFFIX!r}`; the model writes {written}, "
            "then the end-of-text token. Any engine that serves "
            + ("PEFT adapters" if adapter else "transformers checkpoints")
            + " can ask it so. With its interval and its other read-outs:", "",
            "```python", "from pricelab import Pricer", "", 'pricer = Pricer.load("this folder")',
            'pricer.estimate("steel garlic press, dishwasher safe")', "```", "",
            "## How it did", "", *_measured(manifest), "",
            "## Where it ends", "",
            "- It has seen one catalog. Other kinds of products, other shops and other years have other prices.",
            "- The interval's promise is an average over new items like the calibration items, not one for every item.",
            "- An estimate is no appraisal: it doesn't know what isn't in the description.",
            "- Weights can give away what they were trained on. "
            + ("`blend.safetensors` holds states computed from training texts. " if BLEND in manifest.read_outs else "")
            + "Share this folder with those only who may see the catalog.", "",
        ]
    )  # fmt: skip


def _measured(manifest: Any) -> list[str]:
    calibration, errors = manifest.calibration or {}, manifest.read_outs.get("calibration_log_mae", {})
    lines = []
    if calibration:
        lines.append(
            f"Intervals hold {calibration['level']:.0%} of prices; they were calibrated on {calibration['n']:,} items "
            "that it did not learn from. `pricelab evaluate` measures errors and coverage on a file of yours."
        )
    if errors:
        lines += [
            "",
            "| read-out | mean absolute error of log price, calibration items | answers by default |",
            "|---|---|---|",
        ]
        default = manifest.read_outs["default"]
        lines += [
            f"| {READ[name]} | {error:.3f} | {'yes' if name == default else ''} |" for name, error in errors.items()
        ]
    return lines


def _plain(name: str) -> str:
    """A name without the folders of this machine, and without what Markdown would take for a command."""
    shown = Path(name).name if Path(name).is_absolute() else name
    return "".join(letter for letter in shown if letter.isprintable() and letter not in "`<>|*\\\n")
