"""The commands that train, `finetune` and `sweep`, with the options that say how; `cli` adds them to the others.

What the options choose of a `Recipe` is passed on, the defaults themselves are `finetuning.default_recipe`'s.
"""

import sys
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import typer

from pricelab import processes
from pricelab.cli_options import (
    BaseName,
    CatalogName,
    ColumnNames,
    Currency,
    Decimal,
    JsonFlag,
    OutFolder,
    Overwrite,
    PriceRange,
    Seed,
    as_json_text,
    columns_of,
    saying_when_interrupted,
)

TRAINING, ADAPTER, WATCHING = "How long and how fast", "The adapter (methods lora and qlora)", "Watching the run"


def _option(text: str, panel: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel, show_default=False, **more)


Method = Annotated[Literal["qlora", "lora", "full"], typer.Option(help="How to adapt the base.")]
Minutes = Annotated[
    float | None, _option("Train so long at most, and keep the best point. Default: no limit but the passes.", TRAINING)
]
Epochs = Annotated[
    float | None,
    _option("Passes over the training items. Default: as many as this machine's profile affords, 1 to 3.", TRAINING),
]
Batch = Annotated[
    int | None, _option("Items per optimizer step. Default: the profile's, 4 on a laptop.", TRAINING, "--batch")
]
LearningRate = Annotated[
    float | None,
    _option("Its peak; warm-up before, cosine decay after. Default: 0.001, and 0.0001 for full.", TRAINING),
]
Compile = Annotated[
    bool, _option("Compile the layers with torch.compile; takes a C++ compiler. Default: no.", TRAINING, "--compile")
]
Rank = Annotated[int | None, _option("Rank r of the LoRA matrices. Default: 8.", ADAPTER)]
Alpha = Annotated[int | None, _option("LoRA's scale is alpha / rank. Default: twice the rank.", ADAPTER)]
Dropout = Annotated[
    float | None, _option("Share of the adapter's inputs set to 0 in training. Default: none.", ADAPTER)
]
Targets = Annotated[
    str | None,
    _option(
        "Layers that get an adapter: all-linear, attention, or names such as q_proj,v_proj. Default: all-linear.",
        ADAPTER,
    ),
]
RsLora = Annotated[bool, _option("Scale by alpha / √rank, for high ranks. Default: no.", ADAPTER, "--rslora")]
Dora = Annotated[bool, _option("Learn length and direction of the weights apart. Default: no.", ADAPTER, "--dora")]
Blend = Annotated[
    bool,
    _option(
        "Beside the adapter's digits, learn a read-out of the frozen base blended with a ridge on words; the one that "
        "errs less on held-out items answers. Default: yes, except for full.",
        TRAINING, "--blend/--no-blend",
    ),
]  # fmt: skip
EarlyStopping = Annotated[
    bool,
    _option(
        "Watch the loss on validation items (of a file: a tenth of the training texts, then not trained on), stop when "
        "it no longer falls and keep the best weights. Default: no.",
        WATCHING, "--early-stopping",
    ),
]  # fmt: skip
Patience = Annotated[
    int | None,
    _option("Stop after so many evaluations without a gain; implies --early-stopping. Default: 3.", WATCHING),
]
ReportTo = Annotated[
    list[str] | None,
    _option(
        "Report losses and settings to an experiment tracker: tensorboard, wandb, trackio, mlflow, … Repeatable. "
        "Default: nothing is sent anywhere.",
        WATCHING, metavar="TRACKER",
    ),
]  # fmt: skip


def chosen(method: str, report_to: Sequence[str] | None, **options: Any) -> dict[str, Any]:
    """The settings that were given, by their names in a `Recipe`; what was left out stays the default's.

    Raises:
        ValueError: values or trackers that can't be used, so that nothing is loaded for them.
    """
    from pricelab.choices import check_choices
    from pricelab.recipe import Recipe, target_names
    from pricelab.trackers import check_trackers

    given = {name: value for name, value in options.items() if value is not None and value is not False}
    if "targets" in given:
        given["targets"] = target_names(given["targets"])
    check_choices(given, method)
    Recipe(**given)
    if report_to:
        check_trackers(report_to)
    return given


