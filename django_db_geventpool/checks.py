"""What ``manage.py check`` says about the pools of this process. ``docs/checks.md`` explains each.

* geventpool.E001: an option is refused.
* geventpool.E002: CONN_MAX_AGE is not 0.
* geventpool.E003: the engine cannot run on the installed driver.
* geventpool.W001: Django was imported before the process was patched.
* geventpool.W002: psycopg was imported before the process was patched.
* geventpool.W003: HUB is not the library that has patched the process.
* geventpool.W004: psycopg2 waits on the hub of the other library.
* geventpool.W005: MAX_CONNS of all workers together is more than the server has room for.

Importing this module registers them, and each engine imports it. W005 asks the server, so it is
not here but where Django asks for it: ``backends/validation.py``.

They look at the process in which they run. A manage.py that does not patch says nothing of how
gunicorn's workers are patched, and none of this makes a connection or a wrapper.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, cast

from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.utils import load_backend

from . import drivers, hubs
from .config import HUBS, PoolConfig

Settings = Mapping[str, Any]

#: ``manage.py check --tag geventpool`` runs these alone.
TAG = "geventpool"

_PACKAGE = __name__.partition(".")[0]


def aliases() -> Iterator[tuple[str, Settings]]:
    """Each entry of ``DATABASES`` whose ENGINE is one of ours or a subclass, and its settings."""
    from .backends.base import PooledDatabaseWrapper  # which imports this module

    for alias, settings in connections.settings.items():
        try:
            wrapper = load_backend(settings["ENGINE"]).DatabaseWrapper
        except Exception:
            continue  # ours is an E003; of others Django tells when they are used
        if issubclass(wrapper, PooledDatabaseWrapper):
            yield alias, settings


# -- the settings


@register(TAG)
def check_options(**kwargs: Any) -> list[CheckMessage]:
    """E001: what PoolConfig refuses. The first use of the alias would raise it."""
    problems: list[CheckMessage] = []
    for alias, settings in aliases():
        try:
            PoolConfig.from_settings(alias, {**settings, "CONN_MAX_AGE": 0})
        except ImproperlyConfigured as error:
            hint = "Correct it in OPTIONS; the pool of this alias does not start with it."
            problems.append(Error(str(error), hint=hint, id="geventpool.E001"))
    return problems


@register(TAG)
def check_conn_max_age(**kwargs: Any) -> list[CheckMessage]:
    """E002: Django's persistent connections on top of the pool's."""
    problems: list[CheckMessage] = []
    for alias, settings in aliases():
        try:
            PoolConfig.from_settings(alias, {"CONN_MAX_AGE": settings.get("CONN_MAX_AGE", 0)})
        except ImproperlyConfigured as error:
            hint = (
                "Remove CONN_MAX_AGE: the pool keeps the connections open, REUSE_CONNS of them, "
                "and each request gives its own back."
            )
            problems.append(Error(str(error), hint=hint, id="geventpool.E002"))
    return problems


@register(TAG)
def check_driver(**kwargs: Any) -> list[CheckMessage]:
    """E003: the driver is not installed, is too old, or is not the one the ENGINE is named for."""
    problems: list[CheckMessage] = []
    for alias, settings in connections.settings.items():
        if not settings["ENGINE"].startswith(f"{_PACKAGE}."):
            continue
        try:
            load_backend(settings["ENGINE"])
            drivers.load()
        except ImproperlyConfigured as error:
            message = f"DATABASES[{alias!r}]: {error}"
            hint = "Each ENGINE and the driver it runs on: see the table in README.md."
            problems.append(Error(message, hint=hint, id="geventpool.E003"))
    return problems


# -- the process


@register(TAG)
def check_django_was_imported_after_patching(**kwargs: Any) -> list[CheckMessage]:
    """W001. Found by looking whether another greenlet sees what this one stores.

    ``django.db.connections`` takes ``threading.local`` when it is made, which is when django.db is
    imported (asgiref 3.8 and newer; older ones ask for the current thread each time, and do well
    in either order). The native one is the same for all greenlets of a thread: the first of them
    makes the wrapper, and Django refuses it to the others, because it is another "thread's".

    Only a warning: a manage.py that comes too late may belong to a site whose workers do not.
    """
    library = hubs.patched()
    if library == "threads" or not any(aliases()) or not _greenlets_share_wrappers():
        return []
    message = (
        f"django.db was imported before {library} patched this process: all its greenlets share "
        "one connection, which Django refuses to all but one of them."
    )
    hint = (
        "Patch before anything of Django is imported: in the first lines of manage.py or wsgi.py, "
        "not in the settings. gunicorn's worker class does it by itself, without --preload."
    )
    return [Warning(message, hint=hint, id="geventpool.W001")]


def _greenlets_share_wrappers() -> bool:
    from greenlet import greenlet  # gevent and eventlet stand on it

    name, mark = "geventpool.checks", cast(Any, object())
    seen = []

    def look() -> None:
        with suppress(connections.exception_class):
            seen.append(connections[name])

    connections[name] = mark
    try:
        greenlet(look).switch()
    finally:
        del connections[name]
    return bool(seen)


@register(TAG)
def check_psycopg_was_imported_after_patching(**kwargs: Any) -> list[CheckMessage]:
    """W002: the lock that each connection of psycopg 3 has is then a native one.

    Found with psycopg 3.2 and 3.3. The wait functions that it chooses at its import do not matter,
    the pool replaces them. But ``psycopg.connection`` also keeps ``threading.Lock`` of that moment,
    and holds such a lock for as long as a statement runs. A second greenlet that wants the
    connection then stops the thread, and with it the greenlet that it waits for: a hang for ever.
    It takes a connection shared on purpose (``inc_thread_sharing()``), or the garbage collector: a
    server-side cursor (``.iterator()``) that was left in a reference cycle is closed in whatever
    greenlet the collection happens to run, while its owner waits for a later query.
    """
    library = hubs.patched()
    make_lock = getattr(sys.modules.get("psycopg.connection"), "Lock", None)
    if library == "threads" or make_lock is None or not any(aliases()):
        return []
    if type(make_lock()).__module__ != "_thread":  # where the native one lives
        return []
    message = (
        f"psycopg was imported before {library} patched this process: its connections have native "
        "locks, and a second greenlet that touches a busy connection stops the process for ever."
    )
    hint = "Patch before psycopg is imported: in the first lines of manage.py or wsgi.py."
    return [Warning(message, hint=hint, id="geventpool.W002")]


@register(TAG)
def check_hub(**kwargs: Any) -> list[CheckMessage]:
    """W003: a library that has not patched the process, or threads where one has."""
    library = hubs.patched()
    problems: list[CheckMessage] = []
    for alias, settings in aliases():
        hub = (settings.get("OPTIONS") or {}).get("HUB")
        if hub not in HUBS or hub == library:  # None is fine, and a misspelt one is an E001
            continue
        if hub == "threads":
            what = f"{library} has patched this process: a query can block all of its greenlets"
        else:
            what = f"{hub} has not patched this process: each query in it is refused"
        message = f"DATABASES[{alias!r}]: OPTIONS['HUB'] is {hub!r}, but {what}."
        hint = "Leave HUB out: the pool takes the library that has patched the process."
        problems.append(Warning(message, hint=hint, id="geventpool.W003"))
    return problems


@register(TAG)
def check_psycopg2_callback(**kwargs: Any) -> list[CheckMessage]:
    """W004: psycogreen's callback for the library that is not in charge.

    The pool installs a callback of its own at its first use, but respects one that is there.
    """
    other = {"gevent": "eventlet", "eventlet": "gevent"}.get(hubs.patched())
    extensions = sys.modules.get("psycopg2.extensions")
    if other is None or extensions is None or not any(aliases()):
        return []
    callback = extensions.get_wait_callback()
    if getattr(callback, "__module__", None) != f"psycogreen.{other}":
        return []
    message = (
        f"psycopg2 waits on {other} (psycogreen.{other} is installed as its wait callback), but "
        f"{hubs.patched()} has patched this process: queries block all of its greenlets, or fail."
    )
    hint = "Do not call psycogreen's patch_psycopg(): the pool makes psycopg2 wait by itself."
    return [Warning(message, hint=hint, id="geventpool.W004")]
