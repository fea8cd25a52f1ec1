"""pricelab: measure the difference between training a model and fine-tuning one, on the price of a product.

The public names load on first use, so that ``import pricelab`` stays quick. Notebook 00 introduces them.
"""

import logging
from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "load_catalog": "catalog",
    "load_base": "bases",
    "finetune": "finetuning",
    "sweep": "sweeping",
    "Pricer": "pricer",
    "PriceEstimate": "pricer",
    "evaluate": "evaluation",
    "PricePredictor": "widgets",
    "need": "needs",
    "claim": "claims",
}
__all__ = ["__version__", *_HOME]

# On a CPU bitsandbytes asks for an optional kernel package at every import; nothing here would be faster with it.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"pricelab has no public name {name!r}; it has {', '.join(_HOME)}")
    return getattr(import_module(f"pricelab.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
