"""The same service on Modal: a container that loads once, in ``@modal.enter``, and grows to many when callers come.

    modal volume create pricelab-models
    modal volume put pricelab-models runs/shop /adapter
    modal deploy -m pricelab.serving.modal_app

``docs/serving-modal.md`` walks through it. Without an account the class runs here:
``Predictor(folder=…).price.local(…)``. Introduced in notebook 11.

What is set when the module is imported, from the environment of ``modal deploy``; the image hands it on, because a
container imports the module again:

- ``PRICELAB_MODAL_GPU``: a GPU by Modal's name, such as ``T4`` or ``L4``; without it the container has a CPU.
- ``PRICELAB_MODAL_GATED=1``: the base is gated, so the secret ``huggingface`` (with ``HF_TOKEN``) is attached.
- ``PRICELAB_MODAL_TOKEN=1``: callers must send a token; the secret ``pricelab`` holds it as ``PRICELAB_TOKEN``.
"""

import os
from importlib.metadata import version
from typing import Any

import modal

from pricelab.files import data_dir
from pricelab.heap import FEW_KERNELS
from pricelab.serving.settings import TOKEN_VARIABLE, Limits

MODELS = "/models"  # where the volume is mounted: the adapter's folder and the base's cache
PACKAGES = (
    "torch", "transformers", "peft", "bitsandbytes", "accelerate", "safetensors", "tokenizers", "gguf", "numpy",
    "scipy", "scikit-learn", "pandas", "huggingface_hub", "platformdirs", "psutil", "tqdm", "fastapi",
    "fastapi-offline", "pydantic", "uvicorn",
)  # fmt: skip
SETTINGS = ("PRICELAB_MODAL_GPU", "PRICELAB_MODAL_GATED", "PRICELAB_MODAL_TOKEN")
CPU_CORES, MEMORY_MIB = 2.0, 4096
GPU = os.environ.get("PRICELAB_MODAL_GPU") or None
BATCH = 64 if GPU else 16
CALLS_AT_ONCE = 2 * BATCH  # of one container, so that a batch fills while another is at work
TIMEOUT_S = 600
# Modal itself bounds the calls; each has at most a batch of texts in the queue, which has room for all of them.
LIMITS = Limits(max_batch=BATCH, max_queue=CALLS_AT_ONCE * BATCH, answer_timeout_s=TIMEOUT_S)
IDLE_SECONDS = 300  # after which a container without calls goes, and costs nothing


def pins() -> list[str]:
    """The packages of the image, each at the version that runs here, so that both answer alike."""
    return [f"{name}=={version(name).partition('+')[0]}" for name in PACKAGES]


def environment() -> dict[str, str]:
    """What the containers find in their environment: where the volume's caches are, and what was set here."""
    given = {name: os.environ[name] for name in SETTINGS if name in os.environ}
    return {**FEW_KERNELS, "PRICELAB_CACHE": f"{MODELS}/cache", "HF_HOME": f"{MODELS}/hub", **given}


def secrets() -> list[modal.Secret]:
    """Only what is needed: the hub's token for a gated base, the service's own when callers must send one."""
    asked = {"PRICELAB_MODAL_GATED": "huggingface", "PRICELAB_MODAL_TOKEN": "pricelab"}
    return [modal.Secret.from_name(name) for variable, name in asked.items() if os.environ.get(variable) == "1"]


app = modal.App("pricelab")
volume = modal.Volume.from_name("pricelab-models", create_if_missing=True)
image = (
    modal.Image.debian_slim(python_version="3.11")
    .pip_install(*pins())
    .env(environment())
    .add_local_python_source("pricelab")  # to /root, and nothing but its .py files
    .add_local_dir(data_dir() / "tiny-base", "/root/data/tiny-base")
)


@app.cls(
    image=image,
    volumes={MODELS: volume},
    secrets=secrets(),
    gpu=GPU,
    cpu=CPU_CORES,
    memory=MEMORY_MIB,
    enable_memory_snapshot=GPU is None,  # a later container starts from the loaded predictor's memory
    min_containers=0,
    max_containers=4,
    scaledown_window=IDLE_SECONDS,
    timeout=TIMEOUT_S,
)
@modal.concurrent(max_inputs=CALLS_AT_ONCE, target_inputs=LIMITS.max_batch)
class Predictor:
    """One predictor in one container; ``folder`` is where its adapter lies."""

    folder: str = modal.parameter(default=f"{MODELS}/adapter")

    @modal.enter(snap=GPU is None)
    def load(self) -> None:
        """Verify, load and warm up, once, before the first call."""
        from pricelab.serving.app import Threadside
        from pricelab.serving.starting import start

        self.started = start(self.folder, batch=LIMITS.max_batch)
        self.service = Threadside(self.started, LIMITS)

    @modal.exit()
    def close(self) -> None:
        """Answer what was accepted."""
        self.service.close()

    @modal.method()
    def price(self, description: str) -> dict[str, Any]:
        """What a POST to ``/price`` answers."""
        return self._answers([description])[0]

    @modal.method()
    def prices(self, descriptions: list[str]) -> list[dict[str, Any]]:
        """What a POST to ``/prices`` answers, without its limit on the number of texts."""
        size = LIMITS.max_batch
        parts = [descriptions[begin : begin + size] for begin in range(0, len(descriptions), size)]
        return [answer for part in parts for answer in self._answers(part)]

    @modal.asgi_app()
    def web(self) -> Any:
        """The HTTP interface of ``pricelab serve``."""
        from pricelab.serving.app import create_app

        return create_app(lambda: self.started, limits=LIMITS, token=os.environ.get(TOKEN_VARIABLE) or None)

    def _answers(self, texts: list[str]) -> list[dict[str, Any]]:
        """Calls that arrive at the same time, each in a thread, share passes, as they do over HTTP."""
        from pricelab.serving.bodies import answer_of

        return [answer_of(estimate).model_dump() for estimate in self.service.estimate(texts)]


@app.function(image=image, volumes={MODELS: volume}, secrets=secrets(), timeout=1800)
def fetch_base(folder: str = f"{MODELS}/adapter") -> float:
    """Download the adapter's base into the volume, once, and return the seconds it took; later starts only load it."""
    import time
    from pathlib import Path

    from pricelab.artifacts import Manifest
    from pricelab.serving.starting import download

    base, begun = Manifest.read(Path(folder)).base, time.perf_counter()
    download(base["name"], base["revision"])
    volume.commit()
    return time.perf_counter() - begun
