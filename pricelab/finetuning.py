"""Fine-tuning from a catalog to a verified folder: train, calibrate the intervals, fit the baseline, save, seal.

The loop itself is in `training`, what is left at the end in `saving`, the folder's format in `artifacts`. Introduced in
notebook 07.
"""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pricelab import processes
from pricelab.artifacts import RUN, Manifest, tokenizer_sha256
from pricelab.base_files import place_of
from pricelab.baselines import TfidfRidge
from pricelab.bases import load_tokenizer
from pricelab.catalog import MIN_TO_FINETUNE, Catalog, Item
from pricelab.choices import check_choices, chosen_recipe, without
from pricelab.compiling import check_compiler
from pricelab.disk import in_words
from pricelab.examples import cut_length
from pricelab.fsdp import ask, trained_weights
from pricelab.interruption import after_training
from pricelab.intervals import LEVEL, fewest_items
from pricelab.price_format import PriceFormat
from pricelab.pricer import Pricer
from pricelab.profiles import Profile, detect
from pricelab.progress import show_losses
from pricelab.prompt import number_tokens
from pricelab.read_outs import with_read_outs
from pricelab.room import check_room
from pricelab.run_folder import CHECKPOINTS, Overwrite, Run, check_folder, finished_run, metrics_of, open_folder
from pricelab.saving import finish, round_as_saved
from pricelab.scope import learn_scope
from pricelab.stopping import check_minutes
from pricelab.trackers import Trackers
from pricelab.training import METHODS, Recipe, load_trainable, train

MAX_EPOCHS = 3  # more passes over a small catalog mostly teach it by heart
TRAINING_MINIMUM = 16  # items: one step


