"""Will this machine do? What is here, and a cure for each problem.

Looks and never changes anything. What the profile means is decided in `profiles`. Introduced in notebook 00.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata

from packaging.requirements import Requirement

from pricelab.colab import on_colab
from pricelab.hazards import Check, hazards
from pricelab.installed import fits, installed_version, requirements
from pricelab.show import html_table

HUB_TIMEOUT_SECONDS = 2.0
FREE_MEMORY_NEEDED_GB = 3.0  # QLoRA on SmolLM2-135M at batch 16, with the notebook's own needs
FREE_DISK_NEEDED_GB = 2.0  # the wheel, the converted base, a few runs; a base from the hub comes on top


@dataclass(frozen=True, repr=False)
class Report:
    """What `examine` found."""

    checks: tuple[Check, ...]

    @property
    def problems(self) -> tuple[Check, ...]:
        """The checks that name a cure."""
        return tuple(check for check in self.checks if check.cure)

    def as_dict(self) -> dict[str, object]:
        """The report for JSON."""
        return {"problems": len(self.problems), "checks": [asdict(check) for check in self.checks]}

    def _repr_html_(self) -> str:
        rows = [(check.name, check.value, check.cure or check.note) for check in self._by_importance()]
        columns = 3 if any(told for *_, told in rows) else 2
        headers = ("what", "found", "what to do or know")[:columns]
        return html_table(headers, [row[:columns] for row in rows], caption=self._closing())

    def _by_importance(self) -> list[Check]:
        """Problems first, then the machine; packages that are as they should be share a line."""
        packages = [check for check in self.checks if check.package]
        others = [check for check in self.checks if not check.package]
        found = sorted(others, key=lambda check: not check.cure)
        if packages:
            told = ", ".join(f"{check.name} {check.value}" for check in packages)
            found.append(Check("packages", f"{len(packages)} as required: {told}"))
        return found

    def _closing(self) -> str:
        count = len(self.problems)
        return f"{count} problem{'s' if count > 1 else ''} found" if count else "This machine will do."

    def __str__(self) -> str:
        width = max(len(check.name) for check in self.checks)
        lines = []
        for check in self.checks:
            lines.append(f"{'!' if check.cure else ' '} {check.name:<{width}}  {check.value}")
            told = {"cure": check.cure, "note": check.note}
            lines += [f"  {'':<{width}}  {kind}: {text}" for kind, text in told.items() if text]
        return "\n".join([*lines, "", self._closing()])

    __repr__ = __str__


def examine(name_cache: bool = False) -> Report:
    """Look at this machine; takes a few seconds, most of them torch's import, and never hangs.

    Args:
        name_cache: say where the cache is. A notebook doesn't: its outputs are shared, and name nobody's folders.
    """
    from pricelab.platforms import examine_platform

    platform = (Check(*found) for found in examine_platform())
    machine = (_python(), *platform, *_device(), _memory(), _disk(name_cache))
    return Report((*machine, _hub(), _profile(), *_packages(), *_known_hazards()))


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    cure = "" if sys.version_info >= (3, 11) else "install Python 3.11 or newer"
    return Check("Python", version, cure)


def _device() -> Iterator[Check]:
    try:
        import torch
    except Exception as error:  # a broken torch raises OSError, ImportError and more
        yield Check("torch", f"cannot be imported: {error}", "pip install torch")
        return
    from pricelab.profiles import pick_device, pick_precision

    device = pick_device()
    dtype, reason = pick_precision(device)
    yield Check("torch", torch.__version__)
    if device == "cuda":
        free, total = torch.cuda.mem_get_info()
        name = torch.cuda.get_device_name()
        yield Check("device", f"cuda: {name}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free")
    else:
        yield Check("device", f"{device}: {os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads")
    yield Check("dtype", f"{str(dtype).removeprefix('torch.')}: {reason}")


def _memory() -> Check:
    import psutil

    memory = psutil.virtual_memory()
    free_gb = memory.available / 1e9
    advice = (
        "choose Runtime → Disconnect and delete runtime, then begin again" if on_colab() else "close other programs"
    )
    cure = "" if free_gb >= FREE_MEMORY_NEEDED_GB else _too_little(FREE_MEMORY_NEEDED_GB, advice)
    return Check("memory", f"{free_gb:.1f} of {memory.total / 1e9:.1f} GB free", cure)


def _disk(name_cache: bool = False) -> Check:
    from pricelab.files import cache_dir

    try:
        folder = cache_dir()
    except OSError as error:
        return Check("disk", f"no cache folder: {error}", "set PRICELAB_CACHE to a folder that you may write to")
    free_gb = shutil.disk_usage(folder).free / 1e9
    advice = "make room, or set PRICELAB_CACHE to a folder on another disk"
    needed_gb = FREE_DISK_NEEDED_GB + _download_gb()
    cure = "" if free_gb >= needed_gb else _too_little(needed_gb, advice)
    where = f" in {folder}" if name_cache else ""
    return Check("disk", f"{free_gb:.1f} GB free for the cache{where}", cure)


def _download_gb() -> float:
    """Weights of the profile's base that may have to come from the hub, at 2 bytes each; 0 where that is unknown."""
    try:
        from pricelab.costs.shapes import SHAPES
        from pricelab.profiles import detect

        owner, _, name = detect().base.partition("/")
    except (ImportError, ValueError):  # told as a fault of torch or of the profile
        return 0.0
    shape = SHAPES.get(name.removesuffix("-Base"))
    return 2.0 * shape.parameters / 1e9 if shape else 0.0


