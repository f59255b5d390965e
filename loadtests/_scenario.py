"""What a scenario consists of: a question, a table of stages, and what passes.

``loadtests/scenarios/`` has them, one to a module. They declare only: ``loadtests._stages`` is the
part that Locust plays, ``loadtests._world`` what it is played on, ``loadtests._rules`` the judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loadtests._judge import Criterion
    from loadtests._run import Run
    from loadtests._world import World


@dataclass(frozen=True)
class Stage:
    """So many visitors for so long."""

    seconds: float
    users: int
    spawn_rate: float
    """Visitors that come (or go) in a second, until there are as many."""


@dataclass(frozen=True)
class Site:
    """A gunicorn master with its workers: what is not the shop's default."""

    name: str = "site"
    workers: int = 2
    max_conns: int = 8
    reuse_conns: int = 4
    release: str = "request"
    max_lifetime: int = 3600
    """Seconds."""

    @property
    def environ(self) -> dict[str, str]:
        return {
            "DEMO_WORKERS": str(self.workers),
            "DEMO_MAX_CONNS": str(self.max_conns),
            "DEMO_REUSE_CONNS": str(self.reuse_conns),
            "DEMO_RELEASE": self.release,
            "DEMO_MAX_LIFETIME": str(self.max_lifetime),
        }


@dataclass(frozen=True)
class Disturbance:
    """Something that happens to the site in mid-run."""

    at: float
    """Seconds after the first stage has begun."""
    what: str
    begin: Callable[[World], None]
    end: Callable[[World], None] | None = None
    seconds: float = 0.0
    """From its begin to its end."""
    settling: float = 5.0
    """Seconds after its end in which requests may still fail for it."""


@dataclass(frozen=True)
class Check:
    """A criterion, in words and as a function of what was measured."""

    words: str
    judge: Callable[[Run], Criterion]


@dataclass(frozen=True)
class Scenario:
    question: str
    stages: tuple[Stage, ...]
    visitors: Mapping[str, int]
    """Classes of ``loadtests._visitors`` with their weights; by name, for that imports Locust."""
    passes: tuple[Check, ...]
    """Besides what is asked of every run."""
    pause: tuple[float, float] = (0.1, 0.5)
    """Seconds between two requests of a visitor, at least and at most."""
    sites: tuple[Site, ...] = (Site(),)
    behind: str = "server"
    """What the sites log in to: a "server", one that is "restartable", a "proxy" before a server,
    or a "pgbouncer"."""
    pool_size: int = 0
    """PgBouncer's default_pool_size."""
    locust_processes: int = 0
    """Locust's workers, beside a master; 0 is one process for all."""
    disturbances: tuple[Disturbance, ...] = ()
    may_reclaim: bool = False
    """Whether greenlets are killed that cannot give their connection back themselves."""

    @property
    def seconds(self) -> float:
        return sum(stage.seconds for stage in self.stages)

    @property
    def processes(self) -> int:
        """Of all sites: each has a pool."""
        return sum(site.workers for site in self.sites)

    @property
    def budget(self) -> int:
        """The connections that all pools together may have."""
        return sum(site.workers * site.max_conns for site in self.sites)

    def lasting(self, minutes: float) -> Scenario:
        """The same with its longest stage made so long that all takes *minutes*."""
        longest = max(self.stages, key=lambda stage: stage.seconds)
        seconds = longest.seconds + minutes * 60 - self.seconds
        longer = replace(longest, seconds=max(longest.seconds, seconds))
        stages = (longer if stage is longest else stage for stage in self.stages)
        return replace(self, stages=tuple(stages))
