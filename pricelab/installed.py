"""Which packages are installed, and what pricelab's own metadata asks for.

Only looks; `doctor` tells about it and `colab` acts on it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

OLDEST_TORCHAO_FOR_PEFT = Version("0.16")


def installed_version(name: str) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def everything_installed() -> dict[str, str]:
    """Canonical name → version of each installed distribution; a folder without a proper version is left out."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name, version = distribution.metadata["Name"], distribution.version
        if name and version and is_version(version):
            found.setdefault(canonicalize_name(name), version)  # the first on the path is the one that is imported
    return found


def requirements(*extras: str) -> list[Requirement]:
    """What the installed pricelab needs on this machine, itself left out; with ``extras`` also what those add.

    Raises `importlib.metadata.PackageNotFoundError` when pricelab is imported without being installed.
    """
    lines = map(Requirement, metadata.requires("pricelab") or [])
    wanted = ("", *extras)
    return [
        line for line in lines
        if line.name != "pricelab"
        and (line.marker is None or any(line.marker.evaluate({"extra": extra}) for extra in wanted))
    ]  # fmt: skip


@dataclass(frozen=True)
class Unmet:
    """Something that an installed package asks for and doesn't find."""

    package: str
    wants: Requirement
    found: str | None  # the version that is there, of what is there at all

    def __str__(self) -> str:
        there = f"{self.found} is there" if self.found else "which is missing"
        return f"{self.package} wants {self.wants.name}{self.wants.specifier}, {there}"


def unmet(packages: Collection[str]) -> list[Unmet]:
    """What the installed ``packages`` ask for on this machine, extras left out, and don't find."""
    there, found = everything_installed(), []
    for package in sorted(packages):
        for wants in map(Requirement, metadata.requires(package) or []):
            if wants.marker is None or wants.marker.evaluate({"extra": ""}):
                version = there.get(canonicalize_name(wants.name))
                if version is None or not fits(wants, version):
                    found.append(Unmet(package, wants, version))
    return found


def fits(requirement: Requirement, version: str) -> bool:
    """Whether an installed ``version`` is one that ``requirement`` allows."""
    return requirement.specifier.contains(version, prereleases=True)


def hindering_torchao() -> str | None:
    """The version of a torchao beside which peft refuses 16-bit LoRA; None without one."""
    version = installed_version("torchao")
    return version if version and Version(version) < OLDEST_TORCHAO_FOR_PEFT else None


def is_version(text: str) -> bool:
    """Whether ``text`` is a version that can be compared."""
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True
