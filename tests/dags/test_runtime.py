"""What a task gets from Airflow: its day, its clock, and the guards of every send."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from reengage.errors import ConfigurationError, SendRefused
from reengage.journey.simulation import PlaysThePast
from reengage.policy import read_policy
from reengage.settings import SANDBOX_VARIABLE

runtime: Any


@pytest.fixture(autouse=True, scope="module")
def airflow() -> None:
    """Imported where it is used: every worker collects these tests, and one runs them."""
    global runtime
    runtime = pytest.importorskip("reengage.airflow.runtime")


@pytest.fixture(autouse=True)
def present(airflow: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A warehouse whose home lives in the present, of which no test but one asks more."""
    monkeypatch.setattr(runtime, "warehouse", lambda: None)
    monkeypatch.setattr("reengage.phones.keys.check", lambda engine: None)
    monkeypatch.setattr(runtime.simulation, "of", lambda engine, policy: None)
    monkeypatch.setattr(runtime.simulation, "note", lambda engine, now: None)


def in_run(monkeypatch: pytest.MonkeyPatch, **given: Any) -> None:
    """Let the calling code be a task of a run like this."""
    run = SimpleNamespace(
        conf=given.get("conf"),
        partition_key=given.get("partition_key"),
        run_type=given.get("run_type", "manual"),
    )
    context = {"dag_run": run, "data_interval_end": given.get("end")}
    monkeypatch.setattr(runtime, "get_current_context", lambda: context)


@pytest.mark.parametrize(
    ("given", "as_of"),
    [
        ({"conf": {"as_of": "1997-09-30"}, "partition_key": "1997-01-01"}, date(1997, 9, 30)),
        ({"partition_key": "1997-09-30"}, date(1997, 9, 30)),
        # 03:30 UTC is still the evening before in New York.
        ({"end": datetime(1997, 10, 2, 3, 30, tzinfo=UTC)}, date(1997, 9, 30)),
        ({"end": datetime(1997, 10, 2, 4, 30, tzinfo=UTC)}, date(1997, 10, 1)),
    ],
)
def test_the_day_is_the_last_complete_one_of_the_brand(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], as_of: date
) -> None:
    in_run(monkeypatch, **given)
    assert runtime.current_run().as_of == as_of


def test_a_run_without_a_day_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    in_run(monkeypatch)
    with pytest.raises(ConfigurationError, match=r'\{"as_of": "1997-09-30"\}'):
        runtime.current_run()


def test_a_simulated_time_needs_a_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    in_run(monkeypatch, conf={"as_of": "1997-09-30", "now": "1997-10-01T10:00:00"})
    with pytest.raises(ConfigurationError, match="needs a time zone"):
        runtime.current_run()


def connected(monkeypatch: pytest.MonkeyPatch, host: str, **extra: Any) -> None:
    """Let Airflow know a provider."""
    monkeypatch.setattr(
        runtime,
        "_connection",
        lambda name: SimpleNamespace(
            conn_type="infobip",
            host=host,
            login=None,
            password="key",
            schema=None,
            port=None,
            extra_dejson=extra,
        ),
    )


def a_run(**given: Any) -> Any:
    values = {
        "as_of": date(1997, 9, 30),
        "clock": lambda: datetime(1997, 10, 1, 14, tzinfo=UTC),
        "is_simulated": False,
        "is_backfill": False,
        "policy": read_policy(),
        **given,
    }
    return runtime.Run(**values)


def in_mode(mode: str) -> Any:
    return read_policy().model_copy(update={"mode": mode})


@pytest.mark.parametrize("run_type", ["backfill", SimpleNamespace(value="backfill")])
def test_a_backfill_sends_nothing(monkeypatch: pytest.MonkeyPatch, run_type: Any) -> None:
    connected(monkeypatch, "http://127.0.0.1:9", sandbox=True)
    in_run(monkeypatch, partition_key="1997-09-30", run_type=run_type)
    with pytest.raises(SendRefused, match="a backfill texts nobody"):
        runtime.provider(runtime.current_run())
    in_run(monkeypatch, partition_key="1997-09-30", run_type="scheduled")
    assert runtime.provider(runtime.current_run()).is_sandbox


def test_a_rehearsal_never_meets_a_real_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    for host, extra in (
        ("acme.api.infobip.com", {}),
        ("acme.api.infobip.com", {"sandbox": True}),  # no loopback
        ("http://127.0.0.1:9", {}),  # as a tunnel to a real one may be
    ):
        connected(monkeypatch, host, **extra)
        with pytest.raises(SendRefused, match=r"mode: sandbox, but .* Set mode: live"):
            runtime.provider(a_run(policy=in_mode("sandbox")))
        assert not runtime.provider(a_run(policy=in_mode("live"))).is_sandbox


def test_a_campaign_never_meets_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    connected(monkeypatch, "http://127.0.0.1:9", sandbox=True)
    with pytest.raises(SendRefused, match=r"mode: live, but .* set mode: sandbox"):
        runtime.provider(a_run(policy=in_mode("live")))
    assert runtime.provider(a_run(policy=in_mode("sandbox"))).is_sandbox


