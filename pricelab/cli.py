"""The command line: each command reads its arguments, calls the library and prints.

Exit codes: 0 all went well, 1 something failed, 2 the command was given something it cannot use, 130 Ctrl-C.
Heavy imports stand inside the commands, so that ``--help`` is quick. Notebook 12 introduces it.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pricelab import cli_app, cli_kit, cli_pricing, cli_serving, cli_training, platforms, processes
from pricelab.cli_options import JsonFlag, OutFolder, Seed, as_json_text

app = typer.Typer(
    help="Measure the difference between training a language model and fine-tuning one, on product prices.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line on ``arguments`` (default: the process's own) and leave with its exit code."""
    platforms.prepare_console()
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

    report = examine(name_cache=True)
    print(as_json_text(report.as_dict()) if as_json else report)
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
    """Execute the workbook, or some of its notebooks, show the leaderboard and write a report, one HTML page.

    Example: pricelab run

    Example: pricelab run 00 07 --profile smoke --out results
    """
    from pricelab import profiles
    from pricelab.evaluation import Leaderboard
    from pricelab.needs import leaderboard_path
    from pricelab.notebooks import find_notebooks, report
    from pricelab.notebooks import run as run_notebooks
    from pricelab.run_report import circumstances, write_report

    chosen = profiles.choose(profile, "named on the command line") if profile else profiles.detect()
    os.environ[profiles.VARIABLE] = chosen.name  # for the notebooks and for the leaderboard
    print(f"profile {chosen.name}: {chosen.reason}", file=sys.stderr if as_json else sys.stdout)
    outcomes = run_notebooks(find_notebooks(notebooks or ()), out, chosen.name, in_place=in_place, quiet=as_json)
    board = Leaderboard(leaderboard_path())
    page = write_report(outcomes, circumstances(chosen), out, board)
    if as_json:
        found = [{**asdict(outcome), "notebook": outcome.notebook.name} for outcome in outcomes]
        print(as_json_text({"notebooks": found, "leaderboard": board.rows(), "report": page}))
    else:
        print(f"{report(outcomes)}\nthe report is {page}")
    raise typer.Exit(1 if any(outcome.error for outcome in outcomes) else 0)


@app.command()
def stamp(
    repo: Annotated[
        str | None, typer.Option(metavar="OWNER/NAME", help="On GitHub. Default: what the git remote origin says.")
    ] = None,
    branch: Annotated[str, typer.Option(help="The branch that learners get.")] = "main",
    remove: Annotated[bool, typer.Option("--remove", help="Take badges and source out again.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; leave with 1 when something would.")] = False,
) -> None:
    """Write the "Open in Colab" badge and the install source into all notebooks.

    Example: pricelab stamp --repo OWNER/NAME
    """
    from pricelab.notebooks import find_notebooks
    from pricelab.stamp import Place, repo_of_remote
    from pricelab.stamp import stamp as stamp_notebooks

    paths = find_notebooks()
    place = None if remove else Place(repo or repo_of_remote(paths[0].parent), branch)
    changed = stamp_notebooks(paths, place, check=check)
    what = f"badge and source of {place.repo}, branch {place.branch}" if place else "no badge, no source"
    print(f"{len(changed)} of {len(paths)} notebooks {'would change' if check else 'changed'}: {what}")
    raise typer.Exit(1 if check and changed else 0)


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


for command in (
    cli_training.finetune, cli_training.sweep, cli_pricing.predict, cli_pricing.evaluate, cli_pricing.export,
    cli_serving.serve, cli_app.app, cli_kit.kit,
):  # fmt: skip
    app.command()(command)
