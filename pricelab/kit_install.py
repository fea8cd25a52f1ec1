"""Install pricelab from this kit, without a network: ``python install.py --to pricelab-room``.

`pricelab kit` copies this file into every kit. It needs nothing but Python: it checks the platform and every file's
hash, makes an environment, and installs into it from the kit's own wheels. No newer syntax than Python 3.7's stands
here: an older Python than the kit's must be able to read the file to be refused in words.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

MANIFEST = "kit.json"
# Only SmolLM2's weights are in the kit: on a GPU pricelab would choose a base from the hub.
START = """#!/bin/sh
cd "$(dirname "$0")" && export PRICELAB_CACHE="$PWD/cache" HF_HUB_OFFLINE=1
export PRICELAB_PROFILE="${PRICELAB_PROFILE:-laptop}"
exec env/bin/jupyter lab notebooks "$@"
"""
START_BAT = (
    '@cd /d "%~dp0"\r\n@set "PRICELAB_CACHE=%CD%\\cache"\r\n@set HF_HUB_OFFLINE=1\r\n'
    "@if not defined PRICELAB_PROFILE set PRICELAB_PROFILE=laptop\r\n"
    "@env\\Scripts\\jupyter lab notebooks %*\r\n"
)


def check(kit: Path) -> None:
    """Compare this machine and the kit's files with its manifest; `SystemExit` in words where they differ."""
    try:
        manifest = json.loads((kit / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        sys.exit(f"{kit} holds no whole {MANIFEST}: packing it was interrupted, or copying it was; get the kit again")
    this = {
        "system": platform.system(),
        "machine": platform.machine(),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
    }
    packed = manifest["packed_for"]
    if packed != this:
        sys.exit(
            f"this kit was packed for {_words(packed)}; this is {_words(this)}. Pack one on a machine like this one"
        )
    for name, facts in manifest["files"].items():
        path = kit / name
        if not path.is_file():
            sys.exit(f"{name} is missing from the kit; copy it again")
        if path.stat().st_size != facts["bytes"] or _sha256(path) != facts["sha256"]:
            sys.exit(f"{name} isn't what was packed: its hash differs; copy the kit again")


def _words(place: dict) -> str:
    return f"{place['system']} on {place['machine']}, Python {place['python']}"


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def environment(folder: Path) -> Path:
    """The Python of the environment in ``folder``, which is made afresh unless its pip answers."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ask = [str(python), "-m", "pip", "--version"]
    if python.exists() and not subprocess.run(ask, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        return python
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "pyvenv.cfg").exists():
        sys.exit(f"{folder} is there and is no environment; give --to another folder, or delete it first")
    if importlib.util.find_spec("ensurepip") is None:
        sys.exit(
            f"{sys.executable} can't make an environment, its module ensurepip is missing; install the package "
            "python3-venv (Debian, Ubuntu) or Python from python.org, then start this again"
        )
    try:
        venv.create(folder, clear=True, symlinks=os.name != "nt", with_pip=True)
    except subprocess.CalledProcessError as error:
        said = (error.output or b"").decode(errors="replace").strip().splitlines() or ["no reason given"]
        sys.exit(
            f"no pip in {folder}: {said[-1]}. Look at the disk's free space and at {sys.executable} -m ensurepip "
            "--version, then start this again: it begins the environment afresh"
        )
    return python


def install(kit: Path, to: Path) -> None:
    """Make the environment ``to/env`` from the kit's wheels, with weights and notebooks beside it."""
    python = environment(to / "env")
    (own,) = (kit / "wheels").glob("pricelab-*.whl")
    places = ["--no-index", "--find-links", str(kit / "wheels"), "-c", str(kit / "requirements.lock")]
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *places, f"{own}[lab]"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    done = subprocess.run(command, env={**kept, "PIP_CONFIG_FILE": os.devnull})  # nothing from outside the kit
    if done.returncode:
        sys.exit("pip could not install from the kit; what it said stands above")
    (to / "cache" / "wheels").mkdir(parents=True, exist_ok=True)
    for wheel in (kit / "weights").glob("*.whl"):
        shutil.copyfile(wheel, to / "cache" / "wheels" / wheel.name)
    for notebook in (kit / "notebooks").glob("*.ipynb"):
        (to / "notebooks").mkdir(exist_ok=True)
        if not (to / "notebooks" / notebook.name).exists():  # a learner's work stays
            shutil.copyfile(notebook, to / "notebooks" / notebook.name)
    (to / "start").write_text(START, encoding="utf-8", newline="\n")
    (to / "start").chmod(0o755)
    (to / "start.bat").write_text(START_BAT, encoding="utf-8", newline="")


def main() -> None:
    """Check, install, and say how long it took."""
    parser = argparse.ArgumentParser(description="Install pricelab from this kit, without a network.")
    parser.add_argument("--to", default="pricelab-room", type=Path, metavar="DIR", help="default: pricelab-room")
    to, kit, begun = parser.parse_args().to.resolve(), Path(__file__).resolve().parent, time.monotonic()
    print("checking the files …", flush=True)
    check(kit)
    print("installing …", flush=True)
    try:
        install(kit, to)
    except (OSError, ValueError) as error:  # venv says by a ValueError that a path won't do
        sys.exit(
            f"could not install into {to}: {error}; give --to a folder that you may write to, on a disk with space"
        )
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on")
    name = "start.bat" if os.name == "nt" else "start"
    print(f"done in {time.monotonic() - begun:.0f} s; {to / name} opens the notebooks")


if __name__ == "__main__":
    main()
