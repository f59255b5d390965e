"""The suite's own options of the ``locust`` command."""

from __future__ import annotations

from typing import Any

from locust.argument_parser import LocustArgumentParser

from loadtests._inputs import Site
from loadtests._judge import Limits


def add(parser: LocustArgumentParser, **_: Any) -> None:
    group = parser.add_argument_group("Verdict options")
    group.add_argument(
        "--max-failure-ratio",
        type=float,
        default=0.01,
        metavar="<ratio>",
        help="Failed requests that still pass, as a share of all: 0.01 is one in a hundred, and "
        "the default",
    )
    group.add_argument(
        "--max-p95",
        type=float,
        default=2000.0,
        metavar="<ms>",
        help="Milliseconds in which 95 of 100 requests must be answered. Defaults to 2000",
    )
    group.add_argument(
        "--max-conns",
        type=int,
        metavar="<int>",
        help="Sessions that each worker process of the site may have. Defaults to what the site "
        "says",
    )
    group.add_argument(
        "--reuse-conns",
        type=int,
        metavar="<int>",
        help="Sessions that each worker process of the site may keep when the load has gone. "
        "Defaults to what the site says",
    )
    group.add_argument(
        "--verdict-json",
        metavar="<filename>",
        help="Store the verdict and its figures in this file as JSON",
    )


def limits(options: Any, site: Site) -> Limits:
    """What the options allow; where they are silent, what the site promises."""
    return Limits(
        max_conns=site.max_conns if options.max_conns is None else options.max_conns,
        reuse_conns=site.reuse_conns if options.reuse_conns is None else options.reuse_conns,
        max_failure_ratio=options.max_failure_ratio,
        max_p95=options.max_p95,
    )
