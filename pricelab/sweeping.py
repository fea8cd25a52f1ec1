"""`sweep`: try settings of a fine-tuning run one after another, judged on validation items alone.

Optuna proposes them (its TPE sampler, arXiv 2304.11127) and ends what falls behind (its median pruner). The default
recipe is tried first. Every trial goes at once to a journal in the sweep's folder, so that a sweep that was interrupted
goes on with the same trials. The journal is `sweep_journal`'s, what the trials say together `sweep_report`'s.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from pricelab import processes
from pricelab.catalog import Catalog, Item
from pricelab.choices import chosen_recipe, validation_items, without
from pricelab.files import write_json_atomic
from pricelab.finetuning import MAX_EPOCHS, affordable, check_prices, default_recipe
from pricelab.interruption import Interrupted
from pricelab.price_format import PriceFormat
from pricelab.pricer import Pricer
from pricelab.profiles import detect
from pricelab.recipe import METHODS, TARGET_GROUPS, Recipe
from pricelab.show import progress_stream
from pricelab.stopping import validation_losses
from pricelab.sweep_journal import RANDOM_TRIALS, RESULT, finished, load_optuna, open_study
from pricelab.sweep_report import Attempt, SweepReport
from pricelab.training import load_trainable, train

TRIALS = 20
RATES = {"qlora": (1e-4, 1e-2), "lora": (1e-4, 1e-2), "full": (1e-5, 1e-3)}  # peak learning rates, lowest and highest
RANKS = (4, 8, 16, 32)
JUDGED_ITEMS = 600  # validation items that a trial prices, at most
LOOKS = 5  # evaluations of the loss in a trial, at equal shares of it: there the pruner compares


@dataclass(frozen=True)
class _Setting:
    """What all trials of a sweep share."""

    base: str
    method: str
    default: Recipe
    items: Sequence[Item]  # to learn from
    judged: Sequence[Item]  # to price
    watched: Sequence[Item]  # some of them, whose loss is looked at during training
    seed: int
    price_format: PriceFormat


def sweep(
    catalog: Catalog, out: str | Path, *, base: str | None = None, method: str = "qlora", seed: int = 0,
    trials: int = TRIALS, minutes: float | None = None, overwrite: bool = False, progress: bool = True,
) -> SweepReport:  # fmt: skip
    """Try settings of learning rate, epochs and, with an adapter, rank and targets; the default recipe is the first.

    A sweep of the same data in ``out`` goes on where it stopped; with more ``trials`` than before it goes further.

    Args:
        catalog: training items to learn from, and validation items (`choices.validation_items`) to judge by.
            Calibration and test items are not looked at.
        out: the folder for the journal and the result.
        base: a key, a folder or a hub id; by default the profile's.
        method: ``"qlora"``, ``"lora"`` or ``"full"``.
        seed: of the proposals, the adapters' start and the order of items.
        trials: how many settings to try in all.
        minutes: start no further trial after so long.
        overwrite: replace a sweep of other data in ``out``.
        progress: print a line a trial, and bars.

    Raises:
        ValueError: Optuna isn't installed, an unknown method, prices that the prompt can't write, or a folder that
            holds something else.
        Interrupted: somebody did; the finished trials are kept.
    """
    optuna = load_optuna()
    processes.only_alone("a sweep")
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; choose one of {', '.join(METHODS)}")
    if trials < 1 or (minutes is not None and not minutes > 0):
        raise ValueError(f"a sweep takes at least 1 trial and more than 0 minutes, got {trials!r} and {minutes!r}")
    price_format = check_prices(catalog)
    setting = _setting(catalog, base, method, seed, price_format)
    noted = {
        "base": setting.base, "method": method, "seed": seed, "data": catalog.fingerprint,
        "train_items": len(setting.items), "validation_items": len(setting.judged),
        "default": setting.default.as_dict(),
        **({"price_format": noted} if (noted := price_format.noted()) else {}),
    }  # fmt: skip
    study, start = open_study(optuna, Path(out), noted, overwrite), time.monotonic()
    while (done := len(finished(study))) < trials:
        if minutes is not None and done and time.monotonic() - start >= 60 * minutes:
            break
        try:
            _run_one(optuna, study, setting, done, progress)
        except KeyboardInterrupt as error:
            raise Interrupted(f"interrupted in trial {done + 1} of {trials}; the same command goes on there") from error
        if progress:
            print(f"trial {done + 1} of {trials}: {_attempts(study)[-1].words}", file=progress_stream(), flush=True)
    report = SweepReport(
        setting.base, method, seed, setting.default.as_dict(), len(setting.items), len(catalog["train"]),
        tuple(item.price for item in setting.judged), tuple(_attempts(study)),
    )  # fmt: skip
    write_json_atomic(Path(out) / RESULT, report.to_dict())
    return report


def _setting(catalog: Catalog, base: str | None, method: str, seed: int, price_format: PriceFormat) -> _Setting:
    profile = detect()
    judged = validation_items(catalog, seed, JUDGED_ITEMS)
    items = affordable(without(catalog["train"], judged), profile.max_item_passes, seed)
    default = replace(default_recipe(profile, method, len(items)), patience=None)
    return _Setting(
        base or profile.base, method, default, items, judged, judged[: profile.calibration_items], seed, price_format
    )  # fmt: skip


def _run_one(optuna: Any, study: Any, setting: _Setting, done: int, progress: bool) -> None:
    """Ask for settings, try them, tell the outcome."""
    # A seed a trial: a sweep that was interrupted proposes what it would have proposed.
    study.sampler = optuna.samplers.TPESampler(seed=setting.seed + done, n_startup_trials=RANDOM_TRIALS)
    if not done:
        study.enqueue_trial(_as_proposed(setting), skip_if_exists=False)
    trial, start = study.ask(), time.monotonic()
    choices = propose(trial, setting.method)
    trial.set_user_attr("choices", {**choices, "default": not done})
    state, error = optuna.trial.TrialState.PRUNED, None
    try:
        estimates = _estimates(optuna, trial, setting, choices, progress)
        trial.set_user_attr("estimates", estimates)
        error = sum(abs(e - item.price) for e, item in zip(estimates, setting.judged, strict=True)) / len(estimates)
        state = optuna.trial.TrialState.COMPLETE
    except optuna.TrialPruned:
        trial.set_user_attr("ended", "stopped early: its loss was above the median")
    except FloatingPointError:
        trial.set_user_attr("ended", "its loss became infinite")
    trial.set_user_attr("seconds", round(time.monotonic() - start, 1))
    study.tell(trial, error, state)


def propose(trial: Any, method: str) -> dict[str, Any]:
    """Settings by their names in a `Recipe`, in the ranges that are used for price models of a few billion weights."""
    low, high = RATES[method]
    rate = trial.suggest_float("learning_rate", low, high, log=True)
    choices: dict[str, Any] = {"learning_rate": float(f"{rate:.2g}")}  # as the command line will be given it
    if method != "full":
        choices["rank"] = trial.suggest_categorical("rank", RANKS)
        choices["targets"] = trial.suggest_categorical("targets", list(TARGET_GROUPS))
    choices["epochs"] = trial.suggest_int("epochs", 1, MAX_EPOCHS)
    return choices


def _as_proposed(setting: _Setting) -> dict[str, Any]:
    """The default recipe in the sampler's words."""
    default = setting.default
    group = next(name for name, layers in TARGET_GROUPS.items() if layers == default.targets)
    adapter = {} if setting.method == "full" else {"rank": default.rank, "targets": group}
    return {"learning_rate": default.learning_rate, **adapter, "epochs": int(default.epochs)}


