"""A model shared out among processes by FSDP learns what one process learns, and leaves the same files."""

import pytest
import several
import torch
from launching import FSDP, assert_same, one, two

from pricelab import Pricer, fsdp, processes
from pricelab.adapters import add_adapters
from pricelab.artifacts import Manifest
from pricelab.checkpoints import newest_valid
from pricelab.recipe import Recipe

NATS = 2e-5  # the last two digits, after steps that are large on purpose
RUNS = [name for name in several.RUNS if name != "timed"]
CONFIGS = {"lora": "adapter_config.json", "qlora": "adapter_config.json", "full": "config.json"}
SEVERAL = {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "ACCELERATE_USE_FSDP": "true"}


@pytest.fixture
def asked(monkeypatch):
    """The environment of the first of two processes that are to use FSDP."""
    for name, value in SEVERAL.items():
        monkeypatch.setenv(name, value)


# ---- what is refused


def test_without_fsdp_nothing_is_refused():
    assert not processes.sharded()
    fsdp.check_fsdp(Recipe(compile=True))


def test_one_process_has_nobody_to_share_with(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert not processes.sharded()
    with pytest.raises(ValueError, match="among several processes, and one was started; give --num_processes"):
        fsdp.check_fsdp(Recipe())


def test_what_was_never_tried_is_refused_in_words(asked, monkeypatch):
    assert processes.sharded()
    fsdp.check_fsdp(Recipe())
    with pytest.raises(ValueError, match="never tried with compiled layers; leave out compile"):
        fsdp.check_fsdp(Recipe(compile=True))
    monkeypatch.setattr(fsdp, "pick_precision", lambda device: (torch.float16, "for this test"))
    with pytest.raises(ValueError, match="never tried in fp16.*--multi_gpu"):
        fsdp.check_fsdp(Recipe())


# ---- weights, whole and in parts


@pytest.fixture
def alone(tmp_path):
    """A group of one process, among which a model can be shared out."""
    dist = torch.distributed
    dist.init_process_group("gloo", store=dist.FileStore(str(tmp_path / "store"), 1), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("method", ["lora", "full"])
def test_saved_weights_are_dealt_out_and_come_back_whole(alone, toy_model, tmp_path, method):
    from torch.distributed.fsdp import fully_shard

    model = add_adapters(toy_model, Recipe(rank=4)) if method == "lora" else toy_model
    learned = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    with torch.no_grad():
        for weight in learned.values():
            weight.normal_()
        expected = {name: weight.clone() for name, weight in learned.items()}
        model.save_pretrained(tmp_path / "saved")
        for weight in learned.values():
            weight.zero_()
    fully_shard(model)
    assert not any(weight.any() for weight in fsdp.trained_weights(model).values())
    fsdp.load_weights(model, tmp_path / "saved")
    torch.testing.assert_close(fsdp.trained_weights(model), expected)


def test_a_part_of_an_optimizers_state_is_put_together_again(alone, toy_model):
    from torch.distributed.fsdp import fully_shard

    like = next(fully_shard(toy_model).parameters())
    whole = torch.randn(like.shape)
    part = fsdp._part(whole, like)
    assert part.placements == like.placements
    torch.testing.assert_close(fsdp._whole(part), whole)
    assert fsdp._whole(7) == 7


def test_a_model_that_is_whole_is_asked_once(toy_model):
    assert fsdp.ask(toy_model, lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        fsdp.ask(toy_model, lambda: 1 / 0)


# ---- two processes


@pytest.fixture(scope="module")
def pair(toy_base, tmp_path_factory):
    """All runs in two processes that share out the model, and their folder."""
    folder = tmp_path_factory.mktemp("pair")
    predictors = [f"predictor-{method}" for method in CONFIGS]
    return two(toy_base, folder, "resumed", *predictors, *RUNS, way=FSDP), folder


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_model_that_is_shared_out_learns_what_it_would_in_one_process(pair, toy_base, name):
    (first, second), _ = pair
    assert first["processes"] == 2 and first[name] == second[name]
    alone = one(toy_base, name)
    if name == "diverged":
        assert "the loss became nan at step" in alone["error"] and first[name] == alone
    else:
        assert name == "watched" or first[name]["held"] == 0.5  # that run ends with an evaluation, and all of the head
        assert_same(first[name], alone, NATS)


@pytest.mark.slow
def test_an_interrupted_run_goes_on_with_the_model_shared_out_or_in_one_process(pair, toy_base):
    (first, _), folder = pair
    assert first["resumed"] == first["lora"]  # bit by bit
    newest = newest_valid(folder / "for-one").checkpoint
    assert newest.name == "checkpoint-9" and (newest / "adapter_model.safetensors").is_file()
    assert_same(one(toy_base, "lora", folder / "for-one"), first["lora"])


@pytest.mark.slow
@pytest.mark.parametrize("method", CONFIGS)
def test_the_predictor_is_the_one_that_one_process_leaves(pair, toy_base, toy_catalog, tmp_path, method):
    shared, alone = pair[1] / f"predictor-{method}", tmp_path / "alone"
    with pytest.MonkeyPatch.context() as patch:
        several.in_fp32(patch.setattr)
        several.predictor(toy_base, alone, method)
        estimates = [
            [answer.estimate for answer in Pricer.load(folder).estimate([item.text for item in toy_catalog["test"]])]
            for folder in (shared, alone)
        ]
    assert sorted(path.name for path in shared.iterdir()) == sorted(path.name for path in alone.iterdir())
    assert (shared / CONFIGS[method]).read_text() == (alone / CONFIGS[method]).read_text()
    assert estimates[0] == pytest.approx(estimates[1], rel=0.02)  # whole dollars: the median may be the next one
    found, expected = (Manifest.read(folder) for folder in (shared, alone))
    assert found.metrics["losses"] == pytest.approx(expected.metrics["losses"], abs=2e-4)
    assert found.calibration == pytest.approx(expected.calibration, rel=0.02)
