"""The journal of a sweep: Optuna's study in a file of JSON lines that an interruption, or a power cut, leaves usable.

Which trials there are is `sweeping`'s affair. Nothing in it is pickled.
"""

from pathlib import Path
from typing import Any

from pricelab.files import drop_half_a_line

JOURNAL, RESULT = "sweep.journal", "sweep.json"
SETTINGS = "settings"  # where the journal notes what the trials share
BEGINNING = b'{"op_code":'  # of each line that Optuna writes
RANDOM_TRIALS = 5  # before the sampler has something to learn from, and the pruner something to compare with


def load_optuna() -> Any:
    """The package, kept quiet; `ValueError` says how to get it."""
    try:
        import optuna
    except ImportError as error:
        raise ValueError("a sweep needs Optuna, which is not installed; run: pip install optuna") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def open_study(optuna: Any, folder: Path, noted: dict[str, Any], overwrite: bool) -> Any:
    """The study in ``folder``, new or gone on with; trials that were interrupted count as failed."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; give a folder for the sweep")
    journal = folder / JOURNAL
    if folder.is_dir() and any(folder.iterdir()) and not _is_journal(journal):
        raise ValueError(f"{folder} holds files that are no sweep of pricelab; give a new folder")
    study = _open(optuna, journal)
    before = study.user_attrs.get(SETTINGS, noted)
    if before != noted:
        changed = sorted(name for name in noted if before.get(name) != noted[name])
        if not overwrite:
            raise ValueError(
                f"{folder} holds a sweep with another {', '.join(changed)}; use the same to go on with it, or "
                "--overwrite to start again"
            )
        for name in (JOURNAL, RESULT):
            (folder / name).unlink(missing_ok=True)
        study = _open(optuna, journal)
    study.set_user_attr(SETTINGS, noted)
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    return study


def _is_journal(path: Path) -> bool:
    """Whether Optuna wrote the file, or began to: the machine may have gone off in the first line."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return BEGINNING.startswith(file.read(len(BEGINNING)))


def _open(optuna: Any, journal: Path) -> Any:
    journal.parent.mkdir(parents=True, exist_ok=True)
    if journal.is_file():
        drop_half_a_line(journal)
    backend = optuna.storages.journal
    file = backend.JournalFileBackend(str(journal), lock_obj=backend.JournalFileOpenLock(str(journal)))
    options = {"study_name": "pricelab", "storage": optuna.storages.JournalStorage(file)}
    options["pruner"] = optuna.pruners.MedianPruner(n_startup_trials=RANDOM_TRIALS)
    try:
        return optuna.load_study(**options)
    except KeyError:  # the journal is new
        return optuna.create_study(**options, direction="minimize")


def finished(study: Any) -> list[Any]:
    """Its trials that came to an outcome, in order; of interrupted ones nothing is kept."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.name in ("COMPLETE", "PRUNED")]