def finetune(
    catalog: CatalogName,
    out: OutFolder,
    base: BaseName = None,
    method: Method = "qlora",
    seed: Seed = 0,
    column: ColumnNames = None,
    currency: Currency = None,
    decimal: Decimal = None,
    price_range: PriceRange = None,
    overwrite: Overwrite = False,
    as_json: JsonFlag = False,
    minutes: Minutes = None,
    epochs: Epochs = None,
    batch: Batch = None,
    learning_rate: LearningRate = None,
    compile_layers: Compile = False,
    rank: Rank = None,
    alpha: Alpha = None,
    dropout: Dropout = None,
    targets: Targets = None,
    rslora: RsLora = False,
    dora: Dora = False,
    early_stopping: EarlyStopping = False,
    patience: Patience = None,
    report_to: ReportTo = None,
    blend: Blend = True,
) -> None:
    """Fine-tune a base model on a product catalog. The same command resumes an unfinished run and takes a finished one.

    On several GPUs: accelerate launch --multi_gpu -m pricelab finetune …, and for a base larger than one of them
    accelerate launch --use_fsdp … (docs/several-gpus.md)

    Example: pricelab finetune shop.csv --out runs/shop

    Example: pricelab finetune workshop --out runs/tiny --base tiny --rank 16 --early-stopping

    Example: pricelab finetune fridges.csv --out runs/fridges --price-range 50 25000

    Example: pricelab finetune amazon-2023:Appliances --out runs/appliances
    """
    from pricelab import Pricer, load_catalog
    from pricelab import finetune as tune
    from pricelab.choices import early_stopping as watched
    from pricelab.comparison import compare
    from pricelab.profiles import detect

    choices = chosen(
        method, report_to, epochs=epochs, batch_size=batch, learning_rate=learning_rate, rank=rank, alpha=alpha,
        dropout=dropout, targets=targets, rslora=rslora, dora=dora, compile=compile_layers, patience=patience,
    )  # fmt: skip
    reading: dict[str, Any] = {"currency": currency, "decimal": decimal, "price_range": price_range}
    with processes.one_first():
        loaded = load_catalog(catalog, columns=columns_of(column), seed=seed, **reading)
    if processes.is_first():
        print(loaded.report, file=sys.stderr)
    options: dict[str, Any] = {"minutes": minutes, "report_to": report_to or (), "blend": blend and method != "full"}
    if early_stopping or patience is not None or minutes is not None:  # the clock's run ends at its best point
        options["validation"], choices = watched(loaded, detect(), choices, seed)
    with saying_when_interrupted():
        result = tune(loaded, out, base=base, method=method, seed=seed, overwrite=overwrite, choices=choices, **options)
    processes.leave()
    if not processes.is_first():
        return
    if result.stopped:
        print(result.stopped, file=sys.stderr)
    if processes.sharded():  # one process may not be able to hold what all of them shared out
        facts = {"manifest": result.manifest.as_dict(), "test": None}
        told = f"The predictor is in {out}. Where its whole base fits, pricelab evaluate prices a file with it."
        print(as_json_text(facts) if as_json else told)
        return
    comparison = compare(Pricer.load(out), loaded["test"], progress=True)
    if as_json:
        print(as_json_text({"manifest": result.manifest.as_dict(), "test": comparison.to_dict()}))
        return
    print(
        f"\nOn the {len(loaded['test']):,} test items, which it never saw:\n{comparison}\n\nThe predictor is in {out}."
    )


def sweep(
    catalog: CatalogName,
    out: OutFolder,
    base: BaseName = None,
    method: Method = "qlora",
    seed: Seed = 0,
    trials: Annotated[int, typer.Option(help="How many settings to try in all; the default is the first.")] = 20,
    minutes: Annotated[
        float | None, typer.Option(help="Start no further one after so long. Default: no limit.")
    ] = None,
    column: ColumnNames = None,
    currency: Currency = None,
    decimal: Decimal = None,
    price_range: PriceRange = None,
    overwrite: Overwrite = False,
    as_json: JsonFlag = False,
) -> None:
    """Try learning rates, epochs, ranks and targets, judged on validation items; takes Optuna. It can be interrupted.

    Example: pricelab sweep shop.csv --out sweeps/shop --trials 10

    Example: pricelab sweep workshop --out sweeps/tiny --base tiny --minutes 30
    """
    from pricelab import load_catalog
    from pricelab import sweep as try_settings
    from pricelab.sweep_journal import load_optuna

    load_optuna()  # before anything else is loaded
    reading: dict[str, Any] = {"currency": currency, "decimal": decimal, "price_range": price_range}
    loaded = load_catalog(catalog, columns=columns_of(column), seed=seed, **reading)
    print(loaded.report, file=sys.stderr)
    options: dict[str, Any] = {"trials": trials, "minutes": minutes, "overwrite": overwrite, "progress": not as_json}
    with saying_when_interrupted():
        report = try_settings(loaded, out, base=base, method=method, seed=seed, **options)
    print(as_json_text(report.to_dict()) if as_json else f"\n{report}")
