"""The tests run on the package as it is installed: in a cell that is a wheel."""

from matrix import sources_last

sources_last()