def _too_little(needed_gb: float, advice: str) -> str:
    return f"fine-tuning wants {needed_gb:.1f} GB: {advice}"


def _hub() -> Check:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return Check("model hub", "not asked: the environment says to stay offline")
    if reachable(constants.ENDPOINT):
        return Check("model hub", "reachable")
    return Check("model hub", "not reachable; the bases 'tiny' and 'smollm2-135m' and local folders work without it")


def reachable(address: str, timeout_seconds: float = HUB_TIMEOUT_SECONDS) -> bool:
    """Whether ``address`` answers a HEAD request in time; a name look-up that hangs counts as no."""
    import threading
    import urllib.request

    answers: list[bool] = []

    def ask() -> None:
        try:
            request = urllib.request.Request(address, method="HEAD")
            with urllib.request.urlopen(request, timeout=timeout_seconds) as answer:
                answers.append(answer.status < 400)
        except (OSError, ValueError):
            answers.append(False)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout_seconds)
    return bool(answers and answers[0])


def _profile() -> Check:
    try:
        from pricelab.profiles import detect

        profile = detect()
    except ImportError as error:
        return Check("profile", f"unknown: {error}", "mend torch first")
    except ValueError as error:
        return Check("profile", "unknown", str(error))
    return Check("profile", f"{profile.name} ({profile.reason}), base {profile.base}")


def _packages() -> Iterator[Check]:
    try:
        needed = requirements()
    except metadata.PackageNotFoundError:
        yield Check("pricelab", "imported, but not installed", 'run `pip install -e ".[lab]"` in its repository')
        return
    for requirement in needed:
        check = _package(requirement)
        if check.cure or check.name != "torch":  # torch's version has a line of its own
            yield check


def _package(requirement: Requirement) -> Check:
    name, version = requirement.name, installed_version(requirement.name)
    if version is None:
        return Check(name, "missing", f'pip install "{name}{requirement.specifier}"')
    if not fits(requirement, version):
        wanted = requirement.specifier
        return Check(name, f"{version}, needs {wanted}", f'pip install "{name}{wanted}"')
    return Check(name, version, package=True)


def _known_hazards() -> Iterator[Check]:
    try:
        yield from hazards()
    except Exception as error:  # a broken torch is told above; one broken check must not hide the others
        yield Check("hazards", f"could not be looked for: {error}", "mend torch first")
