"""One concern to a plugin; nothing else lives here."""

pytest_plugins = [
    "tests.plugin_django",
    "tests.plugin_pgbouncer",
    "tests.plugin_proxy",
    "tests.plugin_versions",
    "tests.plugin_world",
]
