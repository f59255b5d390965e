"""``settings.DJANGO_DB_GEVENTPOOL``: who may see the page, and where a process group meets."""

from __future__ import annotations

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
    access: str | Callable[[HttpRequest], bool] = STAFF
    """"staff", "anyone", or a function (or its dotted path) that gets the request."""

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
        if self.group_dir is not None:
            return self.group_dir
        return _base() / (str(os.getpgrp()) if hasattr(os, "getpgrp") else str(os.getpid()))


def _base() -> Path:
    """Of this user: others can write there, too."""
    user = str(os.getuid()) if hasattr(os, "getuid") else "user"
    return Path(tempfile.gettempdir()) / f"django-db-geventpool-{user}"


def _access(value: Any) -> str | Callable[[HttpRequest], bool]:
    accepted = "'staff', 'anyone', or a function that gets the request, or its dotted path"
    if isinstance(value, str) and value not in (STAFF, ANYONE):
        try:
            value = import_string(value)
        except ImportError as error:
            raise _error("ACCESS", value, f"{accepted} ({error})") from None
    if value in (STAFF, ANYONE) or callable(value):
        return value  # type: ignore[no-any-return]
    raise _error("ACCESS", value, accepted)


def _folder(value: Any) -> Path | None:
    if value is None:
        return None
    if isinstance(value, (str, os.PathLike)) and Path(value).is_absolute():
        return Path(value)
    raise _error("GROUP_DIR", value, "an absolute path, or None")


def _error(key: str, value: object, accepted: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{SETTING}[{key!r}] is {value!r}; accepted is {accepted}.")
