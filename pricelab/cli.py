"""The command line: each command reads its arguments, calls the library and prints.

Exit codes: 0 all went well, 1 something failed, 2 the command was given something it cannot use, 130 Ctrl-C.
Heavy imports stand inside the commands, so that ``--help`` is quick. Notebook 12 introduces it.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from pricelab import cli_serving, processes
from pricelab import cli_training as training

app = typer.Typer(
    help="Measure the difference between training a language model and fine-tuning one, on product prices.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
Seed = Annotated[int, typer.Option(help="Same seed, same result.")]
OutFolder = Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to write.")]
Run = Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `pricelab finetune` wrote.")]
CatalogName = Annotated[
    str,
    typer.Argument(
        metavar="FILE|workshop|amazon-2023:CATEGORY",
        help="A CSV, TSV, JSON-lines or Parquet file with prices, or a catalog by its name.",
    ),
]
BaseName = Annotated[
    str | None, typer.Option(metavar="KEY|FOLDER|HUB_ID", help="The base model. Default: what fits this machine.")
]
ColumnNames = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="ROLE=NAME", help="Name a column: --column description=body. Repeatable."),
]

Currency = Annotated[
    str | None, typer.Option(metavar="CODE", help="Keep the prices in this currency, of a file that mixes several.")
]
Decimal = Annotated[str | None, typer.Option(metavar=".|,", help="What stands before the decimals of prices.")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line on ``arguments`` (default: the process's own) and leave with its exit code."""
    try:
        app(arguments)
    except (ConnectionError, FloatingPointError, MemoryError, processes.ProcessEnded) as error:
        # Nobody's mistake: no network, a loss that diverged, no memory left, another process that was killed.
        sys.exit(_told(error, 1))
    except (ValueError, OSError) as error:
        sys.exit(_told(error, 2))
    except KeyboardInterrupt:
        sys.exit(130)


def _told(error: Exception, code: int) -> int:
    who = "" if processes.is_first() else f"[process {processes.rank() + 1} of {processes.count()}] "
    print(f"{who}error: {error}", file=sys.stderr)
    return code


