"""The harness around the package: servers to run against, and the cells to run."""

#: The exit code of what cannot run here because something is not installed (an interpreter, a
#: server, a container engine): neither passed nor failed, as automake has it.
ABSENT = 77
