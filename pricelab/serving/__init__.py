"""The predictor behind HTTP: loaded once, for many callers. Introduced in notebook 11; needs the extra ``serve``.

`settings` holds the limits, `starting` loads and warms up with every part timed, `batching` lets waiting texts share a
pass, `app` is the HTTP interface with its `bodies` and its `guard`, `server` runs it, `modal_app` runs it elsewhere.
Nothing of pricelab imports this package but the command line.
"""

from importlib import import_module
from typing import Any

_HOME = {"Limits": "settings", "start": "starting", "create_app": "app", "serve": "server", "running": "server"}
__all__ = ["Limits", "create_app", "running", "serve", "start"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"pricelab.serving has no public name {name!r}; it has {', '.join(_HOME)}")
    try:
        return getattr(import_module(f"pricelab.serving.{_HOME[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name not in ("fastapi", "fastapi_offline", "uvicorn", "pydantic"):
            raise
        raise ValueError(f'{error.name} is missing; install it with: pip install "pricelab[serve]"') from error
