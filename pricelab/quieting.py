"""Less noise from the libraries: their progress bars and advice held back, where pricelab says it in its own words."""

import contextlib
import logging
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back the libraries' own progress bars and advice; errors still come through."""
    from transformers.utils import logging as transformers_logging

    names = ("bitsandbytes", "transformers", "peft", "accelerate", "huggingface_hub")
    before = {name: logging.getLogger(name).level for name in names}
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
        if bars:
            transformers_logging.enable_progress_bar()
