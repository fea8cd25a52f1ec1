"""Set-up on a hosted Colab machine, for the first cell of each notebook; everywhere else it does nothing.

The cell installs pricelab alone (``pip install --no-deps``), then `set_up` adds what is missing and nothing else: what
the machine has is held in place by a constraints file, so that torch, numpy, transformers and ipywidgets stay as the
kernel loaded them and no restart is needed. With ``drive`` the cache, downloads and runs move to Google Drive, where a
later session finds them: a training that was cut off goes on at its last checkpoint. Introduced in notebook 00.
"""

import importlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from pricelab.installed import everything_installed, fits, hindering_torchao, is_version, requirements, unmet

EXTRAS = ("serve", "modal")  # what notebook 11 needs besides
KEPT = ("torch", "numpy", "transformers", "ipywidgets")  # replacing one of these takes a restart
LOOKING_ONCE = ("transformers", "accelerate", "peft")  # they look for optional packages once, when first asked
DRIVE = Path("/content/drive")  # where Colab mounts Google Drive
NO_INDEX = ("connection broken", "HTTPSConnectionPool", "HTTPConnectionPool", "HTTP error", "timed out", "fetch URL")
RESTART = "choose Runtime → Restart session, then Run all"


class Conflict(RuntimeError):
    """pip finds no way to install something beside what has to stay."""


def on_colab() -> bool:
    """Whether this is a Colab machine: its kernel, or a process that was started there."""
    return "google.colab" in sys.modules or "COLAB_RELEASE_TAG" in os.environ


def set_up(drive: bool = False) -> None:
    """Install what pricelab lacks on Colab, and say what was done; elsewhere nothing.

    Args:
        drive: keep downloads and runs in Google Drive, in the folder ``pricelab``; Colab asks for permission.

    Raises:
        RuntimeError: a package of the machine is too old and must not be replaced in a running kernel, pip or Drive
            refused, the network failed, what was installed lacks something, or a restart is needed because of what
            was imported before. The text says what to do.
    """
    if not on_colab():
        return
    started, loaded_before, done = time.monotonic(), set(sys.modules), []
    if drive:
        done.append(f"downloads and runs go to {to_drive()}")
    before = everything_installed()
    if torchao := hindering_torchao():
        _pip("uninstall", "--yes", "torchao")
        done.append(f"removed torchao {torchao}, beside which peft refuses 16-bit LoRA")
    missing = lacking(before)
    if missing:
        _install(missing, before)
        done.append(f"installed {', '.join(sorted(each.name for each in missing))}")
    importlib.invalidate_caches()
    after = everything_installed()
    _check_nothing_was_replaced(before, after, {each.name for each in missing} | {"torchao"})
    done += _kept_otherwise([name for name, version in after.items() if before.get(name) != version])
    if reasons := restart_reasons({each.name for each in missing}, bool(torchao), loaded_before):
        raise RuntimeError(f"{'; '.join(reasons)}: {RESTART}")
    took = f" ({time.monotonic() - started:.0f} s)" if missing or torchao else ""
    print(f"pricelab {metadata.version('pricelab')} is ready{took}", *done, sep="\n- ")


def lacking(installed: Mapping[str, str]) -> list[Requirement]:
    """What pricelab asks for and ``installed`` (canonical name → version) lacks.

    A package that is there but too old may be replaced when nothing has imported it; `RuntimeError` where one of
    `KEPT` is, or one that this kernel has loaded.
    """
    found = []
    for each in requirements(*EXTRAS):
        version = installed.get(canonicalize_name(each.name))
        if version is not None and fits(each, version):
            continue
        if version is not None and (each.name in KEPT or _loaded(each.name)):
            raise RuntimeError(
                f"this machine has {each.name} {version} and pricelab wants {each.specifier}; replacing it would break "
                f'a running kernel. Run `%pip install "{each.name}{each.specifier}"`, then {RESTART}'
            )
        found.append(each)
    return found


def restart_reasons(installed: Collection[str], torchao_removed: bool, loaded: Collection[str]) -> list[str]:
    """Why this kernel can't go on, in words: what it has loaded is no longer what is installed.

    Args:
        installed: names of the packages that were just installed.
        torchao_removed: whether torchao was just removed.
        loaded: names of the modules that were loaded before that.
    """
    reasons = [f"{name} {was} is loaded and {now} installed" for name, was, now in _loaded_otherwise()]
    if torchao_removed and "torchao" in loaded:
        reasons.append("torchao was removed after it had been imported")
    if "bitsandbytes" in installed and (early := [name for name in LOOKING_ONCE if name in loaded]):
        reasons.append(f"{', '.join(early)} was imported before bitsandbytes was there")
    return reasons


