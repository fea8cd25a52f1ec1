"""What all tests share: no network, an empty cache of their own, and an order that fails early."""

import os

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before huggingface_hub is imported: it reads the variable once
if "PYTEST_XDIST_WORKER" in os.environ:  # each process has a core; threads of several would wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Unit tests first, then the browser, then the notebooks; GPU tests are skipped without a GPU."""
    items.sort(key=_rank)  # stable: files keep their order
    if any(item.get_closest_marker("gpu") for item in items):
        import torch

        if not torch.cuda.is_available():
            for item in items:
                if item.get_closest_marker("gpu"):
                    item.add_marker(pytest.mark.skip(reason="no CUDA device"))


def _rank(item: pytest.Item) -> int:
    if item.get_closest_marker("browser") or "browser" in item.path.parts:
        return 1
    return 2 if item.path.name == "test_notebooks.py" else 0


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """Where several processes share the tests, a file stays in one, and so does all that shares a browser."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            if "browser" in file.split("/"):
                return "browser"
            return nodeid if "runs_alone" in nodeid else file  # each notebook by itself

    return Together(config, log)


@pytest.fixture(autouse=True)
def own_cache(request: pytest.FixtureRequest, tmp_path_factory, monkeypatch) -> None:
    """An empty cache for each test; tests of real weights keep the machine's, so as to download once."""
    if not request.node.get_closest_marker("weights"):
        monkeypatch.setenv("PRICELAB_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def one_thread() -> None:
    """Toy models are too small for several threads to help."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def toy_catalog():
    """A few workshop items: enough to train on in seconds."""
    from pricelab.catalog import Catalog, load_catalog

    workshop = load_catalog("workshop")
    sizes = {"train": 64, "validation": 40, "calibration": 24, "test": 24}
    return Catalog("toy", {split: workshop[split][:size] for split, size in sizes.items()}, workshop.report)


@pytest.fixture(scope="session")
def toy_tokenizer(toy_catalog):
    """A tokenizer made as the tiny base's is, of 400 tokens."""
    from pricelab.pretrain import train_tokenizer

    return train_tokenizer([item.text for item in toy_catalog["train"]], vocabulary=400)


@pytest.fixture
def toy_model(toy_tokenizer, one_thread):
    """A fresh fp32 model with random weights, lively enough that texts lead to different answers."""
    import torch

    return _toy_model(torch.float32, toy_tokenizer)


@pytest.fixture(scope="session")
def toy_base(tmp_path_factory, toy_tokenizer, one_thread):
    """The same as a base folder with bf16 weights."""
    import torch

    folder = tmp_path_factory.mktemp("bases") / "toy"
    _toy_model(torch.bfloat16, toy_tokenizer).save_pretrained(folder)
    toy_tokenizer.save_pretrained(folder)
    return folder


def _toy_model(dtype, tokenizer):
    from transformers import set_seed

    from pricelab.pretrain import SHAPE, new_model

    set_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "initializer_range": 0.2}
    return new_model(tokenizer, {**SHAPE, **sizes}).to(dtype).eval()


@pytest.fixture(scope="session")
def _finetuned(tmp_path_factory, toy_base, toy_catalog):
    """Runs of the three methods on the toy base, and their estimates of the test items before they were saved."""
    from pricelab import finetuning
    from pricelab.training import METHODS, Recipe

    runs, before = {}, {}
    read_outs, texts = finetuning.with_read_outs, [item.text for item in toy_catalog["test"]]
    for method in METHODS:
        with pytest.MonkeyPatch.context() as patch:

            def noting(pricer, *rest, method=method, **options):
                before[method] = pricer.estimate(texts)
                return read_outs(pricer, *rest, **options)

            patch.setenv("PRICELAB_PROFILE", "smoke")
            patch.setattr(finetuning, "with_read_outs", noting)
            recipe = Recipe(epochs=2, batch_size=16, rank=4, learning_rate=5e-3)
            folder = tmp_path_factory.mktemp("runs") / method
            options = {"base": str(toy_base), "method": method, "recipe": recipe, "seed": 3, "progress": False}
            runs[method] = finetuning.finetune(toy_catalog, folder, **options)
    return runs, before


@pytest.fixture(scope="session")
def finetuned(_finetuned):
    """Finished runs on the toy base by method; copy a folder before changing it."""
    return _finetuned[0]


@pytest.fixture(scope="session")
def estimates_before_saving(_finetuned):
    """What the models of ``finetuned`` said about the test items before they were saved, by method."""
    return _finetuned[1]


@pytest.fixture(scope="session")
def stop_at():
    """``stop_at(k)``: a trainer's callback class that raises after k steps, as if the machine had gone off."""
    from transformers import TrainerCallback

    def make(step):
        class Stop(TrainerCallback):
            def on_step_begin(self, args, state, control, **_):
                if state.global_step == step:
                    raise InterruptedError

        return Stop

    return make
