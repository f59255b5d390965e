"""Real servers and packages on the pool: ``tox -e servers``, once for all cells.

Each test starts the real thing with the site of ``tests/servers/site`` in a process of its own, and
reads off PostgreSQL and off the pool what became of the connections.
"""
