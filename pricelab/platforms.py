"""What an operating system can do here, and consoles that can't write every sign.

`examine_platform` says in words what differs on macOS, Windows, WSL and Linux on ARM; `doctor` prints it and
``docs/platforms.md`` holds the table with what was tried. Which wheels exist is asked by ``benchmarks/platforms.py``.
"""

import os
import platform
import struct
import sys
from typing import Any, NamedTuple

OLDEST_MACOS = 14  # of bitsandbytes's wheels
NAMES = {
    ("Linux", "x86_64"): "Linux",
    ("Linux", "aarch64"): "Linux on ARM",
    ("Darwin", "arm64"): "macOS on Apple silicon",
    ("Darwin", "x86_64"): "macOS on Intel",
    ("Windows", "AMD64"): "Windows",
    ("Windows", "ARM64"): "Windows on ARM",
}
CAN = {
    "Linux": "everything: CPU and NVIDIA GPUs, several too (NCCL)",
    "Linux on ARM": "CPU and NVIDIA GPUs; on a CPU bf16 counts as slow, so weights are held in fp32",
    "WSL": "as Linux; GPUs through the Windows driver, memory as far as .wslconfig grants it",
    "macOS on Apple silicon": "CPU only, in fp32: Apple's GPU isn't used; several processes by gloo",
    "Windows": "CPU and one NVIDIA GPU; no make: the README names the commands; --compile wants Visual C++",
}
MISSING = {
    "macOS on Intel": ("bitsandbytes has no wheels for it", "use Colab, or a machine with Linux"),
    "Windows on ARM": (
        "pyarrow has no wheels for it",
        "install Python for Windows x86-64, which runs emulated, or use WSL",
    ),
}


class Finding(NamedTuple):
    """One thing about this platform."""

    name: str
    value: str  # in words
    cure: str = ""  # what to do about it; empty when all is well


def name_of(system: str, machine: str, release: str = "") -> str:
    """The platform's name in `CAN` or `MISSING`, from what `platform` calls it; ``release`` tells WSL from Linux."""
    if system == "Linux" and "microsoft" in release.lower():
        return "WSL"
    return NAMES.get((system, machine), f"{system} on {machine}")


def examine_platform() -> tuple[Finding, ...]:
    """What this platform can do, and a cure where it can't; looks only at what Python knows without asking anybody."""
    name = name_of(platform.system(), platform.machine(), platform.release())
    findings = [_can(name)]
    if struct.calcsize("P") < 8:
        findings.append(Finding("Python's width", "32 bits: torch has no wheels for it", "install a 64-bit Python"))
    version = platform.mac_ver()[0]
    if version and int(version.partition(".")[0]) < OLDEST_MACOS:
        cure = f"update to macOS {OLDEST_MACOS}, or use Colab"
        findings.append(Finding("macOS", f"{version}: bitsandbytes has wheels from {OLDEST_MACOS} on", cure))
    if platform.system() == "Linux" and platform.libc_ver()[0] == "":
        cure = "use a distribution with glibc, such as Debian or Ubuntu"
        findings.append(Finding("C library", "no glibc: torch and bitsandbytes have no wheels for it", cure))
    if name == "WSL" and _cache().startswith("/mnt/"):
        cure = "set PRICELAB_CACHE to a folder of Linux's own, such as ~/.cache/pricelab"
        findings.append(Finding("cache", "on a Windows disk, which is slow to read from WSL", cure))
    return (*findings, *_console(sys.stdout))


def _cache() -> str:
    from pricelab.files import cache_dir

    try:
        return str(cache_dir())
    except OSError:  # `doctor` says so where it looks at the disk
        return ""


def _can(name: str) -> Finding:
    if name in MISSING:
        return Finding("platform", f"{name}: {MISSING[name][0]}", MISSING[name][1])
    return Finding("platform", f"{name}: {CAN.get(name, 'nobody tried it')}")


def _console(stream: Any) -> tuple[Finding, ...]:
    if writes_unicode(stream):
        return ()
    told = f"writes {stream.encoding}: signs that it lacks show as ? (PYTHONUTF8=1 mends that)"
    return (Finding("console", told),)


def writes_unicode(stream: Any) -> bool:
    """Whether ``stream`` can write every sign."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "").startswith("utf")


def prepare_console() -> None:
    """Let a console that lacks a sign show ? in its place, instead of ending the command.

    On Windows what is redirected to a file or a pipe is written in the old code page, on Linux under ``LC_ALL=C`` in
    ASCII.
    """
    for stream in (sys.stdout, sys.stderr):
        if not writes_unicode(stream) and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def as_text(argument: str) -> str:
    """A command's argument as it was typed; where the locale knows no UTF-8, Python keeps its bytes as surrogates."""
    if any("\ud800" <= sign <= "\udfff" for sign in argument):
        return os.fsencode(argument).decode("utf-8", errors="replace")
    return argument
