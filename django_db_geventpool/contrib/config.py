"""``settings.DJANGO_DB_GEVENTPOOL``: who may see the page, and where a process group meets."""

from __future__ import annotations

import inspect
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.module_loading import import_string

SETTING = "DJANGO_DB_GEVENTPOOL"
STAFF, ANYONE = "staff", "anyone"


@dataclass(frozen=True)
class MonitorConfig:
    access: str | Callable[[HttpRequest], bool | None] = STAFF
    """"staff", "anyone", or a function (or its dotted path) that gets the request, and returns True
    for who may see it, False for who may not, and None where staff may."""

    group_dir: Path | None = None
    """Where the processes that are shown together publish what they have. None: those of one
    process group (a gunicorn master and its workers) meet in the system's temporary directory."""

    @classmethod
    def from_settings(cls) -> MonitorConfig:
        """:raises ImproperlyConfigured: naming the key, its value and what is accepted."""
        given = getattr(settings, SETTING, {})
        if not isinstance(given, Mapping):
            raise ImproperlyConfigured(f"{SETTING} is {given!r}; accepted is a dictionary.")
        for key in given:
            if key not in ("ACCESS", "GROUP_DIR"):
                raise _error(key, given[key], "ACCESS or GROUP_DIR as a key")
        return cls(_access(given.get("ACCESS", STAFF)), _folder(given.get("GROUP_DIR")))

    @property
    def folder(self) -> Path:
        """Where this process publishes."""
        if self.group_dir is not None:
            return self.group_dir
        user = os.getuid() if hasattr(os, "getuid") else "user"
        number = os.getpgrp() if hasattr(os, "getpgrp") else os.getpid()
        return Path(tempfile.gettempdir()) / f"django-db-geventpool-{user}" / str(number)


def _access(value: Any) -> str | Callable[[HttpRequest], bool | None]:
    accepted = "'staff', 'anyone', or a function (not async) that gets the request, or its path"
    if isinstance(value, str) and value not in (STAFF, ANYONE):
        try:
            value = import_string(value)
        except ImportError as error:
            raise _error("ACCESS", value, f"{accepted} ({error})") from None
    is_function = callable(value) and not inspect.isclass(value)
    if value in (STAFF, ANYONE) or (is_function and not inspect.iscoroutinefunction(value)):
        return value  # type: ignore[no-any-return]
    raise _error("ACCESS", value, accepted)


def _folder(value: Any) -> Path | None:
    if value is None:
        return None
    if isinstance(value, (str, os.PathLike)) and Path(value).is_absolute():
        return Path(value)
    raise _error("GROUP_DIR", value, "an absolute path, or None")


def make_private(folder: Path) -> None:
    """A directory of this user's, to which nobody else can write.

    :raises OSError: if it cannot be that.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o022):
        raise PermissionError(f"{folder} is not this user's, or others can write to it")


def _error(key: str, value: object, accepted: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{SETTING}[{key!r}] is {value!r}; accepted is {accepted}.")
