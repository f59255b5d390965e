"""What the site's pools say of themselves: its ``/pool/status.json``, asked while the load runs."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, defaultdict
from contextlib import suppress
from typing import Any
from urllib.request import urlopen

from loadtests._processes import processes as all_processes
from loadtests._run import SILENT, PoolMoment, PoolsAtEnd

#: Seconds from one question to the next. The pools themselves keep a sample of each second.
INTERVAL = 2.0
TIMEOUT = 5.0
#: Seconds for the site to end what its visitors have left behind, and to tell that it has.
SETTLE = 40.0
#: Seconds for which nothing changes before the end is looked at. The server is asked later:
#: in between no idle connection may come to the end of its MAX_LIFETIME, 2 seconds for some.
STEADY = 3.0
POOL = "default"


class Pools:
    """Those of all processes of all sites.

    :param urls: the sites'.
    :param prefix: how the application names of their sessions begin.
    """

    def __init__(self, urls: list[str], prefix: str) -> None:
        self._urls, self._prefix = urls, prefix
        #: By second in Unix time and by process.
        self._rows: dict[int, dict[int, dict[str, int]]] = defaultdict(dict)
        self._memory: list[tuple[float, float]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(INTERVAL):
            self._read()

    def _read(self) -> list[dict[str, Any]]:
        """One status for each site that answers."""
        answers = []
        for url in self._urls:
            address = f"{url}/pool/status.json"
            with suppress(OSError, ValueError), urlopen(address, timeout=TIMEOUT) as answer:
                answers.append(json.load(answer))
        processes = [process for status in answers for process in status["processes"]]
        if processes:
            pids = {process["pid"] for process in processes}
            kilobytes = sum(each.kilobytes for each in all_processes() if each.pid in pids)
            self._memory.append((time.time(), kilobytes / 1024))
        for status in answers:
            for process in status["processes"]:
                for row in process["pools"][POOL]["samples"]:
                    named = dict(zip(status["columns"], row))
                    self._rows[int(named["at"])][process["pid"]] = named
        return answers

    def finish(self) -> PoolsAtEnd:
        """Wait until all is given back and stays, or it has had its time; what they say then."""
        self._stop.set()
        self._thread.join()
        deadline = time.monotonic() + SETTLE
        steady_since, before = time.monotonic(), None
        while True:
            found, now = self._end(self._read()), time.monotonic()
            if found.not_free or found.open != before:
                steady_since, before = now, found.open
            if now - steady_since >= STEADY or now > deadline:
                return found
            time.sleep(0.5)

    def _end(self, answers: list[dict[str, Any]]) -> PoolsAtEnd:
        if len(answers) < len(self._urls) or any(POOL not in each["totals"] for each in answers):
            return PoolsAtEnd(not_free=SILENT)
        stats = {
            f"{self._prefix}{process['pid']}": process["pools"][POOL]["stats"]
            for status in answers
            for process in status["processes"]
        }
        totals = [status["totals"][POOL]["stats"] for status in answers]
        busy = ("in_use", "opening", "closing", "waiting")
        return PoolsAtEnd(
            open={name: each["idle"] for name, each in stats.items()},
            not_free=sum(each[name] for each in stats.values() for name in busy),
            checkouts=sum(each["checkouts"] for each in totals),
            connects=sum(sum(each["connect_time"]["counts"]) for each in totals),
            failed_connects=sum(each["failed_connects"] for each in totals),
            timeouts=sum(each["timeouts"] for each in totals),
            reclaims=sum(each["reclaims"] for each in totals),
            waits=sum(sum(each["wait_time"]["counts"]) for each in totals),
            discards=dict(sum((Counter(each["discards"]) for each in totals), Counter())),
        )

    def moments(self, began: float) -> tuple[PoolMoment, ...]:
        """One for each second: the sum over the processes.

        :param began: in Unix time.
        """
        seconds = range(min(self._rows, default=0), max(self._rows, default=-1) + 1)
        moments = []
        last_word = {pid: second for second, rows in sorted(self._rows.items()) for pid in rows}
        said: dict[int, dict[str, int]] = {}
        for second in seconds:
            # Who says nothing in a second is as it was: its clock drifts, or it is busy.
            said = {**said, **self._rows.get(second, {})}
            now = [row for pid, row in said.items() if second <= last_word[pid]]
            moments.append(
                PoolMoment(
                    at=second - began,
                    in_use=sum(row["in_use"] for row in now),
                    idle=sum(row["idle"] for row in now),
                    waiting=sum(row["waiting"] for row in now),
                    moving=sum(row["opening"] + row["closing"] for row in now),
                    most_in_use=max((row["in_use"] for row in now), default=0),
                )
            )
        return tuple(moments)

    def memory(self, began: float) -> tuple[tuple[float, float], ...]:
        """When, and MB that all processes together kept resident."""
        return tuple((at - began, megabytes) for at, megabytes in self._memory)
