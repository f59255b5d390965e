"""A site that asks the database as soon as it is imported, which may be before a fork.

One connection of this process is then in a transaction, and one is idle.
"""

from __future__ import annotations

import threading

from django.db import connection

from . import wsgi  # which sets Django up
from .work import ask

application = wsgi.application


def use_another() -> None:
    print("the early idle session:", ask("SELECT pg_backend_pid()"), flush=True)
    connection.close()


connection.set_autocommit(False)
print("the early session:", ask("SELECT pg_backend_pid()"), flush=True)
thread = threading.Thread(target=use_another)
thread.start()
thread.join()
