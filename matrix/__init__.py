"""The harness around the package: servers to run against, and the cells to run."""