@contextlib.contextmanager
def _saying_when_interrupted() -> Iterator[None]:
    """Print what an interrupt says; typer would swallow it."""
    try:
        yield
    except KeyboardInterrupt as error:
        print(str(error) or "interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        raise typer.Exit(130) from error


def _version(wanted: bool) -> None:
    if wanted:
        from pricelab import __version__

        print(f"pricelab {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    pass


@app.command()
def doctor(as_json: JsonFlag = False) -> None:
    """Say whether this machine will do: Python, torch, device, memory, disk, packages, model hub, profile.

    Leaves with 1 when it found a problem; every problem comes with its cure.
    """
    from pricelab.doctor import examine

    report = examine()
    print(_json(report.as_dict()) if as_json else report)
    raise typer.Exit(1 if report.problems else 0)


@app.command()
def run(
    notebooks: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NOTEBOOK]...", help="Paths, or beginnings of names such as 07. Default: all."),
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Default: what fits this machine.")] = None,
    out: OutFolder = Path("executed"),
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Write the cleaned result over the notebook itself.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Execute the workbook, or some of its notebooks, and show the leaderboard.

    Example: pricelab run

    Example: pricelab run 00 07 --profile smoke --out results
    """
    from pricelab import profiles
    from pricelab.evaluation import Leaderboard
    from pricelab.needs import leaderboard_path
    from pricelab.notebooks import find_notebooks, report
    from pricelab.notebooks import run as run_notebooks

    chosen = profiles.choose(profile, "named on the command line") if profile else profiles.detect()
    os.environ[profiles.VARIABLE] = chosen.name  # for the notebooks and for the leaderboard
    print(f"profile {chosen.name}: {chosen.reason}", file=sys.stderr if as_json else sys.stdout)
    outcomes = run_notebooks(find_notebooks(notebooks or ()), out, chosen.name, in_place=in_place, quiet=as_json)
    if as_json:
        found = [{**asdict(outcome), "notebook": outcome.notebook.name} for outcome in outcomes]
        print(_json({"notebooks": found, "leaderboard": Leaderboard(leaderboard_path()).rows()}))
    else:
        print(report(outcomes))
    raise typer.Exit(1 if any(outcome.error for outcome in outcomes) else 0)


@app.command()
def catalog(
    out: OutFolder,
    seed: Annotated[int | None, typer.Option(help="Default: the one of the catalog that ships.")] = None,
) -> None:
    """Generate the workshop catalog, one CSV file per split.

    Example: pricelab catalog --out data/catalog
    """
    from pricelab.workshop import generate

    for path in generate(out) if seed is None else generate(out, seed):
        print(path)


@app.command()
def pretrain(out: OutFolder, seed: Seed = 0) -> None:
    """Train the base model `tiny` from scratch.

    Example: pricelab pretrain --out data/tiny-base
    """
    from pricelab.pretrain import pretrain as train

    for fact, value in train(out, seed).items():
        print(f"{fact}: {value}")


@app.command()
def finetune(
    catalog: CatalogName,
    out: OutFolder,
    base: BaseName = None,
    method: training.Method = "qlora",
    seed: Seed = 0,
    column: ColumnNames = None,
    currency: Currency = None,
    decimal: Decimal = None,
    overwrite: Overwrite = False,
    as_json: JsonFlag = False,
    minutes: training.Minutes = None,
    epochs: training.Epochs = None,
    batch: training.Batch = None,
    learning_rate: training.LearningRate = None,
    compile_layers: training.Compile = False,
    rank: training.Rank = None,
    alpha: training.Alpha = None,
    dropout: training.Dropout = None,
    targets: training.Targets = None,
    rslora: training.RsLora = False,
    dora: training.Dora = False,
    early_stopping: training.EarlyStopping = False,
    patience: training.Patience = None,
    report_to: training.ReportTo = None,
    blend: training.Blend = True,
) -> None:
    """Fine-tune a base model on a product catalog. An unfinished run in DIR is resumed.

    On several GPUs: accelerate launch --multi_gpu -m pricelab finetune … (docs/several-gpus.md)

    Example: pricelab finetune shop.csv --out runs/shop

    Example: pricelab finetune workshop --out runs/tiny --base tiny --rank 16 --early-stopping

    Example: pricelab finetune amazon-2023:Appliances --out runs/appliances
    """
    from pricelab import Pricer, load_catalog
    from pricelab import finetune as tune
    from pricelab.choices import early_stopping as watched
    from pricelab.comparison import compare
    from pricelab.profiles import detect

    choices = training.chosen(
        method, report_to, epochs=epochs, batch_size=batch, learning_rate=learning_rate, rank=rank, alpha=alpha,
        dropout=dropout, targets=targets, rslora=rslora, dora=dora, compile=compile_layers, patience=patience,
    )  # fmt: skip
    with processes.one_first():
        loaded = load_catalog(catalog, columns=_columns(column), seed=seed, currency=currency, decimal=decimal)
    if processes.is_first():
        print(loaded.report, file=sys.stderr)
    options: dict[str, Any] = {"minutes": minutes, "report_to": report_to or (), "blend": blend and method != "full"}
    if early_stopping or patience is not None or minutes is not None:  # the clock's run ends at its best point
        options["validation"], choices = watched(loaded, detect(), choices, seed)
    with _saying_when_interrupted():
        result = tune(loaded, out, base=base, method=method, seed=seed, overwrite=overwrite, choices=choices, **options)
    processes.leave()
    if not processes.is_first():
        return
    if result.stopped:
        print(result.stopped, file=sys.stderr)
    comparison = compare(Pricer.load(out), loaded["test"], progress=True)
    if as_json:
        print(_json({"manifest": asdict(result.manifest), "test": comparison.to_dict()}))
        return
    print(
        f"\nOn the {len(loaded['test']):,} test items, which it never saw:\n{comparison}\n\nThe predictor is in {out}."
    )


@app.command()
def sweep(
    catalog: CatalogName,
    out: OutFolder,
    base: BaseName = None,
    method: training.Method = "qlora",
    seed: Seed = 0,
    trials: Annotated[int, typer.Option(help="How many settings to try in all; the default is the first.")] = 20,
    minutes: Annotated[
        float | None, typer.Option(help="Start no further one after so long. Default: no limit.")
    ] = None,
    column: ColumnNames = None,
    currency: Currency = None,
    decimal: Decimal = None,
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
    loaded = load_catalog(catalog, columns=_columns(column), seed=seed, currency=currency, decimal=decimal)
    print(loaded.report, file=sys.stderr)
    options: dict[str, Any] = {"trials": trials, "minutes": minutes, "overwrite": overwrite, "progress": not as_json}
    with _saying_when_interrupted():
        report = try_settings(loaded, out, base=base, method=method, seed=seed, **options)
    print(_json(report.to_dict()) if as_json else f"\n{report}")


@app.command()
def predict(
    folder: Run,
    what: Annotated[
        str, typer.Argument(metavar="DESCRIPTION|FILE", help="A text, or a CSV, TSV, JSON-lines or Parquet file.")
    ],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where a file's answers go.")] = None,
    column: ColumnNames = None,
    overwrite: Overwrite = False,
    as_json: JsonFlag = False,
) -> None:
    """Estimate the price of one description, or of every row of a file.

    A file keeps its rows and columns and gets four more: estimate, low, high (80 % interval) and warning. It may be of
    any size; interrupted, the same command goes on from where it was.

    Example: pricelab predict runs/shop "steel garlic press, dishwasher safe"

    Example: pricelab predict runs/shop new.csv --out priced.csv
    """
    from pricelab import Pricer
    from pricelab.batch import as_file, check_output, predict_file

    file = as_file(what)
    if (file is None) != (out is None):
        raise ValueError("give --out FILE with an input file, and only then")
    if file is None or out is None:
        _print_estimate(Pricer.load(folder).estimate(what), as_json)
        return
    check_output(file, out, overwrite)  # before the model is loaded
    with _saying_when_interrupted():
        rows = predict_file(Pricer.load(folder), file, out, columns=_columns(column), overwrite=overwrite)
    print(f"wrote {rows} rows to {out}")


def _print_estimate(answer: Any, as_json: bool) -> None:
    if answer.estimate != answer.estimate:  # NaN: there was nothing to estimate
        raise ValueError(answer.warning)
    if as_json:
        print(_json({name: getattr(answer, name) for name in ("estimate", "low", "high", "warning")}))
        return
    estimate, low, high = (_dollars(price) for price in (answer.estimate, answer.low, answer.high))
    print(f"{estimate} (80 % interval {low} to {high})")
    if answer.warning:
        print(f"warning: {answer.warning}", file=sys.stderr)


def _dollars(price: float) -> str:
    return f"${price:,.0f}" if price >= 10 else f"${price:,.2f}"


@app.command()
def export(
    folder: Run,
    out: OutFolder,
    items: Annotated[
        str, typer.Option("--items", metavar="FILE|workshop", help="Whose texts to measure the drift on.")
    ] = "workshop",
    column: ColumnNames = None,
    as_json: JsonFlag = False,
) -> None:
    """Merge the adapter into its base, as one 16-bit checkpoint, and say by how many dollars that moves its estimates.

    Example: pricelab export runs/shop --out runs/shop-merged --items shop.csv
    """
    from pricelab import load_catalog
    from pricelab.catalog import load_items
    from pricelab.export import ITEMS
    from pricelab.export import export as merge

    found = load_catalog()["test"] if items == "workshop" else load_items(items, columns=_columns(column))[0]
    drift = merge(folder, out, [item.text for item in found[:ITEMS]], progress=not as_json)
    print(_json(asdict(drift)) if as_json else f"{drift}; the checkpoint is in {out}")


@app.command()
def evaluate(
    folder: Run,
    file: Annotated[Path, typer.Argument(help="A CSV, TSV, JSON-lines or Parquet file with prices.")],
    column: ColumnNames = None,
    currency: Currency = None,
    decimal: Decimal = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure the error on every usable row of a file, beside a constant and the stored ridge.

    Example: pricelab evaluate runs/shop data/catalog/test.csv
    """
    from pricelab import Pricer
    from pricelab.comparison import compare_file

    reading: dict[str, Any] = {"columns": _columns(column), "currency": currency, "decimal": decimal}
    comparison, rows = compare_file(Pricer.load(folder), file, **reading, progress=True)
    print(rows, file=sys.stderr)
    print(_json(comparison.to_dict()) if as_json else comparison)


app.command()(cli_serving.serve)


def _columns(named: Sequence[str] | None) -> dict[str, str] | None:
    pairs = [entry.partition("=") for entry in named or ()]
    for role, equals, name in pairs:
        if not (role and equals and name):
            raise ValueError(f"--column {role + equals + name!r} is not ROLE=NAME, such as description=body")
    return {role: name for role, _, name in pairs} or None


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> str | float:
    return str(value) if isinstance(value, Path) else float(value)
