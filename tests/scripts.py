"""Short programs in a process of their own: for what depends on the order of imports."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from . import plugin_django

ROOT = Path(__file__).parent.parent

# What a program needs to use an engine: settings(ENGINE, ...) from there on.
SETTINGS = """
import logging, os, sys, tests
logging.basicConfig(level="INFO", format="%(name)s: %(message)s", stream=sys.stdout)
logging.getLogger("psycopg").setLevel("ERROR")

def settings(engine="postgresql_psycopg", **options):
    from django.conf import settings
    from matrix.postgres import parse_url
    engine = "django_db_geventpool.backends." + engine
    server = parse_url(os.environ["DATABASE_URL"])
    default = {"ENGINE": engine, **server.django, "OPTIONS": {**server.options, **options}}
    settings.configure(DATABASES={"default": default})
    import django
    django.setup()
"""


def run(program: str, *path: object, **environ: str) -> str:
    """Run *program*; its output. Fails with that output if the program fails."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SETTINGS + textwrap.dedent(program)],
        env={
            **os.environ,
            **environ,
            "DATABASE_URL": plugin_django.SERVER.url,
            "PYTHONPATH": os.pathsep.join([*map(str, path), str(ROOT)]),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,  # PyPy takes its time to start
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
