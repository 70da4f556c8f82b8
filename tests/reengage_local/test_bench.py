"""`make bench` at a small size: its figures are kept, and it compares only what is the same."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from reengage import db
from reengage.cli import main
from reengage.errors import ConfigurationError
from reengage.settings import settings
from reengage_local.bench import DATABASE, effect, journey, run_bench, send
from reengage_local.bench.measure import Stopwatch, undone
from reengage_local.postgres import EmbeddedServer

JOURNEY = {
    "journey_day_ratio_to_bare",
    "journey_day_ratio_to_full",
    "journey_growth_with_history",
    "journey_wal_mb",
    "journey_wal_mb_bare",
}


@pytest.fixture
def kept(server: EmbeddedServer) -> Iterator[Path]:
    """bench.json, with the figure of a benchmark that is not run now."""
    file = settings().home / "bench.json"
    file.write_text('{"send_messages_a_second": 4}\n', encoding="utf-8")
    yield file
    file.unlink()


@pytest.fixture
def statements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of include/sql that may be changed, in the place of the real one."""
    copy = tmp_path / "sql"
    shutil.copytree(db.SQL, copy)
    monkeypatch.setattr(db, "SQL", copy)
    db._statements.cache_clear()
    yield copy
    db._statements.cache_clear()


def databases(server: EmbeddedServer) -> set[str]:
    engine = sa.create_engine(
        "postgresql+psycopg" + server.dsn("postgres").removeprefix("postgresql"),
        poolclass=sa.NullPool,
    )
    with engine.connect() as connection:
        return set(connection.execute(sa.text("SELECT datname FROM pg_database")).scalars())


def test_the_journey_is_measured_and_its_figures_are_kept_beside_the_others(
    kept: Path, server: EmbeddedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--only", "journey", "--size", "0.003", "--verbose"]) == 0
    figures = json.loads(kept.read_text(encoding="utf-8"))
    assert figures.keys() == {*JOURNEY, "send_messages_a_second"}
    assert all(value > 0 for value in figures.values())
    said = capsys.readouterr().out
    assert "3,000 contacts, 59,850 interactions" in said
    assert "grown to 239,430" in said
    assert "cohort/decide" in said and "bench/decide" in said and "bench/recompute" in said
    assert set(said.split()) >= JOURNEY
    assert DATABASE not in databases(server), "dropped at the end"


def test_an_evening_of_the_effect_is_measured_beside_bare_sql(
    kept: Path, statements: Path, server: EmbeddedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--only", "effect", "--size", "0.003", "--verbose"]) == 0
    figures = json.loads(kept.read_text(encoding="utf-8"))
    names = {"effect_evening_ratio_to_bare", "effect_page_ms"}
    assert figures.keys() == {*names, "send_messages_a_second"}
    assert all(figures[name] > 0 for name in names)
    said = capsys.readouterr().out
    assert "1,500 drawn" in said and "outcome/count_eligible" in said and set(said.split()) >= names
    # It fails where the two do not count the same.
    file = statements / "bench" / "effect.sql"
    text = file.read_text(encoding="utf-8")
    right = "eligible.eligible_on + seen.days <= :as_of"
    assert right in text
    file.write_text(text.replace(right, right.replace("<=", "<")), encoding="utf-8")
    db._statements.cache_clear()
    with pytest.raises(effect.DifferentEffects, match="do not count the same"):
        run_bench("effect", 0.003)
    assert DATABASE not in databases(server), "dropped at the end"


def test_handing_over_is_measured_beside_a_bare_loop(
    kept: Path,
    server: EmbeddedServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(send, "LEAST_BULK", 30)
    monkeypatch.setattr(send, "LEAST_SINGLE", 30)
    # A quarter of a second's turns are booked at once: of a million a second, for thirty texts.
    monkeypatch.setattr(send, "FAST", 10_000)
    assert main(["bench", "--only", "send", "--size", "0.001"]) == 0
    figures = json.loads(kept.read_text(encoding="utf-8"))
    names = {"send_bulk_ratio_to_bare", "send_single_ratio_to_bare", "send_peak_mib"}
    assert figures.keys() == {*names, "send_messages_a_second"}
    assert all(figures[name] > 0 for name in names) and figures["send_peak_mib"] > 20
    said = capsys.readouterr().out
    assert "1,000 texts in" in said and set(said.split()) >= names
    assert DATABASE not in databases(server), "dropped at the end"


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("decide", "'no_consent'", "'no_phone'"),
        ("open_episodes", "dormancy.reaches_on <= :as_of", "dormancy.reaches_on < :as_of"),
        ("recompute", "THEN 'suppressed'", "THEN 'no_phone'"),
    ],
)
def test_it_fails_where_the_other_sql_decides_something_else(
    name: str,
    right: str,
    wrong: str,
    kept: Path,
    statements: Path,
    server: EmbeddedServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journey, "WARM_UP_DAYS", 0)
    file = statements / "bench" / f"{name}.sql"
    text = file.read_text(encoding="utf-8")
    assert right in text
    file.write_text(text.replace(right, wrong), encoding="utf-8")
    way = "full" if name == "recompute" else "bare"
    with pytest.raises(
        journey.DifferentDecisions, match=f"the {way} SQL .* do not decide the same"
    ):
        run_bench("journey", 0.003)
    assert json.loads(kept.read_text(encoding="utf-8")).keys() == {"send_messages_a_second"}
    assert DATABASE not in databases(server), "dropped at the end"


def test_another_name_or_size_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigurationError, match="no benchmark 'nothing'; there are: journey"):
        run_bench("nothing", 1)
    with pytest.raises(ConfigurationError, match=r"from 0\.001 to 10; 20 is not"):
        run_bench("journey", 20)
    assert main(["bench", "--size", "big"]) == 1
    assert "millions of contacts" in capsys.readouterr().err


def test_a_stopwatch_tells_statements_apart_and_leaves_no_trace(warehouse: sa.Engine) -> None:
    run, watch = db.run, Stopwatch()
    with undone(warehouse) as connection:
        with watch.running():
            db.run(connection, "cohort/days")
            db.analyze(connection, "cohort.day")
        db.run(connection, "cohort/watermark")
    assert watch.statements.keys() == {"cohort/days", "analyze"}
    assert 0 < sum(watch.statements.values()) <= watch.total == watch.without_drafting
    assert db.run is run


def test_what_was_measured_is_undone(warehouse: sa.Engine) -> None:
    load = {"source": "s", "entity": "contact", "as_of": "1998-01-01", "at": "1998-01-02"}
    with undone(warehouse) as connection:
        load_id = db.run(connection, "raw/begin_load", **load).scalar_one()
        assert db.run(connection, "raw/load_size", load_id=load_id).all()
    with warehouse.connect() as connection:
        assert not db.run(connection, "raw/load_size", load_id=load_id).all()


def test_a_first_week_is_measured_at_two_sizes(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--only", "first_week", "--size", "0.001"]) == 0
    figures = json.loads(kept.read_text(encoding="utf-8"))
    assert {"first_week_growth", "first_week_cards_a_second"} <= figures.keys()
    said = capsys.readouterr().out
    assert "first_week: 250 cards" in said and "first_week: 1,000 cards" in said
    assert "half new: contact: core" in said
    assert not (settings().home / "bench").exists()
