"""A preview is the real day, without a trace of it."""

import csv
import hashlib
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from world import LINKS, START, Load, World, small_policy

from reengage.cli import main
from reengage.errors import PastDayError, ReengageError
from reengage.journey import cohort, gates, preview
from reengage.policy import Caps, Gates, Policy
from reengage_local.preview_day import run_preview

DAY = START + timedelta(days=40)
LONG_AGO = datetime(1997, 1, 1, tzinfo=UTC)
SCHEMAS = ("core", "cohort", "outbox", "outcome", "raw", "history")


@pytest.fixture
def world(warehouse: sa.Engine) -> World:
    """Two days of the journey, and a third that is loaded and not decided: returns, closes, opens,
    a control group, every step, and holds.
    """
    policy = small_policy(control_share=0.3)
    world = World(warehouse, policy, is_new=True)

    def begin(load: Load) -> None:
        for contact_id in range(1, 61):
            load.contact(contact_id, None if contact_id % 11 == 0 else contact_id)
            if contact_id % 7:
                load.consent(contact_id, LONG_AGO)
            load.interaction(contact_id, load.as_of - timedelta(days=contact_id % 13))

    days = [DAY - timedelta(days=3), DAY - timedelta(days=1), DAY]
    world.load(days[0], begin)
    for as_of, following in pairwise(days):
        world.clock.move_to(world.at(as_of, 10))
        cohort.decide(warehouse, policy, as_of, world.clock, LINKS)
        gates.pass_or_stop(warehouse, policy, as_of, world.clock)
        world.sql(
            "UPDATE outbox.message SET status = 'delivered', accepted_at = :at"
            " WHERE status = 'draft'",
            at=world.at(as_of, 10),
        )
        world.sql(
            "INSERT INTO outbox.hit (code, contact_id, message_id, at, kind, method, user_agent,"
            " purpose) SELECT 'c', contact_id, message_id, :at, 'press', 'POST', 'Mozilla/5.0', ''"
            " FROM outbox.message WHERE contact_id % 2 = 0",
            at=world.at(as_of, 11),
        )
        world.load(following, lambda load: load.interaction(load.load_id, load.as_of) and None)
    world.sql(
        "UPDATE core.contact SET last_name = 'Lovelace', email = 'ada@shop.example',"
        " language = CASE WHEN contact_id % 3 = 0 THEN 'it' END,"
        " country = CASE WHEN contact_id % 3 = 1 THEN 'KR' END,"
        " lifecycle_class = CASE WHEN contact_id % 2 = 0 THEN 'Grocery' END"
    )
    world.clock.move_to(world.at(DAY, 10))
    return world


def traces(engine: sa.Engine) -> dict[str, tuple[int, str]]:
    """The rows of every table, and a hash of them."""
    found = {}
    with engine.connect() as connection:
        for schema in SCHEMAS:
            for table in sorted(sa.inspect(engine).get_table_names(schema=schema)):
                rows = connection.exec_driver_sql(
                    f"SELECT t::text FROM {schema}.{table} AS t ORDER BY 1"
                ).scalars()
                text = list(rows)
                digest = hashlib.md5("\n".join(text).encode()).hexdigest()
                found[f"{schema}.{table}"] = len(text), digest
    return found


def audience(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_preview_is_what_the_day_will_be_and_leaves_no_trace(
    world: World, tmp_path: Path
) -> None:
    file, engine = tmp_path / "audience.csv", world.engine
    before = traces(engine)
    seen = preview.preview(engine, world.policy, DAY, world.clock, LINKS, file)
    assert traces(engine) == before
    with engine.connect() as connection:
        locks = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).scalar()
    assert locks == 0
    assert before["cohort.decision"][0] > 0 and seen.done is None

    cohort.decide(engine, world.policy, DAY, world.clock, LINKS)
    passage = gates.pass_or_stop(engine, world.policy, DAY, world.clock)
    assert passage.verdicts == seen.verdicts and passage.sends == dict(seen.sends)
    assert passage.is_released == (seen.ruling == "send")
    real = world.sql(
        "SELECT d.contact_id, d.dormant_since, d.inactive_days, d.step, d.action, d.reason,"
        " m.segments, m.encoding, m.expected_price, m.not_before,"
        " CASE WHEN m.message_id IS NOT NULL THEN"
        "  (ARRAY['it', 'ko', 'en'])[d.contact_id % 3 + 1] END FROM cohort.decision AS d"
        " LEFT JOIN outbox.message AS m ON m.contact_id = d.contact_id AND m.as_of = d.as_of"
        " WHERE d.as_of = :d ORDER BY 1",
        d=DAY,
    )
    told = audience(file)
    assert tuple(told[0]) == (*preview.AUDIENCE, "crm_id")
    assert [row.pop("crm_id") for row in told] == [row["contact_id"] for row in told]
    assert [tuple(row.values()) for row in told] == [
        tuple("" if v is None else str(getattr(v, "isoformat", lambda v=v: v)()) for v in row)
        for row in real
    ]
    # Everything that a day can hold was in it.
    assert {row["action"] for row in told} == {"send", "hold", "skip"}
    assert {"control", "no_consent", "no_phone", "due"} <= {row["reason"] for row in told}
    assert seen.segments == sum(int(row["segments"] or 0) for row in told)
    assert f"{seen.money:.6f}" == f"{sum(float(r['expected_price'] or 0) for r in told):.6f}"

    after = traces(engine)
    again = preview.preview(engine, world.policy, DAY, world.clock, LINKS)
    assert again.done == "was let go" and again.sends == seen.sends
    assert traces(engine) == after
    with pytest.raises(PastDayError, match="replayed"):
        preview.preview(engine, world.policy, DAY - timedelta(days=2), world.clock, LINKS)


