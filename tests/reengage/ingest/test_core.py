"""Into core: who is who, what they did, and that activity always equals its full recompute."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from test_sources import AS_OF, POLICY, Feed, clock, correcting, loaded

from depth import examples
from reengage import db

CARD: dict[str, Any] = {
    "entity": "contact",
    "kind": None,
    "columns": {
        "source_contact_id": "id",
        "phone": "phone",
        "first_name": "name",
        "created_at": "since",
        "loyalty_card_id": "card",
        "shop_account_id": "account",
    },
}
CARD_HEAD = "id,phone,name,since,card,account"

# core.contact_activity as its definition says, from core.interaction and what the cards have named:
# must give no row.
DIFFERENCES = """
WITH lived AS (
    SELECT contact_id, occurred_on, kind, TRUE AS is_own FROM core.interaction
    UNION ALL
    SELECT held.holder, occurred_on, kind, FALSE
    FROM (SELECT DISTINCT card.contact_id AS holder, other.contact_id
          FROM core.card_id AS named
          JOIN core.contact_identity AS card
              ON (card.source, card.source_contact_id) = (named.source, named.source_contact_id)
          JOIN core.contact_identity AS other
              ON (other.source, other.source_contact_id) = (named.id_source, named.id)
          WHERE card.contact_id <> other.contact_id AND named.hold = 'whole') AS held
    JOIN core.interaction USING (contact_id)
), gap AS (
    SELECT contact_id, occurred_on - lag(occurred_on) OVER (
        PARTITION BY contact_id ORDER BY occurred_on) AS days
    FROM (SELECT DISTINCT contact_id, occurred_on FROM core.interaction
          WHERE kind = 'purchase') AS bought
), rhythm AS (
    SELECT contact_id, percentile_cont(0.5) WITHIN GROUP (ORDER BY days) AS days
    FROM gap GROUP BY contact_id
), anew AS (
    SELECT contact.contact_id, rhythm.days AS median,
        max(occurred_on) FILTER (WHERE kind = 'purchase') AS last_purchase_on,
        max(occurred_on) FILTER (WHERE kind = 'email_open') AS last_email_open_on,
        max(occurred_on) FILTER (WHERE kind <> 'email_open') AS last_signal_on,
        min(occurred_on) FILTER (WHERE is_own) AS first_interaction_on,
        count(*) FILTER (WHERE kind = 'purchase' AND is_own) AS purchases,
        coalesce(least(contact.created_on, min(occurred_on) FILTER (WHERE is_own)),
                 contact.first_seen_on) AS visible_on
    FROM core.contact AS contact
    LEFT JOIN lived USING (contact_id)
    LEFT JOIN rhythm USING (contact_id)
    GROUP BY contact.contact_id, rhythm.days
)
SELECT activity, anew FROM anew FULL JOIN core.contact_activity AS activity USING (contact_id)
WHERE (activity.last_purchase_on, activity.last_email_open_on, activity.last_signal_on,
       activity.first_interaction_on, activity.purchases, activity.visible_on,
       activity.median_days_between_purchases)
    IS DISTINCT FROM
      (anew.last_purchase_on, anew.last_email_open_on, anew.last_signal_on,
       anew.first_interaction_on, anew.purchases, anew.visible_on,
       anew.median)
