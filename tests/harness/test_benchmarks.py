"""The benchmarks: what they make of the figures, and that each contender can be had."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest

from benchmarks import document, envs, report, runs, teams
from benchmarks.__main__ import MAX_CONNECTIONS, judge
from benchmarks.figures import MEASURES, Spread, is_met, lines, ratios
from benchmarks.peers import PEERS
from benchmarks.plan import PGBENCH, RACES, Bar, Race, gated, peer_of
from benchmarks.record import Record, Unfit, load, merge
from benchmarks.sampler import Sampler, part_of
from matrix import ROOT, lock, postgres

OURS, OTHER, THIRD = "ours-psycopg3", "psycopg-pool", "sqlalchemy"
RACE = Race(
    "checkout-alone",
    "checkout and return",
    "checkout",
    (OTHER, OURS, THIRD),
    ("cpu",),
    count=100,
    quick=10,
    reference=OTHER,
    bars=(Bar(OURS, "cpu", 0.5, OTHER),),
    size=2,
    arguments={"greenlets": 3, "connections": 2},
)


def cpu(*seconds: float) -> list[dict[str, float]]:
    """Runs of two operations each."""
    return [{"cpu": 2 * each, "wall": 4 * each, "count": 2} for each in seconds]


def record(**changed: object) -> Record:
    made = Record(
        "a machine",
        "a server",
        ["2026-01-02 03:04 UTC"],
        ["abc"],
        [0.5],
        rounds={"checkout-alone": {OTHER: cpu(4, 8, 10), OURS: cpu(1, 4, 3), THIRD: cpu(8, 8, 8)}},
        versions={"Django": "5.2"},
    )
    return replace(made, **changed)  # type: ignore[arg-type]


# -- arithmetic


def test_a_ratio_is_that_of_neighbours_and_not_of_averages() -> None:
    rounds = {OTHER: cpu(1, 10, 100), OURS: cpu(2, 20, 50)}
    assert ratios(rounds, OURS, OTHER, "cpu") == [2, 2, 0.5]


def test_a_spread_is_the_median_between_the_extremes() -> None:
    assert Spread.of([3, 1, 2]) == Spread(2, 1, 3)
    assert Spread.of([4, 1]) == Spread(median([4, 1]), 1, 4)


def test_the_figures_are_those_of_one_operation() -> None:
    run = {"cpu": 1.0, "wall": 2.0, "count": 4, "bytes": 4096}
    made = {name: measure.value(run) for name, measure in MEASURES.items()}
    assert made == {"cpu": 0.25, "rate": 2.0, "wall": 2.0, "memory": 1024}


@pytest.mark.parametrize(
    ("least", "ratio", "met"),
    [(False, 0.5, True), (False, 0.51, False), (True, 0.5, True), (True, 0.49, False)],
)
def test_a_bar_is_met_by_the_median(least: bool, ratio: float, met: bool) -> None:
    assert is_met(Bar(OURS, "cpu", 0.5, OTHER, least=least), Spread(ratio, 0.0, 9.0)) is met


def test_each_contender_has_a_line_and_the_bar_is_on_ours() -> None:
    found = lines(RACE, record().rounds["checkout-alone"])
    assert [(line.contender, line.met) for line in found] == [
        (OTHER, None),
        (OURS, True),
        (THIRD, None),
    ]
    assert found[0].ratio is None
    assert found[1].ratio == Spread(0.3, 0.25, 0.5)


def test_a_bar_against_another_than_the_reference_has_a_line_of_its_own() -> None:
    race = replace(RACE, bars=(Bar(OURS, "cpu", 0.3, THIRD),))
    found = lines(race, record().rounds["checkout-alone"])
    assert [(line.contender, line.against, line.met) for line in found if line.bar] == [
        (OURS, THIRD, False)
    ]
    assert len(found) == 4


def test_of_the_bars_of_one_choice_any_one_is_enough() -> None:
    missed = Bar(OURS, "rate", 100, THIRD, least=True, choice="third")
    race = replace(RACE, bars=(missed, Bar(OURS, "cpu", 0.5, THIRD, choice="third")))
    rounds = record().rounds["checkout-alone"]
    assert [line.met for line in lines(race, rounds) if line.bar] == [True, True]
    race = replace(RACE, bars=(missed, Bar(OURS, "cpu", 0.1, THIRD, choice="third")))
    assert [line.met for line in lines(race, rounds) if line.bar] == [False, False]


def test_a_contender_that_is_absent_has_no_line_and_says_why() -> None:
    rounds = {OTHER: cpu(1), THIRD: cpu(1)}
    assert [line.contender for line in lines(RACE, rounds)] == [OTHER, THIRD]
    absent = {"checkout-alone": {OURS: "no such option\nand more"}}
    text = report.table(record(rounds={"checkout-alone": rounds}, absent=absent))
    assert "ours, psycopg 3: absent (no such option)" in text.splitlines()[-1]


def test_the_gate_has_a_limit_of_its_own_and_fails_beyond_that(
    capsys: pytest.CaptureFixture[str],
) -> None:
    race = gated(replace(RACE, gate=0.8))
    just = record(rounds={"checkout-alone": {OTHER: cpu(1), OURS: cpu(0.8)}})
    assert judge(just, [race]) == 0
    assert capsys.readouterr().err == ""
    beyond = record(rounds={"checkout-alone": {OTHER: cpu(1), OURS: cpu(0.81)}})
    assert judge(beyond, [race]) == 1
    assert "checkout-alone: ours, psycopg 3" in capsys.readouterr().err


def test_the_gate_runs_only_those_that_a_bar_names() -> None:
    assert gated(RACE).contenders == (OTHER, OURS)


def test_no_gate_is_stricter_than_the_bar() -> None:
    with_gate = [race for race in RACES if race.gate is not None]
    assert with_gate
    assert all(race.gate >= bar.limit for race in with_gate for bar in race.bars)


# -- records


def test_the_rounds_of_several_runs_are_put_together() -> None:
    merged = merge([record(), record(dates=["later"]), record(commits=["def"])])
    assert len(merged.rounds["checkout-alone"][OURS]) == 9
    assert merged.dates == ["2026-01-02 03:04 UTC", "later", "2026-01-02 03:04 UTC"]
    assert merged.commits == ["abc", "def"]
    assert merged.loads == [0.5, 0.5, 0.5]
    profiles = {OURS: {"pool": 0.1}}
    assert merge([record(), record(profiles=profiles)]).profiles == profiles


@pytest.mark.parametrize(
    ("other", "word"),
    [
        ({"machine": "another"}, "machine"),
        ({"versions": {"Django": "6.0"}}, "versions"),
        ({"quick": True}, "quick"),
        ({"rounds": {}}, "contenders"),
    ],
)
def test_runs_that_do_not_belong_together_are_not_merged(
    other: dict[str, object], word: str
) -> None:
    with pytest.raises(Unfit, match=word):
        merge([record(), record(**other)])


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    record().save(path)
    assert load(path) == record()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1, "what": 2}'])
def test_a_file_that_is_no_run_is_refused_with_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(Unfit, match=r"run\.json is "):
        load(tmp_path / "run.json")


# -- the page


def test_the_page_has_the_figures_between_its_markers_and_its_plots_beside_it(
    tmp_path: Path,
) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(f"# Above\n\n{document.BEGIN}\nold\n{document.END}\nbelow\n")
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "gone.svg").touch()
    document.render(record(), page)
    text = page.read_text()
    assert text.startswith("# Above\n") and text.endswith("below\n") and "old" not in text
    assert "| ours, psycopg 3 | 3 s CPU | 0.30 [0.25 .. 0.50] | at most 0.50 | met |" in text
    assert "a machine" in text and "2026-01-02" in text
    linked = re.findall(r"\]\((.*?\.svg)\)", text)
    assert [path.name for path in (tmp_path / "benchmarks").iterdir()] == ["checkout-alone.svg"]
    assert linked == ["benchmarks/checkout-alone.svg"]


def test_the_same_figures_make_the_same_plot(tmp_path: Path) -> None:
    from benchmarks import plots

    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        path = plots.draw(RACE, record(), tmp_path / name)
        assert path is not None
        made.append(path.read_bytes())
    assert made[0] == made[1]
    assert b"<dc:date>" not in made[0]


def test_a_page_without_markers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("nothing")
    with pytest.raises(Unfit, match=r"page\.md has no"):
        document.render(record(), tmp_path / "page.md")


def test_the_page_of_the_repository_tells_what_each_race_is() -> None:
    text = document.PAGE.read_text(encoding="utf-8")
    assert document.BEGIN in text and document.END in text
    told = text.partition(document.BEGIN)[0]
    assert [race.name for race in RACES if f"`{race.name}`" not in told] == []


# -- the plan


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
def test_the_names_of_a_race_are_known(race: Race) -> None:
    known = set(race.contenders)
    assert {peer_of(each) for each in known} <= {*PEERS, PGBENCH}
    assert {each.partition(":")[2] for each in known} <= {"", *race.variants}
    assert race.reference in {"", *known}
    for bar in race.bars:
        assert bar.contender in known and bar.against in {"", *known}
        assert bar.measure in MEASURES
    assert (ROOT / "benchmarks" / "workloads" / f"{race.workload}.py").exists()


@pytest.mark.parametrize("name", PEERS)
def test_a_contender_has_a_lock_with_hashes(name: str) -> None:
    path = envs.lock_of(PEERS[name])
    assert path in lock.compiled()
    pinned = re.findall(r"^\S+==.*$(?:\n +.*$)*", path.read_text("utf-8"), re.M)
    assert pinned and all("--hash=sha256:" in each for each in pinned)


def test_all_contenders_have_the_same_versions_of_what_they_share() -> None:
    pinned: dict[str, set[str]] = {}
    for path in envs.LOCKS.glob("*.txt"):
        for name, version in re.findall(r"^([\w-]+)==([\w.]+)", path.read_text("utf-8"), re.M):
            pinned.setdefault(name, set()).add(version)
    assert {"django", "gevent", "psycopg", "psycopg2-binary"} <= set(pinned)
    assert {name for name, versions in pinned.items() if len(versions) > 1} == set()


def test_no_lock_is_left_without_a_contender() -> None:
    used = {envs.lock_of(peer) for peer in PEERS.values()}
    assert used == set(envs.LOCKS.glob("*.txt"))
    assert {path.with_suffix(".in") for path in used} == set(envs.LOCKS.glob("*.in"))


def test_an_environment_holds_our_package_only_for_our_contenders(tmp_path: Path) -> None:
    def importable(name: str) -> set[str]:
        return {path.name for path in envs._folder(PEERS[name], tmp_path).iterdir()}

    assert importable(OURS) == {"benchmarks", "django_db_geventpool"}
    assert importable("public-psycopg3") == {"benchmarks"}


# -- the profile


@pytest.mark.parametrize(
    ("module", "part"),
    [
        ("django_db_geventpool.pool", "pool: checkout and return"),
        ("django_db_geventpool.drivers.psycopg3", "driver, with the wait"),
        ("psycopg_binary.pq", "driver, with the wait"),
        ("django.db.models.query", "Django's ORM"),
        ("django.db.utils", "Django's connection handling"),
        ("djangos", None),
        ("weakref", None),
    ],
)
def test_a_module_counts_for_its_part(module: str, part: str | None) -> None:
    assert part_of(module) == part


def test_the_shares_of_a_profile_are_of_one_whole() -> None:
    with Sampler() as sampler:
        while sum(sampler._seen.values()) < 5:
            sum(range(1000))
    assert sum(sampler.shares().values()) == pytest.approx(1)


# -- the real thing


def here() -> envs.Env:
    """This interpreter, with all that it has installed."""
    return envs.Env(Path(sys.executable), ROOT)


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    with postgres.server() as started:
        yield started


def test_a_race_of_ours_has_figures_for_each_round(
    server: postgres.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(envs, "env", lambda peer: here())
    race = replace(RACE, contenders=(OURS,), reference=OURS, bars=())
    made = record(rounds={}, versions={})
    runs.run(race, runs.Scale(rounds=2), server, made, lambda progress: None)
    figures = made.rounds["checkout-alone"][OURS]
    assert [run["count"] for run in figures] == [99, 99]
    assert all(run["cpu"] > 0 for run in figures)
    assert {"Python", "Django", "gevent", "psycopg"} <= set(made.versions)


def test_a_contender_whose_settings_are_refused_is_absent(
    server: postgres.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(envs, "env", lambda peer: here())
    refused = replace(PEERS[OURS], database=lambda size: {"ENGINE": "no"})
    monkeypatch.setitem(PEERS, OURS, refused)
    race = replace(RACE, contenders=(OURS,), reference="", bars=(), optional=frozenset({OURS}))
    made = record(rounds={})
    runs.run(race, runs.Scale(rounds=1), server, made, lambda progress: None)
    assert made.rounds["checkout-alone"] == {}
    assert "'no' isn't an available database backend" in made.absent["checkout-alone"][OURS]
    with pytest.raises(teams.WorkerFailed, match="is refused"):
        runs.run(
            replace(race, optional=frozenset()), runs.Scale(1), server, made, lambda progress: None
        )


def test_a_worker_that_breaks_down_says_why_and_not_the_password(server: postgres.Server) -> None:
    race = replace(RACE, workload="missing")
    with (
        pytest.raises(teams.WorkerFailed, match="No module named.*missing") as raised,
        teams.worker(race, OURS, here(), server),
    ):
        pass
    assert server.password not in str(raised.value)


# -- the command


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "nothing"], "--only nothing: there is no such race; it can be wait-psycopg3"),
        (["--docs", "missing.json"], "missing.json: No such file or directory."),
        (["--rounds", "0"], "--rounds is 0; it must be at least 1."),
    ],
)
def test_a_bad_input_is_one_sentence(arguments: list[str], words: str) -> None:
    done = command(*arguments)
    assert done.returncode == 2
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_the_server_admits_all_that_a_cold_start_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg

    for name in ("DATABASE_URL", "PGHOST", "PG_PROVIDER"):
        monkeypatch.delenv(name, raising=False)
    (room,) = {race.arguments["sessions"] for race in RACES if race.workload == "cold"}
    environ = {**os.environ, "PG_MAX_CONNECTIONS": MAX_CONNECTIONS}
    with postgres.server(environ) as server, psycopg.connect(server.url) as connection:
        row = connection.execute("SHOW max_connections").fetchone()
    assert row == (MAX_CONNECTIONS,)
    assert int(MAX_CONNECTIONS) > room
