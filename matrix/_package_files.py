"""What is in a wheel, in a source distribution and in git; see ``matrix.package``."""

from __future__ import annotations

import re
import subprocess
import tarfile
import zipfile
from pathlib import Path

from . import ROOT


def in_wheel(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def in_sdist(sdist: Path) -> dict[str, bytes]:
    """Without the folder in which all of it is."""
    with tarfile.open(sdist) as archive:
        return {
            member.name.partition("/")[2]: read.read()
            for member in archive.getmembers()
            if (read := archive.extractfile(member))
        }


def in_git() -> dict[str, bytes] | None:
    """What git has, as it is in the folder now; None where this is no clone."""
    command = ("git", "ls-files", "-z")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode or not (ROOT / ".git").exists():
        return None
    names = filter(None, done.stdout.split("\0"))
    return {name: path.read_bytes() for name in names if (path := ROOT / name).is_file()}


def differences(found: dict[str, bytes], expected: dict[str, bytes]) -> list[str]:
    """A sentence for each kind: three names of a kind will do."""
    kinds = {
        "missing": sorted(expected.keys() - found.keys()),
        "not expected": sorted(found.keys() - expected.keys()),
        "not the same": sorted(
            name for name in found.keys() & expected.keys() if found[name] != expected[name]
        ),
    }
    return [
        f"{len(names)} {kind} ({', '.join(names[:3])})" for kind, names in kinds.items() if names
    ]


def dead_links(description: str) -> list[str]:
    """Those that lead nowhere on a page that is not in this repository."""
    return [
        f"a link to {link}"
        for link in re.findall(r"\]\(([^)\s]+)\)", description)
        if not link.startswith("https://")
    ]
