"""``need("adapter")``: what a notebook takes from an earlier one, so that each notebook runs alone.

What is needed comes from the cache, else from what ships with pricelab, else it is made now, after saying how long that
takes. Everything is for the profile in force (see `profiles`).
"""

from pathlib import Path
from typing import Any

from pricelab.files import cache_dir, data_dir
from pricelab.profiles import detect

TRAVELLER = "te-0134"  # id of the product that travels through the workbook


def workspace() -> Path:
    """The folder in the cache for this profile's runs and scores."""
    return cache_dir() / "workbook" / detect().name


def leaderboard_path() -> Path:
    """Where the workbook's scores are kept."""
    return workspace() / "leaderboard.json"


def need(what: str) -> Any:
    """Fetch or make one of:

    - ``"catalog"``: the workshop catalog, its splits cut to the profile's sizes;
    - ``"item"``: the one product that travels through all notebooks;
    - ``"base"``: the profile's untuned base, as a `Pricer`;
    - ``"small adapter"``: the finished predictor that ships with pricelab, as a `Pricer`;
    - ``"compared base"``, ``"compared adapter"``: the same two for the base that the profile compares ways with;
    - ``"adapter"``: notebook 07's predictor, as a `Pricer`;
    - ``"adapter folder"``: the folder of the finished predictor that ships, else of notebook 07's, as a path.

    Raises:
        ValueError: anything else.
    """
    makers = {
        "catalog": _catalog, "item": _item, "base": _base, "small adapter": _small_adapter, "adapter": _adapter,
        "adapter folder": _adapter_folder, "compared base": _compared_base, "compared adapter": _compared_adapter,
    }  # fmt: skip
    if what not in makers:
        raise ValueError(f"unknown need {what!r}; there are {', '.join(map(repr, makers))}")
    return makers[what]()


def _catalog() -> Any:
    from dataclasses import replace

    from pricelab.catalog import load_catalog

    profile, catalog = detect(), load_catalog("workshop")
    sizes = {"train": profile.train_items} | dict.fromkeys(("calibration", "test", "test-unseen"), profile.test_items)
    return replace(catalog, splits={name: items[: sizes.get(name)] for name, items in catalog.splits.items()})


def _item() -> Any:
    from pricelab.catalog import load_catalog

    return next(item for item in load_catalog("workshop")["test"] if item.id == TRAVELLER)


def _base() -> Any:
    from pricelab.pricer import Pricer

    return Pricer.from_base(detect().base)


def _small_adapter() -> Any:
    from pricelab.pricer import Pricer

    folder = _shipped()
    return Pricer.load(folder) if folder.is_dir() else _adapter()


def _compared_base() -> Any:
    from pricelab.pricer import Pricer

    return Pricer.from_base(detect().compared_base)


def _compared_adapter() -> Any:
    from pricelab.pricer import Pricer

    return Pricer.load(data_dir() / "adapters" / detect().compared_base)


def _shipped() -> Path:
    return data_dir() / "adapters" / detect().base


def _adapter() -> Any:
    from pricelab.artifacts import is_finished
    from pricelab.finetuning import finetune
    from pricelab.pricer import Pricer
    from pricelab.training import Recipe

    folder, profile = workspace() / "qlora", detect()
    if not is_finished(folder):
        if _shipped().is_dir():
            print("Using the small adapter that ships with pricelab; notebook 07 trains one of your own.")
            return Pricer.load(_shipped())
        print(f"Notebook 07 has not run here: fine-tuning {profile.base} on {profile.train_items} items first.")
        finetune(_catalog(), folder, recipe=Recipe(epochs=profile.epochs, batch_size=profile.batch_size))
    return Pricer.load(folder)


def _adapter_folder() -> Path:
    if not _shipped().is_dir():
        _adapter()  # makes it unless it is there
        return workspace() / "qlora"
    return _shipped()
