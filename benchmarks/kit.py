"""The offline kit, packed and installed without a network: `python -m benchmarks.kit` (Linux; minutes, 4 GB of disk).

`pack_and_install` packs a kit, installs it in a network namespace where only the machine itself answers, and asks the
installed predictors for a price there. Size and times go to ``data/results/kit.json``, and from there into
``docs/workshop/README.md``.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS, ROOT
from pricelab.files import read_json, write_json_atomic

FILE = "kit.json"
ALONE = ["unshare", "-rn", "sh", "-c", 'ip link set lo up 2>/dev/null; exec "$@"', "sh"]
PROBE = "import urllib.request as u; u.urlopen('https://pypi.org', timeout=5)"


def alone(*command: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run ``command`` where no network is."""
    return subprocess.run([*ALONE, *command], capture_output=True, encoding="utf-8", **options)


def pack_and_install(folder: Path) -> dict[str, Any]:
    """Pack into ``folder/kit``, install into ``folder/room`` and price a text there, without a network."""
    kit, room = folder / "kit", folder / "room"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    begun = time.monotonic()
    if not (kit / "kit.json").is_file():
        subprocess.run([sys.executable, "-m", "pricelab", "kit", "--out", str(kit)], check=True, env=environment)
    packed = time.monotonic() - begun
    if alone(sys.executable, "-c", PROBE).returncode == 0:
        raise RuntimeError("a network answers where none should")
    bare = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    begun = time.monotonic()
    done = alone(sys.executable, str(kit / "install.py"), "--to", str(room), env=bare)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    installed = time.monotonic() - begun
    bare |= {"PRICELAB_CACHE": str(room / "cache"), "HF_HUB_OFFLINE": "1"}
    python = str(room / "env" / "bin" / "python")
    begun = time.monotonic()
    text = "Cordless drill, 18 V, two batteries, carry case"
    code = "from pricelab import Pricer; from pricelab.files import data_dir; import sys; "
    code += "print(Pricer.load(data_dir() / 'adapters' / sys.argv[1]).estimate(sys.argv[2]).estimate)"
    priced = {}
    for base in ("tiny", "smollm2-135m"):
        answer = alone(python, "-c", code, base, text, env=bare, cwd=room)
        if answer.returncode:
            raise RuntimeError(answer.stderr)
        priced[base] = float(answer.stdout.split()[-1])
    smoke = {**bare, "PRICELAB_PROFILE": "smoke"}
    ran = alone(python, "-m", "pricelab", "run", "00", "--out", str(room / "executed"), env=smoke, cwd=room)
    if ran.returncode:
        raise RuntimeError(ran.stdout + ran.stderr)
    manifest = read_json(kit / "kit.json")
    sizes = {name: facts["bytes"] for name, facts in manifest["files"].items()}
    return {
        "files": len(sizes),
        "bytes": sum(sizes.values()),
        "wheel_bytes": sum(size for name, size in sizes.items() if name.startswith("wheels/")),
        "packed_for": manifest["packed_for"],
        "pack_seconds": round(packed),
        "install_seconds": round(installed),
        "prices": priced,
        "ask_seconds": round(time.monotonic() - begun),
    }


def measure() -> None:
    """Pack, install, ask, and note what it took."""
    from pricelab.normalise import this_machine

    with tempfile.TemporaryDirectory() as folder:
        facts = pack_and_install(Path(folder))
    write_json_atomic(RESULTS / FILE, {"command": "python -m benchmarks.kit", "machine": this_machine(), **facts})


if __name__ == "__main__":
    measure()
    from benchmarks.workshop_docs import write

    write()
