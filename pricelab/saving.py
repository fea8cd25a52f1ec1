"""What a finished run leaves: the weights as they will be loaded, the read-outs and the card, in a sealed folder.

The folder's format is `artifacts`'. Used by `finetuning`. Introduced in notebook 07.
"""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from pricelab import processes
from pricelab.artifacts import MANIFEST, Manifest
from pricelab.card import CARD, model_card
from pricelab.disk import flush
from pricelab.files import read_json, write_json_atomic, write_text_atomic
from pricelab.profiles import pick_precision
from pricelab.read_outs import ReadOuts
from pricelab.run_folder import CHECKPOINTS, RESULT, remove_finished, remove_traces

CONFIG, ADAPTER_CONFIG = "config.json", "adapter_config.json"


def round_as_saved(model: Any, device: str) -> None:
    """Round all weights to bf16, as the saved checkpoint will, so that the intervals fit the model that gets loaded."""
    import torch

    if processes.sharded():  # FSDP keeps to the fp32 parts that it knows
        for weight in model.state_dict().values():
            weight.copy_(weight.to(torch.bfloat16))
        return
    dtype, _ = pick_precision(device)
    for weight in model.parameters():
        weight.data = weight.data.to(torch.bfloat16).to(dtype)


def finish(
    folder: Path, model: Any, weights: dict[str, Any] | None, tokenizer: Any, read_outs: ReadOuts, manifest: Manifest,
    goes_on: bool,
) -> Manifest:  # fmt: skip
    """Save weights and read-outs, seal the folder, drop the checkpoints; a run that may go on keeps them.

    A finished run that was there is removed once the new one is whole beside it: what is left then is to rename files.
    ``weights``: those that learned, where ``model`` holds only a part of them.
    """
    result = folder / CHECKPOINTS / RESULT
    shutil.rmtree(result, ignore_errors=True)
    _save_model(result, model, weights, tokenizer, manifest)
    read_outs.pricer.ridge.save(result)
    manifest = replace(manifest, read_outs=read_outs.save(result))
    write_text_atomic(result / CARD, model_card(manifest))
    names = [path.name for path in result.iterdir()]
    for name in names:
        flush(result / name)
    sealed = manifest.seal(result, names)
    remove_finished(folder)
    for name in (*names, MANIFEST):
        os.replace(result / name, folder / name)
    if not goes_on:
        remove_traces(folder)
    return sealed


def _save_model(result: Path, model: Any, weights: dict[str, Any] | None, tokenizer: Any, manifest: Manifest) -> None:
    if manifest.method == "full":
        import torch

        if weights is None:
            model.to(torch.bfloat16).save_pretrained(result)
        else:
            rounded = {name: weight.to(torch.bfloat16) for name, weight in weights.items()}
            model.save_pretrained(result, state_dict=rounded)
            write_json_atomic(result / CONFIG, {**read_json(result / CONFIG), "dtype": "bfloat16"})
        tokenizer.save_pretrained(result)
        return
    model.peft_config["default"].base_model_name_or_path = manifest.base["name"]  # not where this machine keeps it
    model.save_pretrained(result, state_dict=weights, save_embedding_layers=False)
    config = read_json(result / ADAPTER_CONFIG)
    targets = sorted(config["target_modules"])  # a set: each process would write it in an order of its own
    write_json_atomic(result / ADAPTER_CONFIG, {**config, "target_modules": targets})
