"""What `test_processes` and `test_fsdp` start in several processes, and in one: short runs in fp32 on the toy base."""

import json
import shutil
import sys
from pathlib import Path
from unittest import mock

import torch
from transformers import TrainerCallback

RUNS = {  # what is peculiar to a run; 60 items in batches of 8 leave 4 for the last step of an epoch
    "lora": {},
    "full": {"method": "full"},
    "qlora": {"method": "qlora"},
    "mixed": {"mix": True},
    "watched": {"validation": 40, "recipe": {"epochs": 30, "learning_rate": 0.02, "evaluate_every": 2, "patience": 2}},
    "timed": {"minutes": 0.02, "recipe": {"epochs": 200}},
    "diverged": {"recipe": {"learning_rate": 1e30, "warmup": 0}},
}


def in_fp32(replace=setattr):
    """Without this a CPU may compute in bf16, where the size of a batch's parts shows in the last digits."""
    from pricelab import bases, price_trainer, profiles, saving

    for module in (profiles, bases, price_trainer, saving):
        replace(module, "pick_precision", lambda device: (torch.float32, "for this test"))


def run(base_folder, name, checkpoints=None):
    """Train as ``RUNS[name]`` says; what came out, as JSON can hold it, with the sum of each trained matrix."""
    from pricelab.catalog import load_catalog
    from pricelab.recipe import Recipe
    from pricelab.training import load_trainable, train

    settings = RUNS[name]
    recipe = {"epochs": 2, "batch_size": 8, "rank": 4, "save_every": 3, "max_text_tokens": 40}
    recipe = Recipe(**{**recipe, **settings.get("recipe", {})})
    workshop = load_catalog("workshop")
    options = {
        "minutes": settings.get("minutes"),
        "validation": workshop["validation"][: settings.get("validation", 0)],
    }
    options["mix"] = [item.text for item in workshop["test"][:9]] if settings.get("mix") else ()
    base, model = load_trainable(str(base_folder), settings.get("method", "lora"), recipe, seed=1)
    items = workshop["train"][:60]
    norms = Norms()
    try:
        trained = train(model, base, items, recipe, checkpoints, seed=1, progress=False, callbacks=[norms], **options)
    except FloatingPointError as error:
        return {"error": str(error)}
    validation = list(trained.validation.values())
    learned = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    whole = {name: getattr(weight, "full_tensor", lambda w=weight: w)() for name, weight in learned.items()}
    weights = {name: weight.double().sum().item() for name, weight in whole.items()}
    kept = {"losses": trained.losses, "validation": validation, "stopped": trained.stopped, "best": trained.best_step}
    held = sum(getattr(weight, "to_local", lambda w=weight: w)().numel() for weight in model.parameters())
    share = held / sum(weight.numel() for weight in model.parameters())
    return {**kept, "gradients": norms.found, "weights": weights, "held": round(share, 1)}


class Norms(TrainerCallback):
    """Notes the norm of each step's gradient, which Adam would hide if it were a multiple of the right one."""

    def __init__(self):
        self.found = []

    def on_log(self, args, state, control, **_):
        self.found = [entry["grad_norm"] for entry in state.log_history if "grad_norm" in entry]


def predictor(base_folder, out, method):
    """Fine-tune by ``method`` into ``out``, the whole way."""
    from pricelab.catalog import Catalog, load_catalog
    from pricelab.finetuning import finetune
    from pricelab.recipe import Recipe

    workshop = load_catalog("workshop")
    few = {"train": workshop["train"][:64], "calibration": workshop["calibration"][:24]}
    catalog, recipe = Catalog("few", few, workshop.report), Recipe(epochs=1, batch_size=8, rank=4, save_every=100)
    finetune(catalog, out, base=str(base_folder), method=method, recipe=recipe, progress=False, blend=method == "lora")


def interrupted(base_folder, name, checkpoints, at):
    """Start ``RUNS[name]`` and have it end in all processes after ``at`` steps."""
    from pricelab.price_trainer import PriceTrainer

    step = PriceTrainer.training_step

    def stopping(trainer, *rest):
        if trainer.state.global_step == at:
            raise InterruptedError
        return step(trainer, *rest)

    with mock.patch.object(PriceTrainer, "training_step", stopping):
        try:
            run(base_folder, name, checkpoints)
        except InterruptedError:
            return
    raise AssertionError(f"{name} was to end at step {at}")


def main(base_folder, out, *names):
    """Run all that is named, and leave what came out in ``out``, a file for each process."""
    from pricelab import processes

    in_fp32()
    processes.join()
    results, kept = {}, Path(out) / "checkpoints"
    for name in names:
        if name == "resumed":  # in the second pass over the items
            interrupted(base_folder, "lora", kept, at=11)
            processes.once(lambda: shutil.copytree(kept, Path(out) / "for-one"))
            results[name] = run(base_folder, "lora", kept)
        elif name.startswith("predictor-"):
            predictor(base_folder, Path(out) / name, name.removeprefix("predictor-"))
        else:
            results[name] = run(base_folder, name)
    results["processes"] = torch.distributed.get_world_size()
    (Path(out) / f"{processes.rank()}.json").write_text(json.dumps(results))
    processes.leave()


if __name__ == "__main__":
    main(*sys.argv[1:])