class _Looks(TrainerCallback):
    """Tells the trial the validation loss at equal shares of the training, and ends it when it falls behind."""

    def __init__(self, optuna: Any, trial: Any) -> None:
        self.optuna, self.trial = optuna, trial

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """By shares, not steps: a run of three passes and one of a single pass are then as far in their schedule."""
        share = round(LOOKS * state.global_step / state.max_steps)
        self.trial.report(validation_losses(state.log_history)[state.global_step], share)
        if share < LOOKS and self.trial.should_prune():
            raise self.optuna.TrialPruned


def _estimates(
    optuna: Any, trial: Any, setting: _Setting, choices: Mapping[str, Any], progress: bool
) -> list[float]:  # fmt: skip
    """Train with ``choices`` and price the judged items, in US dollars."""
    recipe = chosen_recipe(setting.default, choices)
    steps = -(-len(setting.items) // recipe.batch_size) * recipe.epochs
    recipe = replace(recipe, evaluate_every=max(1, -(-int(steps) // LOOKS)))
    loaded, model = load_trainable(setting.base, setting.method, recipe, setting.seed)
    watch: dict[str, Any] = {"validation": setting.watched, "callbacks": [_Looks(optuna, trial)]}
    watch["price_format"] = setting.price_format
    train(model, loaded, setting.items, recipe, None, setting.seed, progress, **watch)
    pricer = Pricer(setting.base, loaded, model.eval(), recipe.max_text_tokens, price_format=setting.price_format)
    found = pricer.estimate([item.text for item in setting.judged], progress=progress)
    if any(e.estimate != e.estimate for e in found):  # NaN: the weights have diverged
        raise FloatingPointError("the model gives no prices any more")
    return [round(e.estimate, 2) for e in found]


def _attempts(study: Any) -> list[Attempt]:
    """What was tried, in order."""
    return [_attempt(number, trial) for number, trial in enumerate(finished(study), start=1)]


def _attempt(number: int, trial: Any) -> Attempt:
    noted, choices = trial.user_attrs, dict(trial.user_attrs["choices"])
    estimates, is_default = tuple(noted.get("estimates", ())), choices.pop("default")
    error = trial.value if estimates else None  # of a pruned trial Optuna's value is its last loss
    return Attempt(number, is_default, choices, estimates, noted["seconds"], noted.get("ended", ""), error)
