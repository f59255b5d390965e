"""What a scenario can ask for, in words and as a function of what was measured.

A criterion is about the pool, not about the speed of the machine: times are compared with others of
the same run, and absolute limits are generous.
"""

from __future__ import annotations

import math

from loadtests._judge import Criterion, at_least, at_most
from loadtests._run import Run
from loadtests._scenario import Check


def failed_at_most(ratio: float, where: str = "") -> Check:
    """Of the requests that no disturbance touches.

    :param where: says so.
    """
    name = f"failed requests{where}"

    def check(run: Run) -> Criterion:
        return at_most(name, run.undisturbed().failure_ratio * 100, ratio * 100, "%")

    return Check(f"{name}: {f'at most {ratio * 100:g} %' if ratio else 'none'}", check)


def failed_outside_at_most(ratio: float) -> Check:
    return failed_at_most(ratio, where=" outside of the disturbances")


def p95_at_most(seconds: float) -> Check:
    def check(run: Run) -> Criterion:
        return at_most("p95", run.undisturbed().percentile(0.95), seconds * 1000, "ms")

    return Check(f"p95 at most {seconds:g} s", check)


def recovers_within(seconds: float) -> Check:
    """After each disturbance answers come again, and none of them fails."""

    def check(run: Run) -> Criterion:
        worst = max((run.recovery(span) for span in run.disturbed), default=math.inf)
        if math.isinf(worst):
            return Criterion("recovered after", "never", f"at most {seconds:g} s", False)
        return at_most("recovered after", worst, seconds, "s", digits=1)

    words = f"at most {seconds:g} s after each disturbance answers come again, and none fails"
    return Check(words, check)


def comes_back_down(to: int, of: int, times: float) -> Check:
    """p95 of stage *to* against that of stage *of*.

    Of the best quarter of their seconds: in the others the machine may have had other work.
    """

    def check(run: Run) -> Criterion:
        before = run.best_quarter(*run.stage(of)).percentile(0.95)
        after = run.best_quarter(*run.stage(to)).percentile(0.95)
        # Of a few milliseconds, the double is nothing.
        ratio = max(after, 50.0) / max(before, 50.0)
        return at_most("p95 in the end against the beginning", ratio, times, "times", digits=1)

    return Check(f"p95 in the end at most {times:g} times that of the beginning", check)


def serves_times(site: int, other: int, times: float) -> Check:
    def check(run: Run) -> Criterion:
        ours, theirs = run.answers(site=site).count, run.answers(site=other).count
        ratio = ours / theirs if theirs else 0.0
        shown = f"{ours} against {theirs}, {ratio:.1f} times"
        return Criterion("requests served", shown, f"at least {times:g} times", ratio >= times)

    return Check(f"RELEASE transaction serves at least {times:g} times as many", check)


def opened_at_most_once() -> Check:
    """Every connection is opened once, and kept."""

    def check(run: Run) -> Criterion:
        return at_most("connections opened", run.end.connects, run.scenario.budget)

    return Check("connections opened in all: at most MAX_CONNS for each process", check)


def pools_were_exhausted() -> Check:
    """Else the run has shown nothing."""

    def check(run: Run) -> Criterion:
        return at_least("requests that waited for a connection", run.end.waits, 1)

    return Check("requests had to wait for a connection", check)


def everybody_was_served() -> Check:
    """Where each user asks once."""

    def check(run: Run) -> Criterion:
        users = max(stage.users for stage in run.scenario.stages)
        return at_least("users served", run.answers().count, users)

    return Check("each user is served", check)


def nobody_timed_out() -> Check:
    def check(run: Run) -> Criterion:
        return at_most("PoolTimeouts", run.end.timeouts, 0)

    return Check("nobody got a PoolTimeout", check)


def transactions_were_seen(count: int) -> Check:
    """Else the run has shown nothing."""

    def check(run: Run) -> Criterion:
        seen = max((moment.in_transaction for moment in run.sampling.series), default=0)
        return at_least("sessions idle in transaction, at once", seen, count)

    return Check(f"at least {count} sessions were idle in transaction at once", check)


def unfit_were_dropped(count: int) -> Check:
    """Connections that a killed request has left in mid-query."""

    def check(run: Run) -> Criterion:
        return at_least("connections dropped in mid-query", run.end.discards.get("unfit", 0), count)

    return Check(f"at least {count} connections were dropped in mid-query", check)


def replaced_at_least(count: int) -> Check:
    def check(run: Run) -> Criterion:
        seen = run.end.discards.get("lifetime", 0)
        return at_least("connections replaced after MAX_LIFETIME", seen, count)

    return Check(f"at least {count} connections were replaced after MAX_LIFETIME", check)


def connects_while_away(each_second: float) -> Check:
    """Of each process: an outage must not become a storm of connects."""

    def check(run: Run) -> Criterion:
        seconds = sum(span.end - span.begin for span in run.disturbed)
        rate = run.end.failed_connects / run.scenario.processes / max(seconds, 1.0)
        name = "failed connects per process and second of outage"
        return at_most(name, rate, each_second, digits=1)

    return Check(
        f"failed connects per process and second of outage: at most {each_second:g}", check
    )


def memory_grows_at_most(times: float) -> Check:
    """From the second quarter of the run to its last."""

    def check(run: Run) -> Criterion:
        def mean(begin: float, end: float) -> float:
            whole = run.scenario.seconds
            found = [mb for at, mb in run.memory if begin * whole <= at < end * whole]
            return sum(found) / len(found) if found else 0.0

        before, after = mean(0.25, 0.5), mean(0.75, 1.0)
        ratio = after / before if before else 0.0
        return at_most("memory, last quarter against second", ratio, times, "times", digits=2)

    return Check(f"memory of the last quarter at most {times:g} times that of the second", check)
