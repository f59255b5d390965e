"""The scenarios: what they declare is sound, and each criterion of them can fail."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from loadtests import _command, _docs, scenarios
from loadtests._judge import Moment, Sessions
from loadtests._notes import Notes, round_to_two_digits
from loadtests._record import Record, summary_table
from loadtests._rules import judge
from loadtests._run import Answers, Run, Second
from matrix import ROOT, markers

from . import made_up_run
from .made_up_run import NAMES, answers, end, sampling

BAD = Answers(failed=5, times={9000: 40})
SLOW = Answers(times={30_000: 40})


def failed(run: Run) -> list[str]:
    return [criterion.name for criterion in judge(run) if not criterion.ok]


# -- the declarations


def test_there_is_a_module_for_each_name_and_a_name_for_each_module() -> None:
    files = (ROOT / "loadtests" / "scenarios").glob("*.py")
    modules = {path.stem for path in files if path.stem != "__init__"}
    assert modules == set(scenarios.NAMES)
    assert len(scenarios.NAMES) == len(modules)


@pytest.mark.parametrize("name", scenarios.NAMES)
def test_each_asks_a_question_has_stages_and_says_what_passes(name: str) -> None:
    scenario = scenarios.load(name)
    assert scenario.question.endswith("?") and scenario.question.count("?") == 1
    assert scenario.passes and scenario.visitors
    assert all(stage.seconds > stage.users / stage.spawn_rate for stage in scenario.stages)
    assert scenario.seconds <= 60
    assert (scenario.pool_size > 0) == (scenario.behind == "pgbouncer")


@pytest.mark.parametrize("name", scenarios.NAMES)
def test_disturbances_follow_each_other_and_leave_time_to_recover(name: str) -> None:
    scenario = scenarios.load(name)
    before = 3.0  # else nobody knows how it was without
    for each in scenario.disturbances:
        assert each.at >= before + 3
        before = each.at + each.seconds + each.settling
    assert before + 3 <= scenario.seconds


def test_all_of_them_take_less_than_twelve_minutes() -> None:
    each_begins_and_ends_in = 15
    seconds = [scenarios.load(name).seconds + each_begins_and_ends_in for name in scenarios.NAMES]
    assert sum(seconds) < 12 * 60


def test_minutes_make_the_longest_stage_longer_and_nothing_shorter() -> None:
    soak = scenarios.load("soak")
    assert soak.lasting(10).seconds == 600
    assert [stage.seconds for stage in soak.lasting(10).stages] == [15, 570, 15]
    assert soak.lasting(0.1).stages == soak.stages


def test_the_docs_have_the_scenarios_as_they_are() -> None:
    text = _docs.PAGE.read_text("utf-8")
    _, written, _ = markers.split(text, _docs.BEGIN, _docs.END)
    assert written.strip() == _docs.table(), "python -m loadtests._docs"


def test_the_readme_names_the_command() -> None:
    assert "tox -e load -- all" in (ROOT / "README.md").read_text("utf-8")


# -- the command line


def test_a_wrong_name_is_one_sentence_that_lists_the_right_ones() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loadtests", "spike", "sprike"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: 'sprike' is no scenario; these are: cold_start, steady, ")
    assert all(name in line for name in (*scenarios.NAMES, "all"))


def test_only_what_comes_before_the_first_option_is_a_name() -> None:
    assert _command.names_in(["-u", "300", "-t", "60s"]) == ([], ["-u", "300", "-t", "60s"])
    assert _command.names_in(["spike", "soak", "--minutes", "3"]) == (
        ["spike", "soak"],
        ["--minutes", "3"],
    )


def test_options_that_are_not_ours_are_for_locust() -> None:
    own, others = _command.parse(["--minutes", "3", "--master", "--expect-workers", "2"])
    assert own.minutes == 3
    assert others == ["--master", "--expect-workers", "2"]


# -- the judge


def test_what_is_answered_in_the_second_in_which_locust_begins_counts() -> None:
    times = [Second(at, 0, Answers(times={8: 500})) for at in (-0.3, 0.7)]
    assert made_up_run.run("cold_start", seconds=tuple(times)).answers().count == 1000
    assert not failed(made_up_run.run("cold_start", seconds=tuple(times)))


@pytest.mark.parametrize("name", scenarios.NAMES)
def test_a_run_in_which_all_is_well_passes(name: str) -> None:
    assert failed(made_up_run.run(name)) == []


@pytest.mark.parametrize("name", scenarios.NAMES)
def test_every_criterion_of_a_scenario_fails_where_nothing_was_measured_or_all_is_bad(
    name: str,
) -> None:
    """For each: some run in which it does not hold."""
    scenario = scenarios.load(name)
    last_stage = range(int(scenario.seconds - scenario.stages[-1].seconds), int(scenario.seconds))
    bad = [
        made_up_run.run(name, seconds=answers(scenario, dict.fromkeys(range(99), BAD))),
        made_up_run.run(name, seconds=answers(scenario, dict.fromkeys(range(99), SLOW))),
        made_up_run.run(name, seconds=answers(scenario, dict.fromkeys(last_stage, SLOW))),
        made_up_run.run(name, end=end(connects=99, failed_connects=9999, timeouts=1)),
        made_up_run.run(name, end=end(waits=0, discards={})),
        made_up_run.run(name, seconds=()),
        made_up_run.run(name, sampling=sampling(scenario)),
        made_up_run.run(name, memory=tuple((at, 100.0 + at**2) for at in range(60))),
    ]
    if name == "mixed":
        bad.append(made_up_run.run(name, seconds=answers(scenario, dict.fromkeys(range(99), SLOW))))
        bad[-1] = replace(bad[-1], seconds=tuple(s for s in bad[-1].seconds if s.site == 0))
    for check in scenario.passes:
        assert any(not check.judge(run).ok for run in bad), check.words
        assert check.judge(made_up_run.run(name)).ok, check.words


def moments(**changed: Any) -> list[Moment]:
    counts = {"total": 8, "active": 5, "in_transaction": 4, "most": 4, "clients": 4, **changed}
    return [Moment(at, **counts) for at in range(30)]


LAST = {name: Sessions(2, 2) for name in NAMES}
STEADY, BEYOND = scenarios.load("steady"), scenarios.load("beyond_one_machine")


@pytest.mark.parametrize(
    ("changed", "criterion"),
    [
        (
            {"sampling": sampling(STEADY, last=LAST, peak={"shop-1": Sessions(9)})},
            "peak sessions per process",
        ),
        (
            {"sampling": sampling(STEADY, last={"shop-1": Sessions(2, 2)})},
            "open connections, server and pools",
        ),
        (
            {
                "sampling": sampling(
                    STEADY, last={"shop-1": Sessions(1, 1), "shop-2": Sessions(3, 3)}
                )
            },
            "open connections, server and pools",
        ),
        ({"end": end(not_free=1)}, "slots not free in the end"),
        ({"end": end(not_free=-1)}, "slots not free in the end"),
        ({"end": end(reclaims=1)}, "connections taken back from ended greenlets"),
        ({"pools": ()}, "seconds of which the pools told"),
        ({"errors": 1}, "errors in the suite itself"),
        ({"trouble": "Locust ended early"}, "load to the end"),
        ({"seconds": ()}, "requests made"),
        ({"sampling": sampling(STEADY, last=LAST, samples=100)}, "samples taken"),
    ],
)
def test_what_is_asked_of_every_run_can_fail_alone(changed: dict[str, Any], criterion: str) -> None:
    assert failed(made_up_run.run("steady", **changed)) == [criterion]


def test_more_in_use_than_the_limit_fails_whatever_the_server_says() -> None:
    run = made_up_run.run("steady")
    pools = (replace(run.pools[0], most_in_use=9), *run.pools[1:])
    assert failed(replace(run, pools=pools)) == ["in use per process, as the pools say"]


@pytest.mark.parametrize(
    ("series", "criterion"),
    [
        (moments(total=11), "PgBouncer's sessions on the server"),
        (moments(total=0), "PgBouncer's sessions on the server, seen"),
        ([*moments(clients=33), *moments()[:1]], "PgBouncer's clients"),
        (moments(clients=5), "open connections, PgBouncer and pools"),
    ],
)
def test_the_budget_behind_pgbouncer_fails_by_a_single_sample(
    series: list[Moment], criterion: str
) -> None:
    run = made_up_run.run("beyond_one_machine", sampling=sampling(BEYOND, series=series))
    assert failed(run) == [criterion]


def test_workers_that_are_replaced_may_leave_connections_to_be_taken_back() -> None:
    assert failed(made_up_run.run("workers_restart", end=end(reclaims=3))) == []


def test_a_failure_in_a_disturbance_is_forgiven_and_one_outside_is_not() -> None:
    scenario = scenarios.load("server_restart")
    first = scenario.disturbances[0]

    def with_a_failure(at: float) -> list[str]:
        one = {int(at): Answers(failed=1, times={8: 40})}
        return failed(made_up_run.run("server_restart", seconds=answers(scenario, one)))

    assert with_a_failure(first.at) == []
    assert with_a_failure(first.at + first.settling - 2) == []
    assert with_a_failure(first.at - 3) == ["failed requests outside of the disturbances"]
    assert with_a_failure(scenario.seconds - 1) == ["failed requests outside of the disturbances"]


@pytest.mark.parametrize("bad", [Answers(failed=1, times={8: 40}), Answers()])
def test_it_has_recovered_when_answers_come_and_none_fails_any_more(
    bad: Answers,
) -> None:
    scenario = scenarios.load("server_restart")
    first = int(scenario.disturbances[0].at)

    def recoveries(*late: int) -> list[float]:
        seconds = answers(scenario, {first + each: bad for each in late})
        run = made_up_run.run("server_restart", seconds=seconds)
        return [run.recovery(span) for span in run.disturbed]

    assert recoveries() == [0.0, 0.0]
    assert recoveries(0, 1, 2) == [3.0, 0.0]
    assert recoveries(0, 3) == [4.0, 0.0]
    assert recoveries(*range(40)) == [math.inf, math.inf]
    run = made_up_run.run(
        "server_restart", seconds=answers(scenario, dict.fromkeys(range(99), bad))
    )
    assert judge(run)[1].measured == "never"


def test_the_end_is_compared_with_the_beginning_by_their_best_seconds() -> None:
    scenario = scenarios.load("spike")
    end = range(int(scenario.seconds) - 18, int(scenario.seconds))

    def names(slow: range) -> list[str]:
        return failed(
            made_up_run.run("spike", seconds=answers(scenario, dict.fromkeys(slow, SLOW)))
        )

    assert names(end[:12]) == []
    assert names(end) == ["p95 in the end against the beginning"]


def test_percentiles_are_those_of_all_answers_together() -> None:
    both = Answers(times={10: 90}) + Answers(failed=1, times={10: 5, 500: 5})
    assert (both.count, both.failed) == (100, 1)
    assert (both.percentile(0.5), both.percentile(0.95), both.percentile(0.96)) == (10, 10, 500)
    assert Answers().percentile(0.5) == 0


# -- the summary


def record(name: str = "spike", **changed: Any) -> Record:
    run = made_up_run.run(name, **changed)
    return Record(name, run, tuple(judge(run)))


def test_the_summary_has_a_line_for_each_and_says_which_failed() -> None:
    records = [record("spike"), record("soak", errors=1)]
    heading, one, other = summary_table(records).splitlines()
    assert heading.split()[0] == "scenario"
    assert one.startswith("spike ") and one.endswith(" passed")
    assert other.startswith("soak ") and other.endswith(" FAILED")


def test_a_record_as_json_can_be_read_again() -> None:

    read = json.loads(json.dumps(record(errors=1).as_json()))
    assert not read["passed"]
    assert read["run"]["seconds"][0]["answers"]["times"] == {"8": 40}


# -- what Locust notes


def test_the_notes_of_workers_add_up_at_their_master() -> None:
    master, workers = Notes(), [Notes(), Notes()]
    for worker in workers:
        worker.note(response_time=123.4, exception=None, context={"site": 0}, name="/")
        worker.note(response_time=8.2, exception=OSError(), context={"site": 1}, name="/")
        data: dict[str, Any] = {}
        worker.hand_over(data, client_id="worker")
        master.take_over(data, client_id="worker")
        worker.hand_over(data)
        assert data["notes"] == {}
    sums = [
        (site, sum(row[2] for row in rows), sum((Counter(row[3]) for row in rows), Counter()))
        for site in (0, 1)
        if (rows := [row for row in master.as_rows() if row[1] == site])
    ]
    assert sums == [(0, 0, {"120": 2}), (1, 2, {"8": 2})]


@pytest.mark.parametrize(
    ("milliseconds", "rounded"),
    [(0.3, 0), (9.6, 10), (99.4, 99), (123.4, 120), (5678.0, 5700), (12_345.0, 12_000)],
)
def test_times_are_rounded_to_two_digits(milliseconds: float, rounded: int) -> None:
    assert round_to_two_digits(milliseconds) == rounded