def to_drive() -> Path:
    """Mount Google Drive and keep pricelab's cache, its runs and the model hub's downloads there; the folder."""
    try:
        from google.colab import drive

        drive.mount(str(DRIVE))
        home = DRIVE / "MyDrive" / "pricelab"
        home.mkdir(parents=True, exist_ok=True)
    except Exception as error:  # Colab's own kinds of errors: a window that was closed, a permission that was refused
        raise RuntimeError(
            f"Google Drive was not mounted ({error}); run the cell again and allow access, or untick DRIVE: then "
            "everything stays on this machine and is gone with it"
        ) from error
    os.environ["PRICELAB_CACHE"] = str(home)
    os.environ.setdefault("HF_HOME", str(home / "huggingface"))
    if "huggingface_hub" in sys.modules and "HF_HUB_CACHE" not in os.environ:  # it read the variables when imported
        from huggingface_hub import constants

        constants.HF_HUB_CACHE = str(Path(os.environ["HF_HOME"]) / "hub")
    return home


def _loaded(name: str) -> bool:
    return any(module in sys.modules for module in _modules().get(canonicalize_name(name), ()))


def _modules() -> dict[str, list[str]]:
    """Canonical name of each distribution → the modules it brings."""
    found: dict[str, list[str]] = {}
    for module, names in metadata.packages_distributions().items():
        for name in names:
            found.setdefault(canonicalize_name(name), []).append(module)
    return found


def _loaded_otherwise() -> list[tuple[str, str, str]]:
    """(name, loaded version, installed version) of each package of ours that was replaced after it was imported."""
    modules, installed, found = _modules(), everything_installed(), []
    for name in sorted({canonicalize_name(each.name) for each in requirements(*EXTRAS)} & set(installed)):
        for module in modules.get(name, ()):
            loaded = str(getattr(sys.modules.get(module), "__version__", ""))
            if is_version(loaded) and Version(loaded).public != Version(installed[name]).public:
                found.append((str(name), loaded, installed[name]))
    return found


def _install(missing: Sequence[Requirement], installed: Mapping[str, str]) -> None:
    """Install ``missing`` while all that is ``installed`` stays.

    A package for which pip finds no such way is installed by itself, and then what else it asks for and lacks.
    """
    replaced = {canonicalize_name(each.name) for each in missing}
    pins = [f"{name}=={version}" for name, version in installed.items() if name not in replaced]
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("\n".join(pins), encoding="utf-8")
        holding = ("install", "--prefer-binary", "--constraint", str(constraints))
        try:
            return _pip(*holding, *map(_wanted, missing))
        except Conflict:
            waiting = list(missing)
        for each in waiting:  # grows on the way
            try:
                _pip(*holding, _wanted(each))
            except Conflict:
                _pip("install", "--prefer-binary", "--no-deps", _wanted(each))
                importlib.invalidate_caches()
                waiting += [lack.wants for lack in unmet([each.name]) if lack.found is None]


def _wanted(requirement: Requirement) -> str:
    return str(requirement).partition(";")[0].strip()


def _kept_otherwise(added: Collection[str]) -> list[str]:
    """Where the packages ``added`` find another version than they want; `RuntimeError` where they lack something."""
    lacks = unmet(added)
    if missing := [str(each) for each in lacks if each.found is None]:
        raise RuntimeError(
            f"what was installed is not complete: {'; '.join(missing)}. Run the cell again; where that does not help, "
            "install what is missing with `%pip install`"
        )
    return [f"{each}: this machine's stays, and what needs the other may fail" for each in lacks]


def _check_nothing_was_replaced(before: Mapping[str, str], after: Mapping[str, str], expected: Collection[str]) -> None:
    ours = {canonicalize_name(name) for name in expected}
    changed = [f"{n} {v} → {after.get(n, 'nothing')}" for n, v in before.items() if n not in ours and after.get(n) != v]
    if changed:
        raise RuntimeError(f"installing changed what the machine had ({', '.join(changed)}): {RESTART}")


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", arguments[0], "--quiet", "--no-input", "--disable-pip-version-check"]
    done = subprocess.run([*command, *arguments[1:]], capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        told = f"pip {' '.join(arguments)} failed: {' '.join(errors)}"
        if any(sign in done.stderr for sign in NO_INDEX):
            raise RuntimeError(f"the network or the package index did not answer; run the cell again. {told}")
        raise (Conflict if "ResolutionImpossible" in done.stderr else RuntimeError)(told)
