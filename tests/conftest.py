"""What all tests share: no network, an empty cache of their own, and an order that fails early."""

import os

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before huggingface_hub is imported: it reads the variable once


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Unit tests first, then the notebooks, then the browser; GPU tests are skipped without a GPU."""
    items.sort(key=_rank)  # stable: files keep their order
    if any(item.get_closest_marker("gpu") for item in items):
        import torch

        if not torch.cuda.is_available():
            for item in items:
                if item.get_closest_marker("gpu"):
                    item.add_marker(pytest.mark.skip(reason="no CUDA device"))


def _rank(item: pytest.Item) -> int:
    if item.get_closest_marker("browser") or "browser" in item.path.parts:
        return 2
    return 1 if item.path.name == "test_notebooks.py" else 0


@pytest.fixture(autouse=True)
def own_cache(request: pytest.FixtureRequest, tmp_path_factory, monkeypatch) -> None:
    """An empty cache for each test; tests of real weights keep the machine's, so as to download once."""
    if not request.node.get_closest_marker("weights"):
        monkeypatch.setenv("PRICELAB_CACHE", str(tmp_path_factory.mktemp("cache")))