def test_nobody_is_asked_to_reply_where_no_reply_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = dict.fromkeys(
        ("account_id", "list_id", "list_guid", "list_secret", "client_id", "client_secret"), "1"
    )
    given = SimpleNamespace(
        conn_type="mailup",
        host="sendsms.mailup.com",
        login="m1",
        password="secret",
        schema=None,
        port=None,
        extra_dejson=keys,
    )
    monkeypatch.setattr(runtime, "_connection", lambda name: given)
    policy = in_mode("live")
    with pytest.raises(SendRefused, match=r"Set brand\.sender to a name"):
        runtime.provider(a_run(policy=policy))
    named = policy.brand.model_copy(update={"sender": "LARKFIELD"})
    made = runtime.provider(a_run(policy=policy.model_copy(update={"brand": named})))
    assert not made.is_sandbox


def test_a_simulated_clock_never_meets_a_real_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    for extra in ({}, {"sandbox": True}):
        connected(monkeypatch, "acme.api.infobip.com", **extra)
        with pytest.raises(SendRefused, match="clock is simulated"):
            runtime.provider(a_run(is_simulated=True, policy=in_mode("live")))
    connected(monkeypatch, "http://127.0.0.1:9", sandbox=True)
    assert runtime.provider(a_run(is_simulated=True)).is_sandbox


def test_without_a_connection_the_sandbox_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_connection", lambda name: None)
    monkeypatch.delenv(SANDBOX_VARIABLE, raising=False)
    with pytest.raises(SendRefused, match="define the Airflow connection reengage_sms"):
        runtime.provider(a_run())
    sandbox = {
        "conn_type": "infobip",
        "host": "http://127.0.0.1:9",
        "password": "k",
        "extra": {"sandbox": True},
    }
    monkeypatch.setenv(SANDBOX_VARIABLE, json.dumps(sandbox))
    assert runtime.provider(a_run(is_simulated=True)).is_sandbox


def test_a_replay_is_asked_for_by_its_days_and_policy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_run(monkeypatch, conf={"from": "1997-01-01", "to": "1997-12-31"})
    asked = runtime.current_replay()
    assert (asked.first, asked.last) == (date(1997, 1, 1), date(1997, 12, 31))
    assert (asked.file, asked.days, asked.name, asked.begin) == (None,) * 4
    assert not asked.with_audience and not asked.is_known
    assert asked.policy == runtime.read_policy()
    file = tmp_path / "slow.yaml"
    shipped = Path("include/journey.yaml").read_text(encoding="utf-8")
    file.write_text(shipped.replace("after_days: 30", "after_days: 45", 1), encoding="utf-8")
    more = {
        "policy": str(file),
        "name": "late",
        "begin": "1996-07-01",
        "days": "40/70/99",
        "audience": True,
        "known": True,
    }
    in_run(monkeypatch, conf={"from": "1997-01-01", "to": "1997-12-31", **more})
    asked = runtime.current_replay()
    assert asked.policy.steps[0].after_days == 45
    assert (asked.file, asked.name, asked.begin) == (file, "late", date(1996, 7, 1))
    assert asked.with_audience and asked.is_known and asked.days == "40/70/99"
    in_run(monkeypatch, conf={"from": "1997-01-01"})
    with pytest.raises(ConfigurationError, match="takes both days"):
        runtime.current_replay()
    in_run(monkeypatch, conf={"from": "1997-01-01", "to": "1997-12-31", "begin": "July"})
    with pytest.raises(ConfigurationError, match="Write begin as a day"):
        runtime.current_replay()


def test_a_day_that_is_not_over_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    now = "1997-10-01T10:00:00-04:00"
    in_run(monkeypatch, conf={"as_of": "1997-10-01", "now": now})
    monkeypatch.setattr(runtime, "_connection", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"not over yet.*last complete day is 1997-09-30"):
        runtime.current_run()
    in_run(monkeypatch, conf={"now": now})
    assert runtime.current_run(needs_day=False).as_of == date(1997, 9, 30)


def test_no_task_takes_a_simulated_time_beside_a_real_provider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_run(monkeypatch, conf={"as_of": "1997-09-30", "now": "1997-10-01T10:00:00-04:00"})
    connected(monkeypatch, "acme.api.infobip.com")
    with pytest.raises(SendRefused, match="clock is simulated"):
        runtime.current_run()