def test_a_preview_says_whom_a_cap_lets_through(world: World) -> None:
    policy = world.policy.model_copy(update={"caps": Caps(per_day=2, order="shared")})
    seen = preview.preview(world.engine, policy, DAY, world.clock, LINKS)
    held = sum(row.contacts for row in seen.decisions if row.reason == "daily_cap")
    said = f"A cap puts {held} off to the next day. It lets 2 through: of each step its share"
    assert held and said in "\n".join(preview.lines(seen, policy))
    assert said in preview.markdown(seen, policy)


def test_a_class_that_nobody_has_is_told_beside_those_that_are_there(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bent = world.policy.thresholds.model_copy(
        update={"lifecycle": {"grocery": 0.5, "car_dealer": 12, "Grocery": 0.5}}
    )
    policy = world.policy.model_copy(update={"thresholds": bent})
    seen = preview.preview(world.engine, policy, DAY, world.clock, LINKS)
    told = "\n".join(preview.lines(seen, policy))
    near = "nobody has the class grocery, so its factor bends nothing; contacts have Grocery (30). "
    assert near + "You may mean Grocery" in told
    assert "nobody has the class car_dealer" in told
    assert "the class Grocery" not in told

    monkeypatch.setattr("reengage.policy.read_policy", lambda: policy)
    monkeypatch.setattr("reengage_local.stack.existing_warehouse", lambda: world.engine)
    monkeypatch.setattr("reengage.ingest.sources.read_sources", list)
    assert main(["policy"]) == 0
    assert "nobody has the class car_dealer" in capsys.readouterr().out


def gated(policy: Policy, **changes: Any) -> Policy:
    gates_ = Gates(max_rejected_share=0.05, size={"at_most": 1})
    return policy.model_copy(update={"gates": gates_} | changes)


@pytest.mark.parametrize(("approval", "ruling"), [("never", "stop"), ("anomaly", "ask")])
def test_a_preview_says_what_the_gates_would_do(world: World, approval: str, ruling: str) -> None:
    policy = gated(world.policy, approval=approval)
    seen = preview.preview(world.engine, policy, DAY, world.clock, LINKS)
    assert seen.ruling == ruling
    assert "size          closed" in "\n".join(preview.lines(seen, policy))


def test_what_a_person_reads_names_nobody(world: World) -> None:
    policy = world.policy
    cohort.decide(world.engine, policy, DAY, world.clock, LINKS)
    with world.engine.begin() as connection:
        seen = preview.plan(connection, policy, DAY, world.clock())
    shown = [preview.markdown(seen, policy), "\n".join(preview.lines(seen, policy))]
    secrets = {
        value
        for table, column in (
            ("core.contact", "phone_e164"),
            ("core.contact", "email"),
            ("core.contact", "last_name"),
            ("outbox.link", "code"),
            ("outbox.coupon", "code"),
        )
        for (value,) in world.sql(f"SELECT DISTINCT {column} FROM {table}")
        if value
    }
    assert len(secrets) > 60
    for text in shown:
        assert not [secret for secret in secrets if secret in text]
        assert f"{LINKS}/…" in text and "Ada" in text
    assert {step for step, _ in seen.samples} == set(seen.sends)
    # Whose language is not known, but their country's, gets that.
    assert {language for _, language in seen.samples} == {"en", "it", "ko"}
    for step, language in seen.samples:
        name = {"en": "English (en)", "it": "Italian (it)", "ko": "Korean (ko)"}[language]
        assert f"{step}, in {name}:" in shown[0] and f"{step}, in {name}" in shown[1]
    total, was = sum(seen.sends.values()), sum(seen.before.values())
    assert f"**{total}** contacts are to be written to for **{DAY}**" in shown[0]
    more = "more" if total >= was else "fewer"
    assert f"{abs(total - was)} {more} than on {DAY - timedelta(days=1)}" in shown[0]
    for verdict in seen.verdicts:
        assert verdict.said in shown[0] and verdict.said in shown[1]
    for row in seen.decisions:
        assert row.action == "send" or row.label in shown[1]


def test_a_file_that_cannot_be_written_ends_the_preview_plainly(
    world: World, tmp_path: Path
) -> None:
    before = traces(world.engine)
    with pytest.raises(ReengageError, match="audience cannot be written"):
        preview.preview(
            world.engine, world.policy, DAY, world.clock, LINKS, tmp_path / "no" / "x.csv"
        )
    assert traces(world.engine) == before


def test_make_preview_says_what_is_missing_and_goes_on(
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "orders.csv").write_text("order,customer,at\n1,1,1998-02-09\n")
    (tmp_path / "shop.yaml").write_text(
        "source: shop\nentity: interaction\nkind: purchase\nconnector: files\n"
        f"path: {tmp_path}/orders.csv\ntime_zone: UTC\nrequired: true\n"
        "columns: {source_event_id: order, source_contact_id: customer, occurred_at: at}\n"
    )
    monkeypatch.setenv("REENGAGE_SOURCES", str(tmp_path))
    monkeypatch.setattr("reengage_local.preview_day.read_policy", lambda: world.policy)
    before = traces(world.engine)
    run_preview(DAY, tmp_path / "audience.csv")
    assert traces(world.engine) == before
    said = capsys.readouterr().out
    assert f"shop (interaction) was not loaded for {DAY}" in said
    assert "1 file is new or has changed" in said and "orders.csv" in said
    assert f"decided on {DAY + timedelta(days=1)} at 10:00" in said
    assert (
        "to be written to" in said and "Were the data all in, a real run would send this." in said
    )
    assert len(audience(tmp_path / "audience.csv")) > 5
