"""A merged checkpoint for engines that take no adapters, and what merging costs in dollars: `pricelab export`.

An adapter is best served as it is. Merged, W + (α/r)·B·A is rounded to 16 bits once more; where the base was trained on
in 4 bits, those very weights are widened first, because the original 16-bit ones are not what the adapter learned to
correct. Nothing is rounded back to 4 bits. The drift is measured, not assumed. Notebook 10 introduces it.

Notation: B items, prices in US dollars.
"""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pricelab.bases import load_base, quiet
from pricelab.disk import in_words
from pricelab.plots.style import usd
from pricelab.pricer import Pricer
from pricelab.show import progress_stream

ITEMS = 200  # on which the drift is measured


@dataclass(frozen=True)
class Drift:
    """How far the digits' estimates moved by merging, over ``n`` items, in US dollars."""

    n: int
    mean: float  # mean absolute difference
    largest: float
    moved: int  # items whose estimate changed at all

    def __str__(self) -> str:
        return (
            f"merging moved {self.moved} of {self.n} estimates, by ${self.mean:,.2f} on average and "
            f"{usd(self.largest)} at most"
        )


def export(folder: str | Path, out: str | Path, texts: Sequence[str], *, progress: bool = False) -> Drift:
    """Write the adapter of ``folder`` merged into its base, in bf16, to ``out``; the drift on ``texts`` (B).

    ``out`` appears whole or not at all.

    Raises:
        ValueError: a run of full fine-tuning, which is merged already, an existing ``out``, or no texts.
        OSError: nothing can be written there.
    """
    folder, out = Path(folder), Path(out)
    if out.exists():
        raise ValueError(f"{out} exists; choose another name")
    if not texts:
        raise ValueError("no texts to measure the drift on; give at least one")
    pricer = Pricer.load(folder).digits
    if pricer.manifest.method == "full":
        raise ValueError(f"{folder} is a whole checkpoint already: there is no adapter to merge")
    with in_words("exporting", out.parent):  # told before the minutes that pricing takes
        out.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        staged.chmod(0o755)
        before = _estimates(pricer, texts, progress)
        with quiet():
            model = _merged(folder, pricer.manifest)
        with quiet(), in_words("exporting", out.parent, needed=model.get_memory_footprint()):
            model.save_pretrained(staged)
            pricer.base.tokenizer.save_pretrained(staged)
        del model
        merged = str(staged.resolve())
        # a predictor without a name: none maps the file any more when Windows is asked to move the folder
        alike = {"price_format": pricer.price_format, "max_text_tokens": pricer.max_text_tokens}
        moved = np.abs(_estimates(Pricer.from_base(merged, **alike), texts, progress) - before)
        staged.rename(out)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return Drift(len(texts), float(np.nanmean(moved)), float(np.nanmax(moved)), int((moved > 0).sum()))


def _merged(folder: Path, manifest: Any) -> Any:
    import torch
    from peft import PeftModel

    quantised = manifest.quantisation == "nf4"
    base = load_base(manifest.base["name"], quantise=quantised, revision=manifest.base["revision"])
    model = base.model.dequantize() if quantised else base.model
    model.config.__dict__.pop("quantization_config", None)  # it would call the merged weights 4-bit ones
    return PeftModel.from_pretrained(model, str(folder)).merge_and_unload().to(torch.bfloat16)


def _estimates(pricer: Pricer, texts: Sequence[str], progress: bool) -> np.ndarray:
    if progress:
        print(f"pricing {len(texts)} items with {pricer.name}", file=progress_stream())
    return np.array([answer.estimate for answer in pricer.estimate(texts, progress=progress)])
