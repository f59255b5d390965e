"""The judge of the scenarios, and what it asks of every run: the limit, and that all comes back.

What the server was seen to have and what the pools say of themselves must be the same.
"""

from __future__ import annotations

from loadtests._judge import Criterion, Limits, at_least, at_most, pool, sampled
from loadtests._run import SILENT, Run


def judge(run: Run) -> list[Criterion]:
    """Every criterion: the scenario's own first, then what is asked of every run."""
    own = [check.judge(run) for check in run.scenario.passes]
    limits = _budget(run) if run.scenario.behind == "pgbouncer" else _limits(run)
    return [*own, *limits, *_always(run)]


def _limits(run: Run) -> list[Criterion]:
    """On the server, by process; and what the pools say must be the same."""
    sites = run.scenario.sites
    most = max(site.max_conns for site in sites)
    kept = max(site.reuse_conns for site in sites)
    seen = {name: each.total for name, each in run.sampling.last.items()}
    told = {name: count for name, count in run.end.open.items() if count}
    return [
        *pool(run.sampling, Limits(most, kept)),
        same(
            "open connections, server and pools",
            sum(seen.values()),
            sum(told.values()),
            seen == told,
        ),
    ]


def _budget(run: Run) -> list[Criterion]:
    """PgBouncer's server sessions and clients, in every sample."""
    servers = max((moment.total for moment in run.sampling.series), default=0)
    clients = max((moment.clients for moment in run.sampling.series), default=0)
    last = run.sampling.series[-1].clients if run.sampling.series else 0
    busy = sum(each.total - each.idle for each in run.sampling.last.values())
    told = sum(run.end.open.values())
    return [
        at_most("PgBouncer's sessions on the server", servers, run.scenario.pool_size),
        at_least("PgBouncer's sessions on the server, seen", servers, 1),
        at_most("PgBouncer's clients", clients, run.scenario.budget),
        at_most("left in a transaction or busy", busy, 0),
        same("open connections, PgBouncer and pools", last, told, last == told),
    ]


def _always(run: Run) -> list[Criterion]:
    most = max((moment.most_in_use for moment in run.pools), default=0)
    limit = max(site.max_conns for site in run.scenario.sites)
    criteria = [
        at_most("in use per process, as the pools say", most, limit),
        at_least("seconds of which the pools told", len(run.pools), int(run.scenario.seconds / 2)),
        _all_free(run.end.not_free),
    ]
    if not run.scenario.may_reclaim:
        criteria.append(at_most("connections taken back from ended greenlets", run.end.reclaims, 0))
    criteria += [
        at_least("requests made", run.answers().count, 1),
        at_most("errors in the suite itself", run.errors, 0),
        *sampled(run.sampling, run.scenario.seconds - away(run)),
    ]
    if run.trouble:
        criteria.append(Criterion("load to the end", run.trouble, "no trouble", False))
    return criteria


def _all_free(count: int) -> Criterion:
    name = "slots not free in the end"
    if count == SILENT:
        return Criterion(name, "a site tells nothing", "at most 0", False)
    return at_most(name, count, 0)


def away(run: Run) -> float:
    """Seconds in which the server did not answer the sampler."""
    return sum(end - begin for begin, end in run.sampling.outages)


def same(name: str, one: int, other: int, ok: bool) -> Criterion:
    return Criterion(name, f"{one}, {other}", "the same", ok)
