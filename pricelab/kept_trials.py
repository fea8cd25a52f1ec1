"""Trials of notebook 08 that survive a disconnect: each is kept when it ends, and taken when it is asked for again.

A trial is a matter of minutes and leaves no checkpoints, so what is kept is whole trials. Introduced in notebook 08.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pricelab import __version__
from pricelab.catalog import Item
from pricelab.files import read_json, write_json_atomic
from pricelab.profiles import detect, pick_device
from pricelab.ways import Trial, Way, attempt_apart


def attempt_once(
    way: Way, items: Sequence[Item], held_out: Mapping[str, Sequence[Item]], folder: str | Path, *,
    seed: int = 0, base: str | None = None, keep: str | Path | None = None, overwrite: bool = False,
) -> Trial:  # fmt: skip
    """`ways.attempt_apart`, or the trial of the same settings that ``folder`` holds, which a line says.

    Args:
        way: how; one of `WAYS`, or one with other learning rates.
        items: what to learn from.
        held_out: split → items to price.
        folder: where trials are kept, one file a way.
        seed: of random weights, adapters and the order of items.
        base: the trained base; by default the profile's for comparisons.
        keep: a folder for the weights; a trial whose weights are gone from there is not taken.
        overwrite: train anew also when the trial is there.
    """
    profile = detect()
    base, path = base or profile.compared_base, Path(folder) / f"{way.key}.json"
    settings = {
        "way": [way.key, way.method, way.start, way.learning_rate(len(items))], "base": base, "seed": seed,
        "batch_size": profile.batch_size, "device": pick_device(),
        "items": _hash(items), "held_out": {split: _hash(found) for split, found in held_out.items()},
        "pricelab": __version__,
    }  # fmt: skip
    if not overwrite and (kept := _kept(path, settings, keep)):
        print(f"{way.words}: trained before with the same settings, and taken; overwrite=True trains anew")
        return kept
    path.unlink(missing_ok=True)  # before its weights are replaced
    trial = attempt_apart(way, items, held_out, seed=seed, base=base, keep=keep)
    write_json_atomic(path, {"settings": settings, "trial": trial.to_dict()})
    return trial


def _hash(items: Sequence[Item]) -> str:
    return hashlib.sha256(json.dumps([[item.text, item.price] for item in items]).encode()).hexdigest()


def _kept(path: Path, settings: dict[str, Any], keep: str | Path | None) -> Trial | None:
    """The trial in ``path``, when it is whole, was made with ``settings`` and its weights are in ``keep``."""
    try:
        found = read_json(path)
        trial = Trial(**found["trial"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if keep and sum(file.stat().st_size for file in Path(keep).glob("*.safetensors")) != trial.disk_bytes:
        return None
    return trial if found["settings"] == settings else None