def test_a_run_of_today_never_ends_the_past(
    monkeypatch: pytest.MonkeyPatch, warehouse: sa.Engine
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(runtime, "warehouse", lambda: warehouse)
    connected(monkeypatch, "http://127.0.0.1:9", sandbox=True)
    simulated = {"as_of": "1997-09-30", "now": "1997-10-01T10:00:00-04:00"}
    in_run(monkeypatch, conf=simulated)
    assert runtime.current_run().is_simulated
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO cohort.day VALUES ('1997-09-30', 'p1', '1997-10-01 14:00Z', 1)"
        )
    # By the schedule, by hand, of whichever day, and for what is queued.
    for given in (
        {"partition_key": "2026-11-27", "run_type": "scheduled"},
        {"conf": {"as_of": "2026-11-27"}},
        {"conf": {"as_of": "1997-10-01"}},
        {"conf": {"as_of": "2026-11-27", "now": "2026-11-28T10:00:00-05:00"}},
        {"end": datetime(2026, 11, 28, 9, tzinfo=UTC)},
    ):
        in_run(monkeypatch, **given)
        with pytest.raises(PlaysThePast, match=r"it is 1 Oct 1997 .*make day AS_OF=1997-10-01"):
            runtime.current_run()
    in_run(monkeypatch, conf={})
    run = runtime.current_run(needs_day=False)
    assert run.clock() == datetime(1997, 10, 1, 14, tzinfo=UTC)  # to look after what is there
    with pytest.raises(PlaysThePast):
        runtime.provider(run)
    # It goes on by days on its own clock.
    in_run(monkeypatch, conf={"as_of": "1997-10-01", "now": "1997-10-02T10:00:00-04:00"})
    assert runtime.provider(runtime.current_run()).is_sandbox


@pytest.mark.parametrize("conf", [{"as_of": None}, {}, None])
def test_a_form_that_was_left_empty_asks_for_the_day(
    monkeypatch: pytest.MonkeyPatch, conf: Any
) -> None:
    in_run(monkeypatch, conf=conf)
    with pytest.raises(ConfigurationError, match=r"fill in Day \(as_of\) in the form"):
        runtime.current_run()
    in_run(monkeypatch, conf=conf, partition_key="1997-09-30")  # the page may name it there
    assert runtime.current_run().as_of == date(1997, 9, 30)


def test_the_form_takes_a_date_and_nothing_else() -> None:
    from airflow.sdk.exceptions import AirflowException

    param = runtime.BY_HAND["as_of"]
    assert param.resolve("1997-09-30") == "1997-09-30"
    assert param.resolve(None) is None
    for wrong in ("30/09/1997", "yesterday", 19970930):
        with pytest.raises((AirflowException, ValueError)):
            param.resolve(wrong)


@pytest.mark.parametrize(("is_simulated", "partitions"), [(False, ["1997-09-30"]), (True, [])])
def test_the_journey_follows_an_ingest_for_its_day_but_no_simulated_one(
    monkeypatch: pytest.MonkeyPatch, is_simulated: bool, partitions: list[str]
) -> None:
    from airflow.dag_processing.dagbag import DagBag

    from reengage.ingest import quality, sources
    from reengage.ingest.sources import load
    from reengage.settings import PROJECT

    bag = DagBag(str(PROJECT / "dags" / "ingest.py"))
    monkeypatch.setattr(runtime, "current_run", lambda: a_run(is_simulated=is_simulated))
    monkeypatch.setattr(load, "recall", lambda *_: [])
    monkeypatch.setattr(sources, "read_sources", list)
    monkeypatch.setattr(quality, "tell_strangers", lambda *_: None)
    told: list[str] = []
    take = bag.dags["reengage_ingest"].get_task("take")
    (asset,) = take.outlets
    take.python_callable([], outlet_events={asset: SimpleNamespace(add_partitions=told.append)})
    assert told == partitions


def test_the_days_task_reads_a_database_by_a_connection_of_airflow(
    monkeypatch: pytest.MonkeyPatch, warehouse: sa.Engine, tmp_path: Path
) -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk.exceptions import AirflowFailException

    from reengage.settings import PROJECT

    file = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(file)) as shop:
        shop.execute("CREATE TABLE orders (id, who, at, changed_at)")
        shop.execute("INSERT INTO orders VALUES (1, 'C1', '1997-09-30', '1997-09-30 10:00')")
        shop.commit()
    (tmp_path / "shop.yaml").write_text(
        "{source: shop, entity: interaction, kind: visit, connector: sql, connection: shop_db, "
        "table: orders, by_time: changed_at, columns: {source_event_id: id, "
        "source_contact_id: who, occurred_at: at}}"
    )
    known = SimpleNamespace(conn_type="sqlite", host=str(file), login=None, password=None)
    known.schema, known.port, known.extra_dejson = None, None, {}
    monkeypatch.setenv("REENGAGE_SOURCES", str(tmp_path))
    monkeypatch.setattr(runtime, "_connection", {"shop_db": known}.get)
    monkeypatch.setattr(runtime, "warehouse", lambda: warehouse)
    monkeypatch.setattr(runtime, "current_run", a_run)
    bag = DagBag(str(PROJECT / "dags" / "ingest.py"))
    task = bag.dags["reengage_ingest"].get_task("read")
    load_id = task.python_callable("shop (interaction)")
    with warehouse.connect() as connection:
        found = connection.execute(
            sa.text("SELECT load_id, rows_loaded, newest_on::text, problem FROM raw.load")
        ).all()
    assert [tuple(row) for row in found] == [(load_id, 1, "1997-09-30", None)]
    monkeypatch.setattr(runtime, "_connection", lambda name: None)
    with pytest.raises(AirflowFailException, match="There is no connection shop_db"):
        task.python_callable("shop (interaction)")
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_DB", '{"conn_type": "sqlite", "host": "/none/x"}')
    assert runtime.access("shop_db").host == "/none/x"