@processes.told_when_one_ends()
def finetune(
    catalog: Catalog, out: str | Path, *, base: str | None = None, method: str = "qlora", seed: int = 0,
    recipe: Recipe | None = None, overwrite: Overwrite = False, progress: bool = True, minutes: float | None = None,
    validation: Sequence[Item] = (), mix: Sequence[str] = (),
    choices: Mapping[str, Any] | None = None, report_to: str | Sequence[str] = (), blend: bool = False,
) -> Run:  # fmt: skip
    """Fine-tune a base model on ``catalog["train"]`` and calibrate its intervals on ``catalog["calibration"]``.

    Prices are written in whole dollars up to $999, unless those two splits need others (`PriceFormat.of`).

    A finished run of the same settings in ``out`` is taken as it is, once its files were compared with its manifest. An
    unfinished one is resumed at its newest valid checkpoint, also with ``overwrite``. An interrupt finishes the step
    and saves; in a notebook the run is then finished with what is trained so far, and goes on when it is called again
    with ``overwrite``.

    Args:
        catalog: what to learn from.
        out: the folder for the result.
        base: a key, a folder or a hub id; by default the profile's.
        method: ``"qlora"`` (adapters on a 4-bit base), ``"lora"`` (on a 16-bit base) or ``"full"`` (all weights).
        seed: of the adapters' start and of the order of items.
        recipe: settings; by default `default_recipe`.
        overwrite: replace a finished run in ``out``, once the new one is whole, or an unfinished one of other settings;
            with ``"changed"`` a finished one only if its settings are others or its files aren't as they were.
        progress: show a progress bar and the loss while training.
        minutes: train so long at most; the learning rate then reaches 0 by that time.
        validation: items whose loss is watched: training stops when it no longer falls, and the best weights are kept.
            None of them is trained on.
        mix: general texts to learn beside the items, against forgetting.
        choices: settings by name that differ from the recipe, such as ``{"rank": 16}``.
        report_to: experiment trackers such as ``"tensorboard"``; by default nothing is reported anywhere.
        blend: beside the digits, learn a read-out of what the frozen base knows, blended with the ridge on words (see
            `blend`); `Pricer.estimate` then answers with the one that erred less on the calibration items.

    Raises:
        ValueError: unknown method or setting, no time to train for, a tracker that isn't installed, too few items,
            prices that the prompt can't write, a folder that holds something else or a run that only ``overwrite``
            replaces, or more memory needed than is free.
        FloatingPointError: the loss or the gradient stopped being a finite number.
        MemoryError: memory ran out all the same, with one item at a time.
        OSError: something can't be written; the folder can be resumed.
        Interrupted: outside a notebook, after the checkpoint was saved; anywhere, when the training was done already.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; choose one of {', '.join(METHODS)}")
    if blend and method == "full":
        raise ValueError(
            "a blend reads the frozen base, and full fine-tuning leaves none; leave out blend, or use lora"
        )
    profile, folder, choices = detect(), Path(out), choices or {}
    check_choices(choices, method, recipe)
    if minutes is not None:
        check_minutes(minutes)
    trackers = Trackers((report_to,) if isinstance(report_to, str) else tuple(report_to), folder)
    base = base or profile.base
    items: Sequence[Item] = without(catalog["train"], validation)
    _check_sizes({"train": items, "calibration": catalog["calibration"]})
    whole = items  # what the ridge learns from: to it an item costs next to nothing
    if recipe is None and minutes is None and "epochs" not in choices:
        items = affordable(items, profile.max_item_passes, seed)
    recipe = chosen_recipe(recipe or default_recipe(profile, method, len(items), minutes is not None), choices)
    extras = _extras(minutes, validation, mix)
    settings = {"base": base, "method": method, "seed": seed, "data": catalog.fingerprint, **recipe.as_dict(), **extras}
    price_format = check_prices(catalog)
    if noted := price_format.noted():
        settings["price_format"] = noted
        if progress and processes.is_first():
            print(f"prices are written as {price_format}", file=sys.stderr)
    if (shared := processes.shared_out(recipe.batch_size)) and progress:
        print(shared, file=sys.stderr)
    processes.agree("settings or items", settings)
    processes.once(lambda: check_folder(folder, settings, overwrite))
    if recipe.compile:
        check_compiler()
    if len(items) < len(whole) and progress and processes.is_first():
        print(
            f"the model reads {len(items):,} of {len(whole):,} training items, drawn at random, which is what this "
            "machine affords in some minutes (the ridge all); --epochs 1 or --minutes takes all of them",
            file=sys.stderr,
        )
    tokenizer = load_tokenizer(*place_of(base))
    number_tokens(tokenizer, price_format)  # refuses a tokenizer that writes them otherwise
    recipe = replace(recipe, max_text_tokens=cut_length(tokenizer, items, recipe.max_text_tokens))
    asked = {**settings, **recipe.as_dict(), "number of items": len(items), "blend": blend}
    if found := processes.once(lambda: finished_run(folder, settings, asked, overwrite)):
        run = Run.stored(folder, found)
        if progress:
            show_losses(run.losses, title=f"{len(run.losses)} steps, {run.seconds / 60:.1f} min, trained before")
        return run
    # before the training, which would be lost where the texts share no words
    ridge = processes.once(lambda: TfidfRidge().fit([i.text for i in whole], [i.price for i in whole], seed=seed))
    room = check_room(base, method, recipe, items, tokenizer, mixed=bool(mix), price_format=price_format)
    loaded, model = load_trainable(base, method, recipe, seed)
    if progress and processes.rank() == 0:
        print(f"{loaded.precision}; {room}".removesuffix("; "), file=sys.stderr)
    processes.once(lambda: open_folder(folder, settings))
    processes.check_shared(folder / RUN)
    options: dict[str, Any] = {"minutes": minutes, "validation": validation, "mix": mix, "trackers": trackers}
    options["price_format"] = price_format
    trained = train(model, loaded, items, recipe, folder / CHECKPOINTS, seed, progress, **options)

    with after_training(early=trained.interrupted):
        if method == "full":
            round_as_saved(model, loaded.device)
        pricer = Pricer(base, loaded, model.eval(), recipe.max_text_tokens, price_format=price_format)
        held_out = catalog["calibration"][: profile.calibration_items]
        options = {"ridge": ridge, "seen": validation, "blended": blend, "seed": seed}
        options |= {"most": len(items), "progress": progress and processes.is_first()}
        read_outs = ask(model, lambda: with_read_outs(pricer, whole, held_out, **options))
        weights = trained_weights(model) if processes.sharded() else None

        def seal() -> Manifest:
            assert read_outs is not None  # in the first process, which seals
            scope = learn_scope([i.text for i in held_out], [i.price for i in held_out], read_outs.pricer.ridge)
            manifest = Manifest(
                method=method,
                base={"name": base, "revision": loaded.revision},
                quantisation=loaded.quantisation,
                tokenizer_sha256=tokenizer_sha256(loaded.tokenizer),
                max_text_tokens=recipe.max_text_tokens,
                data={"name": catalog.name, "fingerprint": catalog.fingerprint, "train_items": len(items),
                      "median_price_usd": float(np.median([item.price for item in whole])),
                      **({"ridge_items": len(whole)} if len(items) < len(whole) else {}),
                      **({"price_range": list(catalog.price_range)} if catalog.price_range else {})},
                recipe=recipe.as_dict(),
                seed=seed,
                calibration=read_outs.calibration.as_dict(),
                scope=scope.as_dict(),
                metrics=metrics_of(trained, extras),
                price_format=noted,
            )  # fmt: skip
            with in_words(
                "saving the predictor", folder, after="The training is done; the same command finishes the run"
            ):
                return finish(folder, model, weights, loaded.tokenizer, read_outs, manifest, trained.interrupted)

        sealed = processes.once(seal)  # by the first of several processes
    return Run(folder, trained.losses, trained.seconds, sealed, trained.validation, trained.stopped)


def _extras(minutes: float | None, validation: Sequence[Item], mix: Sequence[str]) -> dict[str, Any]:
    """What a run was given besides its recipe, as its settings note it: only what was given."""
    noted = {
        "minutes": minutes,
        "validation": _digest([f"{item.text} {item.price}" for item in validation]),
        "mix": _digest(mix),
    }
    return {name: value for name, value in noted.items() if value is not None}


def _digest(texts: Sequence[str]) -> dict[str, Any] | None:
    if not texts:
        return None
    return {"n": len(texts), "sha256": hashlib.sha256("\0".join(texts).encode()).hexdigest()}


def default_recipe(profile: Profile, method: str, items: int, timed: bool = False) -> Recipe:
    """What to use when nobody says: as many passes as this machine affords, and small steps when all weights move.

    ``timed``: the clock ends the run, so the passes are as many as ever make sense.
    """
    passes = MAX_EPOCHS if timed else min(MAX_EPOCHS, profile.max_item_passes // max(items, 1))
    return Recipe(
        epochs=float(max(1, passes)),
        batch_size=profile.batch_size,
        learning_rate=1e-4 if method == "full" else 1e-3,
    )


def _check_sizes(splits: Mapping[str, Sequence[Item]]) -> None:
    for split, least in (("train", TRAINING_MINIMUM), ("calibration", fewest_items(LEVEL))):
        if (n := len(splits[split])) < least:
            raise ValueError(
                f"{n} {split} items are too few, at least {least} are needed; give a larger catalog (of a file at "
                f"least {MIN_TO_FINETUNE} usable rows with different texts)"
            )


def check_prices(catalog: Catalog) -> PriceFormat:
    """The format in which the prices to learn from and to calibrate on are written; `ValueError` where none fits.

    The prompt asks for US dollars, and a price that can't be written would be learned as a wrong one.
    """
    if catalog.currency != "USD":
        raise ValueError(
            f"{catalog.name} is in {catalog.currency}, but the prompt asks for US dollars; convert its prices at a "
            "rate that you can name and load it again (baselines and evaluation take it as it is)"
        )
    splits = ("train", "calibration")
    price_format = PriceFormat.of([item.price for split in splits for item in catalog[split]])
    for split in splits:
        outside = [item for item in catalog[split] if not price_format.writable(item.price)]
        if outside:
            shown = ", ".join(f"{item.id} at ${item.price:,.2f}" for item in outside[:3])
            raise ValueError(
                f"{len(outside):,} {split} items have prices that the prompt can't write, {price_format}: {shown}; "
                "load the catalog with price_range={}, or leave them out".format(price_format.range)
            )
    return price_format


def affordable(items: Sequence[Item], most: int, seed: int) -> Sequence[Item]:
    """The items, or a random part of them when one pass over all is more than this machine's share."""
    if len(items) <= most:
        return items
    chosen = np.random.default_rng(seed).permutation(len(items))[:most]
    return [items[i] for i in sorted(chosen)]