"""


TWICE = (
    "SELECT source, source_event_id FROM core.interaction "
    "GROUP BY source, source_event_id HAVING count(*) > 1"
)


def contact_of(feed: Feed, source: str, who: str) -> dict[str, Any]:
    (row,) = feed.rows(
        "SELECT to_jsonb(contact) FROM core.contact JOIN core.contact_identity USING (contact_id) "
        "WHERE source = :source AND source_contact_id = :who",
        source=source,
        who=who,
    )
    return dict(row[0])


# --- what was done -------------------------------------------------------------------------------


def test_corrections_take_back_what_was_said(warehouse: sa.Engine, tmp_path: Path) -> None:
    feed = Feed(warehouse, tmp_path, exclude={"state": ["cancelled"]})
    head = "id,who,at,total,state"
    rows = {
        "1": ["1", "a", "2024-03-01", "5", ""],
        "2": ["2", "a", "2024-03-20", "6", ""],
        "3": ["3", "b", "2024-03-05", "7", ""],
    }

    def activity() -> dict[str, tuple[Any, ...]]:
        assert feed.rows(DIFFERENCES) == []
        return {
            who: (signal and signal.isoformat(), purchases, visible.isoformat())
            for who, signal, purchases, visible in feed.rows(
                "SELECT first_source_contact_id, last_signal_on, purchases, visible_on "
                "FROM core.contact_activity JOIN core.contact USING (contact_id)"
            )
        }

    for change, expected in (
        ({}, {"a": ("2024-03-20", 2, "2024-03-01"), "b": ("2024-03-05", 1, "2024-03-05")}),
        (
            {"2": ["2", "a", "2024-03-20", "6", "cancelled"]},
            {"a": ("2024-03-01", 1, "2024-03-01"), "b": ("2024-03-05", 1, "2024-03-05")},
        ),
        (
            {"3": ["3", "a", "2024-03-05", "7", ""]},  # it was another customer's
            {"a": ("2024-03-05", 2, "2024-03-01"), "b": (None, 0, "2024-03-31")},
        ),
        (
            {"3": ["3", "a", "2024-02-05", "7", ""]},
            {"a": ("2024-03-01", 2, "2024-02-05"), "b": (None, 0, "2024-03-31")},
        ),
        (
            {"3": ["3", "a", "2024-04-09", "7", ""]},  # its day has not come
            {"a": ("2024-03-01", 1, "2024-03-01"), "b": (None, 0, "2024-03-31")},
        ),
    ):
        rows.update(change)
        feed.write("x.csv", list(rows.values()), head)
        feed.take()
        assert activity() == expected


EVENT = st.tuples(
    st.integers(0, 5),
    st.sampled_from("abc"),
    st.integers(0, 100),  # days ago: over several months
    st.sampled_from(["purchase", "email_open", "visit", "cancelled"]),
)
JOIN = st.tuples(st.sampled_from("xyz"), st.sampled_from("abc"), st.sampled_from(["", "c1", "c2"]))


@given(st.lists(st.lists(EVENT, min_size=1, max_size=6) | JOIN, min_size=1, max_size=5))
@settings(max_examples=examples(25))
def test_activity_equals_its_recompute(
    warehouse: sa.Engine, tmp_path_factory: pytest.TempPathFactory, loads: list[Any]
) -> None:
    tables = (
        "raw.load, raw.file, raw.reject, raw.interaction, raw.contact, core.contact, "
        "core.contact_identity, core.interaction, core.contact_activity, core.derived_from, "
        "core.card_id"
    )
    with warehouse.begin() as connection:
        connection.execute(sa.text(f"TRUNCATE {tables}"))
    folder = tmp_path_factory.mktemp("feeds")
    kinds = {kind: kind for kind in ("purchase", "email_open", "visit")}
    shop = Feed(warehouse, folder, kind={"column": "kind", "map": kinds})
    crm = Feed(warehouse, folder, "crm", **CARD)
    current: dict[int, Any] = {}
    for number, load in enumerate(loads):
        if isinstance(load, tuple):
            card, account, loyalty = load
            crm.write(f"{number}.csv", [(card, "", "", "2024-03-02", loyalty, account)], CARD_HEAD)
            crm.take()
        else:
            # Rows of one id in one file are one order, which is another test's.
            events = {
                n: (n, who, AS_OF - timedelta(days=ago), 1, kind) for n, who, ago, kind in load
            }
            rows = list(events.values())
            shop.write(f"{number}.csv", rows, "id,who,at,total,kind")
            shop.take(policy=correcting(POLICY))
            current |= {row[0]: row for row in rows}
        assert shop.rows(DIFFERENCES) == []
        assert shop.rows(TWICE) == []
    assert set(loaded(shop)) == {str(n) for n, row in current.items() if row[4] != "cancelled"}
    for n, who, at, _, kind in current.values():
        if kind != "cancelled":
            found = shop.rows(
                "SELECT occurred_on, kind::text, merged_into FROM core.interaction "
                "JOIN core.contact USING (contact_id) JOIN core.contact_identity AS identity "
                "USING (contact_id) WHERE source_event_id = :n AND identity.source = 'shop' "
                "AND identity.source_contact_id = :who",
                n=str(n),
                who=who,
            )
            assert found == [(at, kind, None)]


def test_other_signals_are_followed(warehouse: sa.Engine, tmp_path: Path) -> None:
    feed = Feed(warehouse, tmp_path)
    feed.write("a.csv", [(1, "a", "2024-03-01", 5), (2, "b", "2024-03-02", 5)])
    feed.take()
    feed.take(policy=POLICY.model_copy(update={"signals": ("visit",)}))
    assert feed.rows("SELECT DISTINCT last_signal_on FROM core.contact_activity") == [(None,)]


# --- who they are --------------------------------------------------------------------------------


def test_cards_join_what_was_apart_in_a_chain(warehouse: sa.Engine, tmp_path: Path) -> None:
    shop, loyalty = (Feed(warehouse, tmp_path, name) for name in ("shop", "loyalty"))
    crm, app = (Feed(warehouse, tmp_path, name, **CARD) for name in ("crm", "app"))
    shop.write("a.csv", [(1, "s1", "2024-03-01", 5), (2, "s2", "2024-03-09", 5)])
    loyalty.write("a.csv", [(1, "l1", "2024-03-20", 5)])
    shop.take()
    loyalty.take()
    assert contact_of(shop, "shop", "s2")["phone_e164"] is None
    with warehouse.begin() as connection:
        s1, s2, l1 = (
            contact_of(shop, *who)["contact_id"]
            for who in (("shop", "s1"), ("shop", "s2"), ("loyalty", "l1"))
        )
        db.run(
            connection,
            "core/opt_out",
            contact_id=l1,
            phone_hash=None,
            channel="sms",
            source="landing",
            at=clock(),
        )
        connection.execute(
            sa.text(
                "INSERT INTO cohort.dormancy (contact_id, behaviour, dormant_since, pace, "
                "active_closed_on) SELECT contact_id, 'any', '2024-03-20', 1, "
                "CASE WHEN contact_id = :l1 THEN DATE '2024-03-25' END FROM core.contact"
            ),
            {"l1": l1},
        )
    crm.write("a.csv", [("k1", "2125550123", "Ann", "2024-01-01", "l1", "s2")], CARD_HEAD)
    crm.take()
    assert contact_of(crm, "loyalty", "l1")["contact_id"] == s2
    app.write("b.csv", [("k2", "", "", "", "l1", "s1")], CARD_HEAD)
    app.take()
    whole = contact_of(crm, "crm", "k1")
    assert {
        contact_of(crm, *who)["contact_id"]
        for who in (("shop", "s1"), ("shop", "s2"), ("loyalty", "l1"), ("crm", "k1"), ("app", "k2"))
    } == {s1}
    assert whole["phone_e164"] == "+12125550123"
    assert whole["first_name"] == "Ann"
    assert whole["created_on"] == "2024-01-01"
    assert whole["status"] == "unsubscribed"
    assert shop.rows(
        "SELECT contact_id, merged_into FROM core.contact WHERE merged_into IS NOT NULL ORDER BY 1"
    ) == [(s2, s1), (l1, s1)]
    assert shop.rows(
        "SELECT count(*) FROM core.contact_identity WHERE original_contact_id <> contact_id"
    ) == [(3,)]
    assert shop.rows("SELECT DISTINCT contact_id FROM core.interaction") == [(s1,)]
    assert shop.rows(
        "SELECT last_signal_on, purchases, active_closed_on FROM core.contact_activity "
        "JOIN cohort.dormancy USING (contact_id) WHERE contact_id = :s1",
        s1=s1,
    ) == [(date(2024, 3, 20), 3, date(2024, 3, 25))]
    assert shop.rows("SELECT reason::text FROM core.suppression WHERE contact_id = :s1", s1=s1) == [
        ("opted_out",)
    ]


def test_two_sources_cards_do_not_blank_each_other(warehouse: sa.Engine, tmp_path: Path) -> None:
    crm = Feed(warehouse, tmp_path, "crm", **CARD)
    shop = Feed(warehouse, tmp_path, "shop", **CARD | {"exclude": {"name": ["gone"]}})
    crm.write("a.csv", [("k1", "2125550123", "", "2024-02-01", "", "s1")], CARD_HEAD)
    shop.write("a.csv", [("s1", "", "Ann", "2024-01-01", "", "")], CARD_HEAD)
    crm.take()
    shop.take()

    def seen() -> tuple[Any, ...]:
        card = contact_of(crm, "crm", "k1")
        return card["phone_e164"], card["first_name"], card["created_on"]

    assert seen() == ("+12125550123", "Ann", "2024-01-01")
    crm.write("b.csv", [("k1", "2125550199", "", "2024-02-01", "", "s1")], CARD_HEAD)
    crm.take()
    assert seen() == ("+12125550199", "Ann", "2024-01-01")
    # A later date of creation is a correction; quiet is counted from it.
    shop.write("b.csv", [("s1", "", "Anna", "2024-03-01", "", "")], CARD_HEAD)
    shop.take()
    assert seen() == ("+12125550199", "Anna", "2024-02-01")
    assert crm.rows("SELECT visible_on FROM core.contact_activity") == [(date(2024, 2, 1),)]
    # What its only source takes away is away.
    crm.write("c.csv", [("k1", "", "", "2024-02-01", "", "s1")], CARD_HEAD)
    crm.take()
    assert seen() == (None, "Anna", "2024-02-01")
    shop.write("c.csv", [("s1", "", "gone", "2024-03-01", "", "")], CARD_HEAD)
    shop.take()
    assert seen() == (None, None, "2024-02-01")


def test_a_verified_phone_joins_and_an_unverified_does_not(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    crm = Feed(warehouse, tmp_path, "crm", **CARD)
    crm.write("a.csv", [(n, "2125550123", "", "", "", "") for n in "ab"], CARD_HEAD)
    crm.take()
    assert contact_of(crm, "crm", "a")["contact_id"] != contact_of(crm, "crm", "b")["contact_id"]
    app = Feed(warehouse, tmp_path, "app", **CARD | {"verified": ["phone", "email"]})
    app.write("a.csv", [(n, "2125550199", "", "", "", "") for n in "xy"], CARD_HEAD)
    app.take()
    app.write("b.csv", [("z", "2125550199", "", "", "", "")], CARD_HEAD)
    app.take()
    assert len({contact_of(app, "app", n)["contact_id"] for n in "xyz"}) == 1
    assert contact_of(app, "app", "x")["contact_id"] != contact_of(crm, "crm", "a")["contact_id"]


def test_a_verified_phone_joins_however_it_is_spelt(warehouse: sa.Engine, tmp_path: Path) -> None:
    app = Feed(warehouse, tmp_path, "app", **CARD | {"verified": ["phone"]})
    crm = Feed(warehouse, tmp_path, "crm", **CARD)
    app.write("a.csv", [("x", "+54 9 11 2345 6789", "", "", "", "")], CARD_HEAD)
    app.write("b.csv", [("y", "+54 11 2345 6789", "", "", "", "")], CARD_HEAD)
    app.take()
    crm.write("a.csv", [("k", "+54 11 2345 6789", "", "", "", "")], CARD_HEAD)
    crm.take()

    def ids() -> list[int]:
        return [
            contact_of(app, source, who)["contact_id"]
            for source, who in (("app", "x"), ("app", "y"), ("crm", "k"))
        ]

    assert len(set(ids())) == 1
    # A warehouse from before spellings were one: what is there is joined by the next load.
    with warehouse.begin() as connection:
        for statement in (
            "TRUNCATE core.phone_alias, core.digest_alias",
            "UPDATE core.derived_from SET value = 'before' WHERE name = 'numbers'",
            "UPDATE core.derived_from SET value = rtrim(value, '0123456789abcdef') "
            "WHERE name LIKE 'cards of %'",
            "INSERT INTO core.contact (contact_id, first_source, first_source_contact_id, "
            "first_seen_on) VALUES (99, 'app', 'y', '2024-01-01')",
            "INSERT INTO core.contact_activity (contact_id, visible_on, updated_load_id) "
            "VALUES (99, '2024-01-01', 1)",
            "UPDATE core.contact_identity SET contact_id = 99, original_contact_id = 99 "
            "WHERE source = 'app' AND source_contact_id = 'y'",
        ):
            connection.execute(sa.text(statement))
    assert len(set(ids())) == 2
    app.write("c.csv", [("z", "", "", "", "", "")], CARD_HEAD)
    app.take()
    assert len(set(ids())) == 1
    assert app.rows(DIFFERENCES) == []


def test_consents_of_any_kind(warehouse: sa.Engine, tmp_path: Path) -> None:
    said = {
        "entity": "consent",
        "kind": None,
        "exclude": {"state": ["void"]},
        "columns": {
            "source_contact_id": "who",
            "contact_source": {"value": "crm"},
            "granted_at": "given",
            "withdrawn_at": "taken",
        },
    }
    feed = Feed(warehouse, tmp_path, "consents", **said)
    head = "who,given,taken,state"

    def standing() -> dict[str, bool]:
        return dict(
            feed.rows(
                "SELECT DISTINCT ON (source_contact_id) source_contact_id, "
                "granted_at IS NOT NULL AND withdrawn_at IS NULL FROM core.consent "
                "JOIN core.contact_identity AS identity USING (contact_id) "
                "WHERE identity.source = 'crm' "
                "ORDER BY source_contact_id, effective_at DESC, consent_id DESC"
            )
        )  # type: ignore[arg-type]

    feed.write("a.csv", [(n, "2024-01-01", "", "") for n in "abcd"], head)
    feed.take()
    assert standing() == dict.fromkeys("abcd", True)
    feed.write(
        "b.csv",
        [
            ("a", "2024-01-01", "2024-02-01", ""),
            ("b", "", "2024-02-01", ""),
            ("c", "2024-01-01", "", "void"),
        ],
        head,
    )
    feed.take()
    assert standing() == {"a": False, "b": False, "c": False, "d": True}
    assert feed.take().rows_loaded == 0


def test_a_refusal_holds_until_a_later_grant_in_whatever_order_they_come(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    said = {
        "entity": "consent",
        "kind": None,
        "exclude": {"state": ["no"]},
        "columns": {
            "source_contact_id": "who",
            "contact_source": {"value": "crm"},
            "granted_at": "at",
        },
    }
    feed = Feed(warehouse, tmp_path, "consents", **said)
    other = Feed(warehouse, tmp_path, "paper", **said)

    def tell(name: str, **rows: str) -> None:
        lines = [
            (who, at, state)
            for who, row in rows.items()
            for state, at in (said.split(" ") for said in row.split(", "))
        ]
        feed.write(name, lines, "who,at,state")

    other.write("a.csv", [("elsewhere", "2024-01-01", "yes")], "who,at,state")
    other.take()
    tell(
        "a.csv",
        flip="yes 2024-01-01",
        late="no 2024-02-01",
        undated="no ",
        again="no 2024-02-01",
        back="yes 2024-01-01",
        order="yes 2024-03-01, no 2024-02-01, yes 2024-01-01",
        future="yes 2024-01-01",
        elsewhere="no 2024-02-01",
        days="no 2024-02-01",
    )
    tell("b.csv", days="yes 2024-03-01")  # a past of many files, read at once
    feed.take()
    tell(
        "c.csv",
        flip="no 2024-02-01",
        late="yes 2024-01-01",
        undated="yes 2024-01-01",
        again="yes 2024-03-01",
        back="no 2024-02-01",
        future="no 2999-01-01",
    )
    feed.take()
    tell("d.csv", again="no 2024-02-01", back="yes 2024-02-02")
    feed.take()
    found = feed.rows(
        "SELECT source_contact_id, coalesce(max(granted_at) > max(withdrawn_at), TRUE)"
        " FROM core.consent JOIN core.contact_identity USING (contact_id) GROUP BY 1"
    )
    assert dict(found) == {
        "flip": False,
        "late": False,
        "undated": False,
        "again": False,
        "back": True,
        "order": True,
        "future": False,
        "elsewhere": True,
        "days": True,
    }
    count = feed.rows("SELECT count(*) FROM core.consent")
    (feed.folder / "d.csv").touch()
    feed.take()
    assert feed.rows("SELECT count(*) FROM core.consent") == count


# --- cost ----------------------------------------------------------------------------------------


def test_a_small_load_does_not_scan_core(warehouse: sa.Engine, tmp_path: Path) -> None:
    feed = Feed(warehouse, tmp_path)
    with warehouse.begin() as connection:
        for statement in (
            "INSERT INTO raw.load (source, entity, as_of, status, started_at) "
            "VALUES ('shop', 'interaction', '2024-03-01', 'loaded', '2024-03-02')",
            "INSERT INTO raw.interaction (load_id, file_id, line, source, record_key, record_hash, "
            "dated_on, status, record, contact_source, source_contact_id, kind, occurred_at) "
            "SELECT 1, 1, n, 'shop', 'e' || n, '', '2024-01-01', 'loaded', '{}', 'shop', "
            "'c' || n / 5, 'purchase', '2024-01-01' FROM generate_series(1, 300000) AS n",
            "INSERT INTO core.contact (contact_id, first_source, first_source_contact_id, "
            "first_seen_on) SELECT n, 'shop', 'c' || n, '2024-01-01' "
            "FROM generate_series(0, 60000) AS n",
            "INSERT INTO core.contact_identity SELECT n, 'shop', 'c' || n, n, 1 "
            "FROM generate_series(0, 60000) AS n",
            "INSERT INTO core.contact_activity (contact_id, visible_on, updated_load_id) "
            "SELECT n, '2024-01-01', 1 "
            "FROM generate_series(0, 60000) AS n",
            "SELECT core.add_month('2024-01-01')",
            "INSERT INTO core.interaction (contact_id, source, source_event_id, kind, occurred_at, "
            "occurred_on, loaded_at, load_id) SELECT n / 5, 'shop', 'e' || n, 'purchase', "
            "'2024-01-01', '2024-01-01', '2024-03-02', 1 FROM generate_series(1, 300000) AS n",
            "SELECT setval('core.contact_contact_id_seq', 100000)",
        ):
            connection.execute(sa.text(statement))
    with warehouse.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))
    feed.write("a.csv", [(f"e{n * 1000}", f"c{n}", "2024-03-01", n) for n in range(1, 200)])
    cards = Feed(warehouse, tmp_path, "crm", **CARD | {"verified": ["phone", "email"]})
    cards.write(
        "a.csv", [(n, f"21255501{n}", "", "", "", f"c{n}") for n in range(10, 60)], CARD_HEAD
    )
    big = (
        "raw.interaction",
        "core.interaction",
        "core.contact",
        "core.contact_identity",
        "core.contact_activity",
    )
    rows = 300_000

    def scanned() -> int:
        ((total,),) = feed.rows(
            "SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_user_tables "
            "WHERE schemaname || '.' || relname = ANY(:big)",
            big=list(big),
        )
        return int(total)

    def settled() -> int:
        with warehouse.connect() as connection:
            connection.execute(sa.text("SELECT pg_stat_force_next_flush()"))
        warehouse.dispose()  # a session tells its figures at its end
        return scanned()

    first = Feed(warehouse, tmp_path, "first")
    first.write("a.csv", [(1, 1, "2024-03-01", 1)])
    first.take()  # the policy is new to this warehouse: everybody is looked at, once
    before = settled()
    assert feed.take().rows_loaded == 199
    cards.take()
    assert settled() - before < rows / 10


def test_a_load_keeps_how_long_it_took_and_one_of_before_knows_not(
    new_warehouse: Any, tmp_path: Path
) -> None:
    with new_warehouse("0028") as engine:
        with engine.begin() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO raw.load (source, entity, as_of, status, started_at) VALUES"
                    " ('shop', 'interaction', '2024-03-30', 'loaded', '2024-03-31Z')"
                )
            )
        db.migrate(engine)
        feed = Feed(engine, tmp_path)
        feed.write("a.csv", [(1, "A", "2024-03-31", 5)])
        feed.take()
        with engine.connect() as connection:
            seconds = connection.execute(
                sa.text("SELECT raw_seconds, core_seconds FROM raw.load ORDER BY load_id")
            ).all()
    assert seconds[0] == (None, None)
    assert seconds[1][0] > 0 and seconds[1][1] > 0
