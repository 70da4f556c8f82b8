"""A home that plays the past: told by the clock that decided its days, and kept from ending."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from reengage import db
from reengage.clock import RunningClock, wall_clock
from reengage.journey import simulation
from reengage.policy import read_policy
from reengage.settings import DEMO_SOURCES, INCLUDE, settings
from reengage_local import up

POLICY = read_policy()
WALL = datetime(2026, 11, 28, 15, tzinfo=UTC)
DAY = timedelta(days=1)


def run(engine: sa.Engine, as_of: date, *, wall: datetime, is_simulated: bool = True) -> None:
    """A day as it is decided: at 10:00 after it and on until 22:00, or when the wall says."""
    morning = datetime.combine(as_of + DAY, datetime.min.time(), POLICY.brand.zone)
    decided_at = morning + timedelta(hours=10) if is_simulated else wall
    if is_simulated:
        simulation.note(engine, decided_at, lambda: wall)
    with engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO cohort.day VALUES (:day, 'p1', :at, 1) ON CONFLICT DO NOTHING"),
            {"day": as_of, "at": decided_at},
        )
    if is_simulated:
        simulation.note(engine, morning + timedelta(hours=22), lambda: wall)


def test_days_long_gone_are_the_past_and_go_on_by_days(warehouse: sa.Engine) -> None:
    for as_of in (date(1997, 6, 30), date(1997, 7, 30)):
        run(warehouse, as_of, wall=WALL)
    played = simulation.of(warehouse, POLICY)
    assert played is not None
    assert (played.today, played.next_day) == ("31 Jul 1997", date(1997, 7, 31))
    assert simulation.clock(warehouse, POLICY)() == datetime(1997, 8, 1, 2, tzinfo=UTC)
    for fine in (date(1997, 7, 1), date(1997, 7, 31), date(1998, 6, 30)):
        simulation.check_step(warehouse, POLICY, fine)
    for leap in (date(1999, 1, 1), date(2026, 11, 27)):
        with pytest.raises(
            simulation.PlaysThePast, match=rf"31 Jul 1997 .* {leap} .*AS_OF=1997-07-31"
        ):
            simulation.check_step(warehouse, POLICY, leap)
    with pytest.raises(simulation.PlaysThePast, match="REENGAGE_HOME=/some/where make up"):
        simulation.refuse_today(warehouse, POLICY)


def test_yesterdays_day_by_day_and_a_pause_are_the_present(warehouse: sa.Engine) -> None:
    for days in range(5):
        run(warehouse, WALL.date() + DAY * (days - 1), wall=WALL + DAY * days)
    for later in (DAY, 200 * DAY):  # the home is as old as it may be
        run(warehouse, WALL.date() + 3 * DAY, wall=WALL + later)
        assert simulation.of(warehouse, POLICY) is None
    assert simulation.clock(warehouse, POLICY) is wall_clock
    simulation.check_step(warehouse, POLICY, WALL.date() + 800 * DAY)
    simulation.refuse_today(warehouse, POLICY)


def test_what_was_begun_some_days_late_is_caught_up(warehouse: sa.Engine) -> None:
    run(warehouse, WALL.date() - 7 * DAY, wall=WALL)
    assert simulation.of(warehouse, POLICY) is None
    run(warehouse, WALL.date() - DAY, wall=WALL)
    assert simulation.of(warehouse, POLICY) is None


def test_a_past_that_is_walked_through_arrives_in_the_present(warehouse: sa.Engine) -> None:
    for days in (90, 60, 40):
        run(warehouse, WALL.date() - days * DAY, wall=WALL)
        assert simulation.of(warehouse, POLICY) is not None
        simulation.check_step(warehouse, POLICY, WALL.date() - DAY)
    run(warehouse, WALL.date() - DAY, wall=WALL)
    assert simulation.of(warehouse, POLICY) is None


def test_real_days_are_no_past_whatever_was_typed_beside_them(warehouse: sa.Engine) -> None:
    run(warehouse, date(2026, 1, 10), wall=datetime(2026, 1, 11, 9, tzinfo=UTC), is_simulated=False)
    simulation.note(warehouse, datetime(1997, 10, 1, 14, tzinfo=UTC), lambda: WALL)
    assert simulation.of(warehouse, POLICY) is None


def test_a_home_without_days_has_no_story_to_end(warehouse: sa.Engine) -> None:
    simulation.note(warehouse, datetime(1997, 10, 1, 14, tzinfo=UTC), lambda: WALL)
    assert simulation.of(warehouse, POLICY) is None


@pytest.mark.parametrize(
    ("decided_at", "modified_at", "is_past"),
    [
        ("1997-10-29 14:00Z", "2026-11-28 15:00Z", True),  # read by a day before it was written
        ("2026-01-11 09:00Z", "2026-01-11 06:00Z", False),
        ("2026-01-11 15:00Z", "2026-01-11 16:00Z", False),  # by make day, ahead of the wall
    ],
)
def test_a_home_from_before_is_known_by_its_files(
    warehouse: sa.Engine, decided_at: str, modified_at: str, is_past: bool
) -> None:
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "DROP SCHEMA raw, core, cohort, outbox, outcome, history, maintenance CASCADE;"
            "DROP TABLE reengage_migrations"
        )
    db.migrate(warehouse, "0012")
    as_of = date.fromisoformat(decided_at[:10]) - DAY
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO cohort.day VALUES ('{as_of}', 'p1', '{decided_at}', 1);"
            "INSERT INTO raw.load (source, entity, as_of, started_at) VALUES"
            f" ('shop', 'interaction', '{as_of}', '{decided_at}'),"
            f" ('shop', 'interaction', '2099-01-01', '{decided_at}');"
            "INSERT INTO raw.file (load_id, source, path, size_bytes, modified_at, mapping_hash)"
            f" VALUES (1, 'shop', 'a.csv', 1, '{modified_at}', ''),"
            " (2, 'shop', 'b.csv', 1, '2099-01-01Z', '')"  # of a day that was not decided
        )
    db.migrate(warehouse)
    assert (simulation.of(warehouse, POLICY) is not None) == is_past


def test_the_clock_of_the_past_goes_on_up_to_its_next_day() -> None:
    seconds = iter([0.0, 90.0, 1e6])
    now = datetime(1997, 10, 30, 3, tzinfo=UTC)
    clock = RunningClock(now, now + timedelta(hours=11), lambda: next(seconds))
    assert (clock(), clock()) == (now + timedelta(seconds=90), now + timedelta(hours=11))


def test_up_says_first_that_it_plays_the_past() -> None:
    assert up._about(None) == []
    played = simulation.Past(
        datetime(1997, 10, 29, 22, tzinfo=POLICY.brand.zone), date(1997, 10, 28)
    )
    said = "\n".join(up._about(played))
    assert said.startswith("This home plays the past: it is 29 Oct 1997 in it, 22:00.")
    assert "make day AS_OF=1997-10-29" in said
    # Links are alive on that clock, and nothing of the next day happens before it.
    clock = up._clock(played, POLICY)
    assert timedelta(0) <= clock() - played.now < timedelta(minutes=1)
    assert up._clock(None, POLICY) is wall_clock


def test_a_demos_home_goes_on_with_its_sources(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("REENGAGE_HOME", str(home))
    assert settings().sources == INCLUDE / "sources"
    (home / "demo").mkdir()
    (home / "demo" / "ready").touch()
    assert settings().sources == DEMO_SOURCES
    monkeypatch.setenv("REENGAGE_SOURCES", str(home))
    assert settings().sources == home
