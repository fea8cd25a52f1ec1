"""What somebody chooses for a run by name, and what it makes of the default recipe.

`finetune(choices={"rank": 16})` and the options of `pricelab finetune` come through here; the settings themselves are
`recipe`'s, what is used where nothing was chosen is `finetuning.default_recipe`'s.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from pricelab.catalog import Catalog, Item
from pricelab.items import HELD_OUT_SHARE
from pricelab.profiles import Profile
from pricelab.recipe import ADAPTER_FIELDS, Recipe

VALIDATION = "validation"  # the split whose loss is watched, where a catalog has it


def check_choices(choices: Mapping[str, Any], method: str, recipe: Recipe | None = None) -> None:
    """Refuse what is no setting, and an adapter's settings for a method without adapters."""
    known = [field.name for field in fields(Recipe)]
    if unknown := [name for name in choices if name not in known]:
        raise ValueError(f"no setting called {', '.join(unknown)}; a recipe has {', '.join(known)}")
    asked = {*choices, *(name for name in ("dropout", "rslora", "dora") if recipe and getattr(recipe, name))}
    if method == "full" and (adapters := [name for name in ADAPTER_FIELDS if name in asked]):
        raise ValueError(
            f"{', '.join(adapters)} set an adapter, and full fine-tuning has none; leave them out, or choose the "
            "method lora or qlora"
        )


def chosen_recipe(default: Recipe, choices: Mapping[str, Any]) -> Recipe:
    """``default`` with what was chosen; alpha follows a chosen rank, so that LoRA's scale alpha / rank stays."""
    if "rank" in choices and "alpha" not in choices:
        choices = {**choices, "alpha": max(1, round(default.alpha * choices["rank"] / default.rank))}
    return replace(default, **choices)


def early_stopping(
    catalog: Catalog, profile: Profile, choices: Mapping[str, Any], seed: int
) -> tuple[tuple[Item, ...], dict[str, Any]]:
    """Items whose loss is watched, and ``choices`` with how often: so that watching costs less than training.

    An evaluation looks at no more items than were trained on since the one before.
    """
    watched = validation_items(catalog, seed, profile.calibration_items)
    batch = choices.get("batch_size", profile.batch_size)
    every = max(Recipe.evaluate_every, math.ceil(len(watched) / batch))
    return watched, {"evaluate_every": every, **choices}


def validation_items(catalog: Catalog, seed: int = 0, most: int | None = None) -> tuple[Item, ...]:
    """Items to judge settings on: of the catalog's validation split, else a tenth of the texts of its training split.

    Whole texts in the order of their hash, ``most`` items at most (None: no limit). `finetune` trains on no item that
    it is given to validate on, and calibration and test items are never touched.
    """
    own = VALIDATION in catalog.splits
    items = catalog[VALIDATION if own else "train"]
    by_text: dict[str, list[Item]] = {}
    for item in items:
        by_text.setdefault(item.text, []).append(item)
    texts = sorted(by_text, key=lambda text: hashlib.sha256(f"validation {seed}\n{text}".encode()).digest())
    chosen: list[Item] = []
    for text in texts if own else texts[: max(1, round(len(texts) * HELD_OUT_SHARE))]:
        if most is None or len(chosen) + len(by_text[text]) <= most:
            chosen += by_text[text]
    return tuple(chosen)


def without(items: Sequence[Item], left_out: Sequence[Item]) -> Sequence[Item]:
    """``items`` that are not among ``left_out``."""
    gone = set(left_out)
    return [item for item in items if item not in gone] if gone else items
