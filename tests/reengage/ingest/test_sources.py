"""From files to raw: what is read, what is rejected and why, and that nothing is read twice."""

import csv
import gzip
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import tracemalloc
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from depth import examples
from reengage import db
from reengage.errors import ConfigurationError, PastDayError, SourceError
from reengage.ingest import core
from reengage.ingest.sources import COLUMNS, Source, read_source, read_sources
from reengage.ingest.sources.clean import TYPED, Bad, Cleaner, Good
from reengage.ingest.sources.connectors import files
from reengage.ingest.sources.connectors.files import folders, json_lists
from reengage.ingest.sources.connectors.files.parquet import WIDE_GROUP
from reengage.ingest.sources.load import Load, load_source
from reengage.ingest.sources.places import Paging, Request
from reengage.ingest.sources.records import LONGEST, Broken, Notes
from reengage.phones.hashes import PhoneKey
from reengage.policy import Policy, read_policy

POLICY = read_policy()
AS_OF = date(2024, 3, 31)
CASES = Path(__file__).parents[2] / "cases"


def clock() -> datetime:
    return datetime(2024, 4, 1, 14, tzinfo=UTC)


def correcting(policy: Policy) -> Policy:
    """One by which orders move to other customers and days, however many, and stop no day."""
    gates = policy.gates.model_copy(update={"max_rejected_share": 1.0})
    return policy.model_copy(update={"gates": gates})


class Feed:
    """One source in a folder of its own, read and taken as the DAG does."""

    def __init__(self, engine: sa.Engine, folder: Path, name: str = "shop", **yaml: Any) -> None:
        self.engine = engine
        self.folder = folder / name
        self.folder.mkdir(parents=True)
        self.said: dict[str, Any] = {
            "source": name,
            "entity": "interaction",
            "kind": "purchase",
            "connector": "files",
            "path": str(self.folder),
            "time_zone": "UTC",
            "deletes": "unseen",
            "columns": {
                "source_event_id": "id",
                "source_contact_id": "who",
                "occurred_at": "at",
                "amount": "total",
            },
        } | yaml
        if self.said["kind"] is None:
            del self.said["kind"]

    @property
    def source(self) -> Source:
        file = self.folder / "_source.yaml"
        file.write_text(json.dumps(self.said), encoding="utf-8")
        return read_source(file)

    def write(self, name: str, rows: Sequence[Sequence[object]], header: str = "") -> Path:
        out = io.StringIO()
        csv.writer(out).writerows(rows)
        file = self.folder / name
        file.write_text((header or "id,who,at,total") + "\n" + out.getvalue(), encoding="utf-8")
        return file

    def read(self, as_of: date = AS_OF, policy: Policy = POLICY) -> Load:
        return load_source(self.engine, self.source, policy, as_of, clock)

    def take(self, as_of: date = AS_OF, policy: Policy = POLICY) -> Load:
        load = self.read(as_of, policy)
        assert load.problem is None, load.problem
        core.take(self.engine, load.source, load.load_id, as_of, policy, clock)
        return load

    def rows(self, statement: str, **binds: Any) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(statement), binds)]


def loaded(feed: Feed) -> dict[str, Any]:
    """Event id → amount of what is in core."""
    return {
        key: None if amount is None else float(amount)
        for key, amount in feed.rows("SELECT source_event_id, amount FROM core.interaction")
    }


# --- broken files --------------------------------------------------------------------------------


def test_a_folder_of_broken_files_gives_its_good_rows(warehouse: sa.Engine, tmp_path: Path) -> None:
    feed = Feed(warehouse, tmp_path)
    head = "id,who,at,total\n"

    def put(name: str, content: bytes) -> None:
        (feed.folder / name).write_bytes(content)

    whole = "".join(f"gz{n},7,2024-03-01,{n}.5,{random.Random(n).random()}\n" for n in range(5000))
    put("a_empty.csv", b"")
    put("b_header.csv", head.encode())
    put("c_cut.csv", (head + "c1,1,2024-03-01,5\nc2,2,2024-0").encode())
    put("d_cut.csv.gz", gzip.compress(("id,who,at,total,x\n" + whole).encode())[:-9000])
    put("e_stub.csv.gz", gzip.compress(b"x" * 99)[:12])
    put("f_columns.csv", b"Anna,Rossi,+39 335 1234567,anna@example.org\n1,2,3,4\n")
    put("g_bom.csv", ("\ufeff" + head + "g1,1,2024-03-01,5\r\n").encode())
    put("h_utf16.csv", (head + "h1,Zoë,2024-03-01,5\n").encode("utf-16"))
    put("i_latin1.csv", (head + "i1,Zoë,2024-03-01,5\ni2,ok,2024-03-01,5\n").encode("latin-1"))
    put("j_semicolon.csv", b"id;who;at;total\r\nj1;1;2024-03-01;5\r\n")
    put(
        "k_fields.csv",
        (head + "k1,1,2024-03-01\nk2,1,2024-03-01,5,6\nk3,1,2024-03-01,5\n").encode(),
    )
    put("l_nul.csv", (head + "l1,1\x00,2024-03-01,5\nl2,1,2024-03-01,5\n").encode())
    put(
        "m_quote.csv",
        (head + 'm1,"1,2024-03-01,5\nm2,2,2024-03-01,5\nm3,3,2024-03-01,5\n').encode(),
    )
    put(
        "n_quotes.csv",
        (head + 'n1,"1,2024-03-01,5\nn2,2,2024-03-01,5\nn3,3",2024-03-01,5\n').encode(),
    )
    put("o_multi.csv", (head + 'o1,"a\nb, c",2024-03-01,5\n').encode())
    put("p_cut.parquet", b"PAR1" + b"\x00" * 50)
    put(
        "q_lines.jsonl",
        b'{"id":"q1","who":1,"at":"2024-03-01","total":5.10}\n{"id":\n[1]\n'
        + b'{"id":"q2","who":"x\\u0000","at":"2024-03-01"}\n'
        + b"[" * 100_000
        + b"\n",
    )
    put("r_long.csv", (head + f"{'r' * 5000},1,2024-03-01,5\nr2,1,2024-03-01,1e9999999\n").encode())
    put("s_binary.csv", bytes(range(256)) * 40)
    load = feed.read()
    good = {row[0] for row in feed.rows("SELECT record_key FROM raw.interaction")}
    from_cut_gz = {key for key in good if key.startswith("gz")}
    assert 100 < len(from_cut_gz) < 5000
    assert good - from_cut_gz == {
        "c1",
        "g1",
        "h1",
        "i1",
        "i2",
        "j1",
        "k3",
        "l2",
        "m2",
        "m3",
        "n2",
        "o1",
        "q1",
        "r2",
    }
    whose = feed.rows(
        "SELECT source_contact_id FROM raw.interaction WHERE record_key IN ('h1', 'i1', 'o1')"
    )
    assert sorted(whose) == [("Zoë",), ("Zoë",), ("a\nb, c",)]
    rejects = feed.rows(
        "SELECT substr(regexp_replace(file.path, '.*/', ''), 1, 1) || reject.line, reason "
        "FROM raw.reject JOIN raw.file USING (file_id) "
        "WHERE file.path NOT LIKE '%.gz' ORDER BY 1"
    )
    assert {place for place, _ in rejects} == {
        "c3",
        "k2",
        "k3",
        "l2",
        "m2",
        "n2",
        "n4",
        "q2",
        "q3",
        "q4",
        "q5",
        "r2",
    }
    told = " ".join([*load.notes, *(reason for _, reason in rejects)])
    for name in (
        "a_empty.csv is empty",
        "d_cut.csv.gz breaks off after line",
        "e_stub.csv.gz",
        "f_columns.csv has no column id",
        "p_cut.parquet",
        "1 rows are not UTF-8",
        "s_binary",
    ):
        assert name in told, name
    assert "335" not in told and "@" not in told and "Anna" not in told


def test_text_arrives_as_it_was_written(warehouse: sa.Engine, tmp_path: Path) -> None:
    odd = ["a\\b", "a\\Nb", "tab\there", 'say "hi", you', "two\nlines", "x\\\tn", "😀"]
    feed = Feed(warehouse, tmp_path)
    feed.said["columns"]["product_id"] = "total"
    feed.write("a.csv", [(n, text, "2024-03-01", text) for n, text in enumerate(odd)])
    feed.read()
    found = feed.rows(
        "SELECT source_contact_id, product_id, record ->> 'who' FROM raw.interaction ORDER BY line"
    )
    assert found == [(text, text, text) for text in odd]


def test_the_same_rows_whatever_the_format(warehouse: sa.Engine, tmp_path: Path) -> None:
    at = datetime(2024, 3, 10, 3, 30, tzinfo=UTC)
    columns = {"id": ["e1", "e2"], "who": [7, 8], "total": [12.5, float("nan")]}
    for unit, name in (("ns", "a"), ("s", "b")):
        file = tmp_path / f"{name}.parquet"
        times = pa.array([at, None if name == "b" else at], pa.timestamp(unit, "UTC"))
        pq.write_table(pa.table({**columns, "at": times}), file)
        feed = Feed(warehouse, tmp_path, name)
        file.rename(feed.folder / file.name)
        feed.read()
    far = Feed(warehouse, tmp_path, "far")
    times = pa.array([2**58, 1_710_041_400_000_000], pa.timestamp("us"))
    days = pa.array([date(2024, 3, 9)] * 2)
    pq.write_table(pa.table({**columns, "at": times, "day": days}), far.folder / "x.parquet")
    far.read()
    dates = Feed(warehouse, tmp_path, "dates")
    dates.said["columns"] = {"source_contact_id": "who", "occurred_at": "day"}
    (far.folder / "x.parquet").rename(dates.folder / "x.parquet")
    dates.read()
    found = far.rows(
        "SELECT source, source_contact_id, occurred_at, dated_on, amount FROM raw.interaction "
        "ORDER BY 1, 2"
    )
    day = date(2024, 3, 9)  # 22:30 in New York
    midnight = datetime(2024, 3, 9, 5, tzinfo=UTC)
    assert [(s, w, a, d, x and float(x)) for s, w, a, d, x in found] == [
        ("a", "7", at, day, 12.5),
        ("a", "8", at, day, None),
        ("b", "7", at, day, 12.5),
        ("dates", "7", midnight, day, None),
        ("dates", "8", midnight, day, None),
        ("far", "8", at, day, None),
    ]


def test_bad_rows_among_many_are_told_apart(tmp_path: Path) -> None:
    rnd = random.Random(4)
    bad = set(rnd.sample(range(100_000), 1000))
    text = ["id,who,at,total\n"]
    for n in range(100_000):
        text.append(f'{n},"{n},2024-03-01,5\n' if n in bad else f"{n},{n},2024-03-01,5\n")
    file = tmp_path / "x.csv"
    file.write_text("".join(text), encoding="utf-8")
    source = Feed(None, tmp_path).source  # type: ignore[arg-type]
    seen_bad, good = set(), set()
    for line, row in files.read(file, source, Notes()):
        if isinstance(row, Broken):
            seen_bad.add(line - 2)
        else:
            assert row["id"] == row["who"] == str(line - 2)
            good.add(line - 2)
    assert seen_bad == bad
    assert good == set(range(100_000)) - bad


@given(
    st.lists(st.binary(max_size=60) | st.just(b'a,"b,2024-03-01,5') | st.just(b"1,2,2024-03-01,5"))
)
def test_no_bytes_at_all_stop_the_reading(lines: list[bytes]) -> None:
    source, policy = plain_source(), POLICY
    clean = Cleaner(source, policy, PhoneKey("key"))
    folder = Path(os.environ["REENGAGE_HOME"])
    for name, head in (("fuzz.csv", b"id,who,at,total\n"), ("fuzz.jsonl", b"")):
        file = folder / name
        file.write_bytes(head + b"\n".join(lines))
        try:
            for _, row in files.read(file, source, Notes()):
                found = row if isinstance(row, Broken) else clean(row)
                for text in (found.record, *(getattr(found, "typed", ()))):  # type: ignore[union-attr]
                    assert "\x00" not in str(text)
                    str(text).encode()
        except SourceError:
            pass


def plain_source(**said: Any) -> Source:
    return Source.model_validate(
        {
            "source": "shop",
            "entity": "interaction",
            "kind": "purchase",
            "connector": "files",
            "path": "x",
            "columns": {
                "source_event_id": "id",
                "source_contact_id": "who",
                "occurred_at": "at",
                "amount": "total",
            },
        }
        | said
    )


# --- values --------------------------------------------------------------------------------------

ZONES = ("America/New_York", "Europe/Rome", "Pacific/Auckland", "UTC")


@given(
    st.datetimes(datetime(2023, 10, 20), datetime(2024, 4, 10)),
    st.sampled_from(ZONES[:2]),
    st.sampled_from(ZONES),
    st.sampled_from(["naive", "offset", "z", "date", "epoch"]),
)
@settings(max_examples=examples(300))
def test_days_end_at_the_brands_midnight(
    moment: datetime, brand: str, zone: str, written: str
) -> None:
    # Of an hour that comes twice the first is meant: text cannot say which.
    moment = moment.replace(microsecond=0, fold=0)
    brand_zone, source_zone = ZoneInfo(brand), ZoneInfo(zone)
    policy = POLICY.model_copy(
        update={"brand": POLICY.brand.model_copy(update={"time_zone": brand})}
    )
    at = moment.replace(tzinfo=source_zone)
    text = {
        "naive": moment.isoformat(" "),
        "offset": at.isoformat(),
        "z": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "date": str(moment.date()),
        "epoch": str(int(at.timestamp())),
    }[written]
    row = Cleaner(plain_source(time_zone=zone), policy, PhoneKey("key"))(
        {"id": "1", "who": "1", "at": text, "total": None}
    )
    assert isinstance(row, Good)
    if written == "date":
        assert row.dated_on == moment.date()
        assert row.typed[3].astimezone(brand_zone).date() == moment.date()
    else:
        assert row.typed[3].timestamp() == at.timestamp()
        assert row.dated_on == at.astimezone(UTC).astimezone(brand_zone).date()


def cleaned(**record: str | None) -> Good | Bad | None:
    return Cleaner(plain_source(), POLICY, PhoneKey("key"))(
        {"id": "1", "who": "1", "at": "2024-03-01", "total": "5"} | record
    )


@pytest.mark.parametrize(
    ("said", "amount"),
    [
        ("5", 5),
        ("-5.10", -5.1),
        ("1e3", 1000),
        ("1.5E-05", 0.000015),
        ("0E+99999999", 0),
        ("1,5", 1.5),
        ("1.234,56", 1234.56),
        ("1,234.56", 1234.56),
        ("1,234,567", 1234567),
        ("0,125", 0.125),
        ("1'234.50", 1234.5),
        ("1 234,50", 1234.5),
        ("(12,50)", -12.5),
        ("12.50-", -12.5),
        ("\u221212", -12),
        ("1,23,456.00", 123456),
    ],
)
def test_amounts(said: str, amount: float) -> None:
    row = cleaned(total=said)
    assert isinstance(row, Good)
    assert float(row.typed[4]) == amount
    assert not row.problems


@pytest.mark.parametrize(
    ("said", "amount", "currency"),
    [
        ("€ 1.234,56", "1234.56", "EUR"),
        ("-$12.50", "-12.50", "USD"),
        ("($12.50)", "-12.50", "USD"),
        ("-50,00 €", "-50.00", "EUR"),
        ("$12.50 USD", "12.50", "USD"),
        ("100,-", "100", "USD"),
        ("100,- Kč", "100", "CZK"),
        ("EUR -5", "-5", "EUR"),
        ("kr 1 234,50", "1234.50", None),  # of four countries: which is not guessed
    ],
)
def test_an_amount_with_its_currency(said: str, amount: str, currency: str | None) -> None:
    row = cleaned(total=said)
    assert isinstance(row, Good)
    assert row.typed[4:6] == (amount, currency)
    assert bool(row.problems) == (currency is None)


@pytest.mark.parametrize(
    ("said", "currency", "amount"),
    [
        ("Rp 50.000", None, "50000"),
        ("50.000 VND", None, "50000"),
        ("1.234", "JPY", "1234"),
        ("1,234", "JPY", "1234"),
        ("-1.234", "KRW", "-1234"),
        ("12.50", "JPY", "12.50"),
        ("0.500", "JPY", "0.500"),
        ("1234.567", "JPY", "1234.567"),
        ("1.234", "EUR", "1.234"),
        ("1,234", "EUR", None),
        ("1.234", "¥", "1.234"),  # yen or yuan, and the brand's is neither
        ("1.234 KWD", None, "1.234"),  # a dinar has a thousand fils
    ],
)
def test_of_a_currency_without_a_smaller_unit_nothing_has_three_decimals(
    said: str, currency: str | None, amount: str | None
) -> None:
    row = ordered(total=said, money=currency)
    assert isinstance(row, Good)
    assert row.typed[4] == amount


def ordered(decimal: str | None = None, **record: str | None) -> Good | Bad | None:
    """As `cleaned`, of a source that says currencies and coupons."""
    ours = {"currency": "money", "coupon_code": "coupon"}
    source = plain_source(decimal=decimal, columns=plain_source().columns | ours)
    said = {"id": "1", "who": "1", "at": "2024-03-01", "total": "5", "money": None, "coupon": None}
    return Cleaner(source, POLICY, PhoneKey("key"))(said | record)


def test_a_sign_that_the_source_says_holds_whatever_the_currency() -> None:
    row = ordered(".", total="1.234", money="JPY")
    assert isinstance(row, Good)
    assert row.typed[4] == "1.234"


def test_which_factor_is_the_price_is_not_guessed() -> None:
    columns = plain_source().columns | {"amount": {"multiply": ["n", "total"]}, "currency": "money"}
    clean = Cleaner(plain_source(columns=columns), POLICY, PhoneKey("key"))
    said = {"id": "1", "who": "1", "at": "2024-03-01", "money": "IDR", "n": "2"}
    marked, bare, whole = (
        clean(said | {"total": total}) for total in ("Rp 50.000", "50.000", "50000")
    )
    assert [isinstance(row, Good) and row.typed[4] for row in (marked, bare, whole)] == [
        "100000",
        None,
        "100000",
    ]
    assert isinstance(bare, Good)
    assert "could be thousands or decimals" in bare.problems["amount"]


@pytest.mark.parametrize(
    "said",
    [
        "TZMPD%2D4QTHR",
        "TZMPD%204QTHR",
        "15%tzmpd-4qthr",
        '["SAVE5", "TZMPD-4QTHR"]',
        r"TZMPD\u002d4QTHR",
        "TZMPD&#45;4QTHR",
        "TZMPD&ndash;4QTHR",
        "ＴＺＭＰＤ－４ＱＴＨＲ",
        "TZMPD\u00a04QTHR",
        "TZ\u00adMPD\u200b-4QTHR",
        "«TZMPD‑4QTHR» (15%)",
        "code=TZMPD-4QTHR&off=10%2B",
        "TZMPD4QTHR.0",
    ],
)
def test_a_code_is_found_however_its_signs_are_written(warehouse: sa.Engine, said: str) -> None:
    row = ordered(coupon=said)
    assert isinstance(row, Good)
    with warehouse.connect() as connection:
        keys = connection.execute(
            sa.text("SELECT outbox.code_keys(:said)"), {"said": row.typed[7]}
        ).scalar_one()
    assert "TZMPD4QTHR" in keys


def test_what_is_no_escape_loses_no_code(warehouse: sa.Engine) -> None:
    row = ordered(coupon="10%2BCDF-GHJKM")
    assert isinstance(row, Good)
    with warehouse.connect() as connection:
        keys = connection.execute(
            sa.text("SELECT outbox.code_keys(:said)"), {"said": row.typed[7]}
        ).scalar_one()
    assert "2BCDFGHJKM" in keys


NOBODY = [
    "-",
    "--",
    "???",
    "n/a",
    "#N/A",
    "NULL",
    "none",
    "Unknown",
    "Guest",
    "-1",
    "walk-in",
    "N.A.",
]
NOBODY += ["test@test.com", "NoEmail@shop.example", "ゲスト"]


@pytest.mark.parametrize("said", NOBODY)
def test_a_word_for_none_is_no_id(said: str) -> None:
    told = "source_contact_id is missing"
    order = cleaned(who=said)
    assert isinstance(order, Good)
    assert order.lacks == told
    card = {"id": "C1", "email": None, "shop": said}
    columns = {"source_contact_id": "id", "email": "email", "shop_account_id": "shop"}
    clean = Cleaner(
        plain_source(entity="contact", kind=None, columns=columns), POLICY, PhoneKey("key")
    )
    row = clean(card)
    assert isinstance(row, Good)
    assert row.typed[-1] is None
    nobodys = clean(card | {"id": said})
    assert isinstance(nobodys, Bad)
    assert nobodys.reason == told
    assert isinstance(consent(CONSENT, id=said, at="2025-01-01"), Bad)
    # What was once taken under it is still taken back.
    assert isinstance(consent(CONSENT, id=said, off="2025-01-01"), Bad if said in NULLS else Good)


@pytest.mark.parametrize("said", ["0", "000000", "0.0", "０"])
def test_zeros_join_nobody_and_are_an_id_where_a_table_begins_with_them(said: str) -> None:
    columns = {"source_contact_id": "id", "shop_account_id": "shop"}
    clean = Cleaner(
        plain_source(entity="contact", kind=None, columns=columns), POLICY, PhoneKey("key")
    )
    card = clean({"id": said, "shop": said})
    assert isinstance(card, Good)
    assert card.typed[-1] is None
    order = cleaned(id=said, who=said)
    assert isinstance(order, Good)
    assert order.lacks is None
    assert card.record_key == order.record_key


NULLS = {"#N/A", "NULL"}  # of databases and spreadsheets: nothing stands there at all


@pytest.mark.parametrize(
    "said",
    ["1", "10", "0001", "guest17", "K-1", "unknown.soldier@mail.example", "info@shop.example"],
)
def test_what_may_be_somebodys_id_is_one(said: str) -> None:
    order = cleaned(who=said)
    assert isinstance(order, Good)
    assert order.lacks is None


@pytest.mark.parametrize("email", ["test@test.com", "noreply@shop.example", "x@x.com"])
def test_an_address_that_is_typed_where_there_is_none_joins_nobody(email: str) -> None:
    columns = {"source_contact_id": "id", "email": "email"}
    clean = Cleaner(
        plain_source(entity="contact", kind=None, columns=columns), POLICY, PhoneKey("key")
    )
    row = clean({"id": "C1", "email": email})
    assert isinstance(row, Good)
    assert row.typed[4] is None
    assert email not in row.problems["email"]


@pytest.mark.parametrize(
    "said",
    [
        "five",
        "1_000",
        "٥",
        "inf",
        "1e9999999",
        "1e-9999999",
        "9" * 16,
        "1,234",
        "5 pcs",
        "€5 USD",
        "5%",
        "1.234,5.6",
        "12 50",
        "(5",
        "--5",
        "1,23,45",
    ],
)
def test_what_is_no_amount_is_emptied_with_a_reason(said: str) -> None:
    row = cleaned(total=said)
    assert isinstance(row, Good)
    assert row.typed[4] is None
    assert list(row.problems) == ["amount"]
    assert said not in row.problems["amount"]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"who": " "}, "source_contact_id is missing"),
        ({"id": "NULL"}, "source_event_id is"),
        ({"at": "31/12/2024"}, "occurred_at is no time"),
        ({"at": "0001-01-01"}, "can be true"),
        ({"at": None}, "occurred_at is missing"),
        ({"who": "x" * 201}, "longer than"),
    ],
)
def test_only_a_missing_id_or_an_unreadable_time_rejects(bad: dict[str, Any], why: str) -> None:
    row = cleaned(**bad)
    # What another line of the order may still say is told with the row.
    reason = row.reason if isinstance(row, Bad) else row and row.lacks
    assert re.search(why, reason or "")


def test_a_card_keeps_what_can_be_read_of_it() -> None:
    names = ("phone", "email", "first_name", "language", "country", "time_zone", "created_at")
    source = plain_source(
        entity="contact",
        kind=None,
        columns={"source_contact_id": "id", "last_name": {"value": "Doe"}, **{n: n for n in names}},
    )
    clean = Cleaner(source, POLICY, PhoneKey("key"))
    bad = dict.fromkeys(names, "+39 335 12") | {"id": "1", "first_name": "Null 😀"}
    row = clean(bad)
    assert isinstance(row, Good)
    assert set(row.problems) == set(names) - {"first_name"}
    assert "335" not in " ".join(row.problems.values())
    assert row.typed[5:7] == ("Null 😀", "Doe")
    for phone, country, e164 in (
        ("(212) 555-0123", None, "+12125550123"),
        ("335 1234567", "it", "+393351234567"),
        ("0039 335 1234567", "IT", "+393351234567"),
        ("3.93351E+11", "IT", None),
        ("335 1234567 / 335 7654321", "IT", None),
    ):
        row = clean(dict.fromkeys(names) | {"id": "1", "phone": phone, "country": country})
        assert isinstance(row, Good)
        assert row.typed[1] == e164, phone
        assert (row.typed[2] is None) == (e164 is None)


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("2026-05-20 02:30:00 UTC", "02:30"),
        ("2026-05-20 04:30 Europe/Rome", "02:30"),
        ("2026-07-20 04:30 EST", "09:30"),
        ("2026-05-20 04:30 EDT", "08:30"),
        ("2026-05-20 04:30 JST", None),
        ("2026-05-20T04:30:00 GMT+2", "02:30"),
        ("2026-05-20 04:30 BST", "no"),
        ("2026-05-20 04:30 PM", "no"),
    ],
)
def test_the_zone_that_a_time_names_counts(said: str, at: str | None) -> None:
    for format in (
        None,
        ["%d.%m.%Y", "%Y-%m-%dT%H:%M:%S %Z", "%Y-%m-%d %H:%M:%S %Z", "%Y-%m-%d %H:%M %Z"],
    ):
        source = plain_source(time_zone="America/New_York", time_format=format)
        row = Cleaner(source, POLICY, PhoneKey("key"))(
            {"id": "1", "who": "1", "at": said, "total": None}
        )
        if at == "no":
            assert isinstance(row, Bad) and said not in row.reason
        else:
            assert isinstance(row, Good)
            moment = row.typed[3].astimezone(UTC)
            assert f"{moment:%H:%M}" == (at or "19:30")


NAMED = {"source_contact_id": "id", "first_name": "name", "country": {"value": "FR"}}


@pytest.mark.parametrize(
    ("written", "country", "name"),
    [
        ("Zoë".encode("cp1252"), "FR", "Zoë"),
        ("Søren".encode("cp1252"), "DK", "Søren"),
        ("D’Angelo".encode("cp1252"), "IT", "D’Angelo"),
        ("Łukasz".encode("cp1250"), "FR", None),
        ("Jiří".encode("cp1250"), "FR", None),
        ("Ondřej".encode("cp1250"), "CZ", None),
        ("Анна".encode("cp1251"), "FR", None),
        ("지수".encode("euc-kr"), "US", None),
        ("Łukasz".encode(), "PL", "Łukasz"),
        ("José".encode().decode("cp1252").encode(), "ES", None),
        ("Zo�".encode(), "FR", None),
    ],
)
def test_a_name_of_letters_that_make_no_sense_is_none(
    tmp_path: Path, written: bytes, country: str, name: str | None
) -> None:
    columns = NAMED | {"country": {"value": country}}
    source = plain_source(entity="contact", kind=None, columns=columns)
    (tmp_path / "x.csv").write_bytes(b"id,name\n1," + written + b"\n")
    [(_, said)] = files.read(tmp_path / "x.csv", source, Notes())
    assert isinstance(said, dict)
    row = Cleaner(source, POLICY, PhoneKey("key"))(said)
    assert isinstance(row, Good)
    assert row.typed[TYPED["contact"].index("first_name")] == name
    assert ("first_name" in row.problems) == (name is None)


@pytest.mark.parametrize("encoding", ["cp1250", "iso-8859-2", "utf-16-le", "utf-8", "utf-8-sig"])
def test_a_file_is_read_in_the_encoding_that_its_source_says(tmp_path: Path, encoding: str) -> None:
    source = plain_source(entity="contact", kind=None, columns=NAMED, encoding=encoding)
    (tmp_path / "x.csv").write_bytes("id,name\n1,Łukasz\n2,Ĺ\n".encode(encoding))
    notes = Notes()
    found = [
        row["name"]
        for _, row in files.read(tmp_path / "x.csv", source, notes)
        if isinstance(row, dict)
    ]
    assert (found, notes.text()) == (["Łukasz", "Ĺ"], None)


def test_excluded_rows_and_unknown_kinds_are_no_rejects() -> None:
    source = plain_source(
        kind={"column": "type", "map": {"order": "purchase"}}, exclude={"status": ["cancelled"]}
    )
    clean = Cleaner(source, POLICY, PhoneKey("key"))
    order = {"id": "1", "who": "1", "at": "2024-03-01", "total": "5", "type": "order", "status": ""}
    facts = [
        isinstance(row, Good) and not row.is_excluded
        for row in (
            clean(order),
            clean(order | {"status": " cancelled "}),
            clean(order | {"type": "view"}),
            clean(order | {"status": "Can celled"}),
            clean(order | {"type": " ORDER"}),
        )
    ]
    assert facts == [True, False, False, False, True]
    assert clean(order | {"type": "view", "id": "x" * 201}) is None
    assert isinstance(clean(order | {"id": "x" * 201}), Bad)
    # Another row of the order may say who it was.
    lines = [clean(order | {"type": kind, "who": None}) for kind in ("view", "order")]
    assert [isinstance(line, Good) and line.lacks for line in lines] == [
        "source_contact_id is missing"
    ] * 2


@pytest.mark.parametrize(
    ("quantity", "price", "amount", "currency"),
    [
        ("2", "4.50", "9.00", "USD"),
        ("2", "4,50 €", "9.00", "EUR"),
        ("-1", "£4.50", "-4.50", "GBP"),
        ("2", "$4.50", "9.00", "USD"),
        ("2 €", "4.50 €", "9.00", "EUR"),
        ("2 €", "£4.50", None, "USD"),
    ],
)
def test_a_product_is_of_the_currency_beside_its_factors(
    quantity: str, price: str, amount: str | None, currency: str
) -> None:
    source = plain_source(
        columns={
            "source_event_id": "id",
            "source_contact_id": "who",
            "occurred_at": "at",
            "amount": {"multiply": ["quantity", "price"]},
        }
    )
    row = Cleaner(source, POLICY, PhoneKey("key"))(
        {"id": "1", "who": "1", "at": "2024-03-01", "quantity": quantity, "price": price}
    )
    assert isinstance(row, Good)
    assert (row.typed[4], row.typed[5], "amount" in row.problems) == (
        amount,
        currency,
        amount is None,
    )


CONSENT: dict[str, Any] = {
    "entity": "consent",
    "kind": None,
    "columns": {"source_contact_id": "id", "granted_at": "at", "withdrawn_at": "off"},
}
FLAGGED = CONSENT | {"columns": CONSENT["columns"] | {"subscribed": "flag"}}


def consent(said: dict[str, Any], **record: str | None) -> Good | Bad | None:
    nothing = dict.fromkeys(said["columns"].values())
    return Cleaner(plain_source(**said), POLICY, PhoneKey("key"))(nothing | {"id": "K1"} | record)


@pytest.mark.parametrize(
    ("off", "is_withdrawn"),
    [
        ("0000-00-00", False),
        ("0000-00-00T00:00:00Z", False),
        ("00/00/0000", False),
        ("0", False),
        ("9999-12-31 23:59:59.9999999", False),
        ("31-DEC-9999", False),
        ("12/31/9999", False),
        ("99991231", False),
        ("253402300799000", False),
        ("false", False),
        ("N", False),
        ("2026-13-01", True),
        ("2026-05-32 10:00:00+0000", True),
        ("0001-01-01", True),
        ("yes", True),
        ("19990000x", True),
        ("29999-01-01", True),
    ],
)
def test_what_is_no_day_withdraws_nothing_and_what_cannot_be_read_does(
    off: str, is_withdrawn: bool
) -> None:
    row = consent(CONSENT, at="2025-06-01", off=off)
    assert isinstance(row, Good)
    assert (row.typed[6] == row.typed[5]) is is_withdrawn
    assert (row.typed[6] is None) is not is_withdrawn
    assert list(row.problems) == ["withdrawn_at"]
    # A bare withdrawal is heard, whenever it was; no day is none.
    bare = consent(CONSENT, off=off)
    assert isinstance(bare, Good if is_withdrawn else Bad)
    assert isinstance(consent(CONSENT, at="soon", off=off), Good if is_withdrawn else Bad)


@pytest.mark.parametrize(
    ("off", "is_withdrawn"),
    [
        ("2025-06-01", True),  # of that day, but at what hour?
        ("2025-05-31", False),
        ("2025-06-02", True),
        ("2025-06-01T08:00:00Z", False),
        ("2025-06-01T11:00:00Z", True),
    ],
)
def test_what_is_taken_back_on_the_day_it_was_given_is_taken_back(
    off: str, is_withdrawn: bool
) -> None:
    row = consent(CONSENT, at="2025-06-01T10:00:00Z", off=off)
    assert isinstance(row, Good)
    assert (row.typed[6] >= row.typed[5]) is is_withdrawn


@pytest.mark.parametrize(
    ("flag", "what"),
    [
        ("yes", "yes"),
        ("TRUE", "yes"),
        ("1", "yes"),
        ("1.0", "yes"),
        ("Opted in", "yes"),
        ("no", "no"),
        ("false", "no"),
        ("0", "no"),
        ("0.0", "no"),
        ("UNSUBSCRIBED", "no"),
        ("3", "bad"),
        ("-1", "bad"),
        ("pending", "no"),
        ("perhaps", "bad"),
        (None, "bad"),
        ("N/A", "bad"),
    ],
)
def test_a_flag_grants_refuses_or_says_nothing(flag: str | None, what: str) -> None:
    row = consent(FLAGGED, flag=flag, at="2025-06-01")
    found = "bad" if not isinstance(row, Good) else "no" if row.is_excluded else "yes"
    assert found == what
    if isinstance(row, Bad):
        assert row.refusal is not None
        assert row.refusal.is_excluded
    # What withdraws is heard beside any flag; a no is heard beside any date.
    off = consent(FLAGGED, flag=flag, at="2025-06-01", off="2026-05-20")
    assert isinstance(off, Good)
    assert off.typed[6] is not None
    assert isinstance(consent(FLAGGED, flag=flag, at="soon"), Good) is (what == "no")


def test_a_consent_that_says_nothing_grants_nothing_and_takes_back_what_was_granted(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    """Most people in an export of profiles were never asked: they stop no day."""
    said = {**FLAGGED, "exclude": {"state": ["off"]}}
    feed = Feed(warehouse, tmp_path, "consents", required=False, **said)
    rows: list[tuple[Any, ...]] = [(1, "2024-01-01", "yes", "", ""), (2, "", "", "", "")]
    rows += [(n, "", "NULL", "0000-00-00", "") for n in range(3, 30)]
    feed.write("a.csv", rows, "id,at,flag,off,state")
    load = feed.take()
    assert load.problem is None
    assert (load.rows_loaded, load.rows_rejected) == (1, 0)
    told = "a.csv: 28 rows say neither yes nor a day: nothing is granted by them"
    assert [note for note in load.notes if told in note] != []
    # Whoever agreed before has taken it back; what says yes without a date is another matter.
    rows = [(1, "", "", "", ""), (2, "", "yes", "", ""), (3, "", "", "", "on")]
    feed.write("a.csv", rows, "id,at,flag,off,state")
    load = feed.read()
    assert any("since when it is granted is not known" in note for note in load.notes)
    assert feed.rows(
        "SELECT source_contact_id, status::text FROM raw.consent ORDER BY load_id, line"
    ) == [("1", "loaded"), ("1", "excluded")]
    # Where nobody says anything, a column has come empty: who withdrew would be texted.
    feed.write("a.csv", [(n, "", "", "", "") for n in range(1, 30)], "id,at,flag,off,state")
    problem = feed.read().problem
    assert problem is not None
    assert "29 of 29 rows (100.0%)" in problem
    assert "that is all of its rows" in problem


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("Purchase", "kind: write one of purchase,"),
        ("{column: type, map: {a: Purchase}}", "kind.map.a: write one of purchase,"),
        ("{column: type}", "kind.map: is missing"),
    ],
)
def test_what_is_wrong_with_a_kind_is_said_of_what_was_written(
    tmp_path: Path, kind: str, said: str
) -> None:
    file = tmp_path / "shop.yaml"
    text = "source: shop\nentity: interaction\nconnector: files\npath: a.csv\nkind: "
    file.write_text(f"{text}{kind}\ncolumns: {{source_contact_id: who, occurred_at: at}}\n")
    with pytest.raises(ConfigurationError) as refused:
        read_source(file)
    _, *lines = str(refused.value).splitlines()
    assert len(lines) == 1
    assert said in lines[0]
    assert "literal" not in lines[0]


PRODUCT: dict[str, Any] = {
    "entity": "product",
    "kind": None,
    "columns": {"source_product_id": "id"}
    | {name: name for name in ("name", "url", "image_url", "price", "currency", "available")},
}


def product(**record: str | None) -> Good | Bad | None:
    nothing = dict.fromkeys(PRODUCT["columns"].values())
    return Cleaner(plain_source(**PRODUCT), POLICY, PhoneKey("key"))(
        nothing | {"id": "p1"} | record
    )


ROWS = [{"id": n, "who": f"C{n}", "at": "2024-03-01", "total": n} for n in range(1, 4)]
GOOD = [str(n) for n in range(1, 4)]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        "[" + ",\n".join(map(json.dumps, ROWS)) + ",]",
        "\ufeff" + json.dumps({"meta": {"n": 3, "links": [{"rel": "next"}]}, "orders": ROWS}),
        '{"tags": ["a"], "orders": [\n' + ",\n".join(map(json.dumps, ROWS)) + "\n]}",
        json.dumps({"data": {"orders": ROWS}}, indent=1),
        json.dumps({"orders": ROWS[:1]}) + "\n" + json.dumps({"orders": ROWS[1:]}),
        json.dumps(ROWS[:2]) + json.dumps(ROWS[2:]),
        "\n".join(json.dumps(row, indent=2) for row in ROWS),
        "\n".join(json.dumps(row) for row in ROWS),
        json.dumps([row | {"items": [{"id": 9}], "note": 'a"}]{[\\'} for row in ROWS]),
    ],
)
def test_json_is_read_however_a_program_lays_it_out(tmp_path: Path, text: str) -> None:
    found, told = _json(tmp_path, text)
    assert [row["id"] for row in found if isinstance(row, dict)] == GOOD
    assert (len(found), told) == (3, None)


def _json(folder: Path, text: str) -> tuple[list[Any], str | None]:
    """What the rows of a JSON document are, and what is told of it."""
    (folder / "x.json").write_text(text, encoding="utf-8")
    notes = Notes()
    source = plain_source(path=str(folder / "x.json"))
    return [row for _, row in files.read(folder / "x.json", source, notes)], notes.text()


def test_what_is_wrong_in_a_list_of_json_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    deep = '{"id": ' + "[" * 100_000 + "]" * 100_000 + "}"
    long = json.dumps({"id": "x" * LONGEST})
    bad = ['{"id": 1,, "who": 2}', "5", '"a"', "[1]", "null", '{"id": 1, "id": 2}', deep, long]
    text = "[" + ",".join([json.dumps(ROWS[0]), *bad, *map(json.dumps, ROWS[1:])]) + "]"
    found, told = _json(tmp_path, text)
    assert [row["id"] for row in found if isinstance(row, dict)] == GOOD
    reasons = [row.reason for row in found if isinstance(row, Broken)]
    assert len(reasons) == len(bad)
    assert reasons[0].startswith("is not JSON")
    assert reasons[-2:] == ["is not JSON: nested too deeply", "is longer than 1,048,576 characters"]
    assert told is None
    # A later page begins with a row that has none of the keys.
    pages = {"orders": ROWS[:1]}, {"orders": [{"deleted": True}, *ROWS[1:]]}
    found, _ = _json(tmp_path, "\n".join(map(json.dumps, pages)))
    assert [row.get("id") for row in found] == [GOOD[0], None, *GOOD[1:]]
    # What is cut keeps its good rows, and is told.
    found, told = _json(tmp_path, json.dumps({"orders": ROWS}, indent=1)[:-40])
    assert [row["id"] for row in found] == GOOD[:2]
    assert "breaks off after row 2" in (told or "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "is empty"),
        ('{"orders": []}', "is empty"),
        (json.dumps({"orders": ROWS, "refunds": ROWS}), "both orders and refunds"),
        (json.dumps({"orders": ROWS}) + json.dumps(ROWS[0]), "in its list orders, and beside it"),
        (json.dumps({"orders": [{"order_id": 1}]}), "no list of rows with the key"),
        (json.dumps([{"order_id": 1}]), "no row has the key"),
    ],
)
def test_a_json_document_whose_rows_cannot_be_told_is_refused(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(SourceError, match=told):
        _json(tmp_path, text)


@pytest.mark.parametrize(
    ("head", "filler", "tail"),
    [
        ('[{"id": "', "x", '"}, %s]'),
        ("[", "[", "]"),
        ("[", " ", "%s]"),
        ('{"meta": "', "x", '", "orders": [%s]}'),
        ('[{"id": "', "\\", '"}, %s]'),
    ],
)
def test_a_json_document_of_no_end_is_left_in_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: str, filler: str, tail: str
) -> None:
    monkeypatch.setattr(json_lists, "MOST_SIGNS", 50_000)
    file = tmp_path / "x.json.gz"
    with gzip.open(file, "wt", compresslevel=1) as out:
        out.write(head)
        for _ in range(40):
            out.write(filler * (1 << 20))
        out.write(tail.replace("%s", json.dumps(ROWS[0])))
    notes = Notes()
    tracemalloc.start()
    try:
        with suppress(SourceError):
            for _ in files.read(file, plain_source(path=str(file)), notes):
                pass
        assert tracemalloc.get_traced_memory()[1] < 30 << 20
    finally:
        tracemalloc.stop()


def test_a_product_is_known_by_its_id_and_keeps_what_can_be_read_of_it() -> None:
    row = product(
        name=" Red  lamp\n", url="https://shop.example/p/1?x=ü", price="9.50", available="1"
    )
    assert isinstance(row, Good)
    assert (row.record_key, row.dated_on, row.problems) == ("p1", None, {})
    assert row.typed == (
        "p1",
        "Red lamp",
        None,
        "https://shop.example/p/1?x=ü",
        None,
        "9.50",
        POLICY.brand.currency,
        True,
    )
    row = product(name="x" * 201, url="http://shop.example", price="free", available="perhaps")
    assert isinstance(row, Good)
    assert set(row.problems) == {"name", "url", "price", "available"}
    assert row.typed[1:4] == (None, None, None)
    assert product(name="a\u202eb").problems == {"name": "holds characters that cannot be shown"}  # type: ignore[union-attr]
    assert isinstance(product(id=None, name="Lamp"), Bad)


@pytest.mark.parametrize(
    "said",
    [
        "shop.example/1",
        "//shop.example/1",
        "http://shop.example/1",
        "javascript:alert(1)",
        "https://",
        "https://localhost/1",
        "https://a b.example",
        'https://shop.example/"><script>',
        "https://ann:secret@shop.example/1",
        "https://shop.example:99999/1",
        "https://[::1",
        "https://a..b/",
        f"https://shop.example/{'x' * 2000}",
        "https://shop.example/a\tb",
        "ftp://shop.example/1",
    ],
)
def test_what_is_no_https_address_is_emptied_with_a_reason(said: str) -> None:
    row = product(image_url=said)
    assert isinstance(row, Good)
    assert row.typed[4] is None
    assert list(row.problems) == ["image_url"]
    assert said not in row.problems["image_url"]


@pytest.mark.parametrize(
    ("said", "available"),
    [
        ("in_stock", True),
        ("In Stock", True),
        ("TRUE", True),
        ("12", True),
        ("out of stock", False),
        ("no", False),
        ("0", False),
        ("-3", False),
        ("sold-out", False),
        (None, None),
        ("ask", None),
    ],
)
def test_availability_as_shops_write_it(said: str | None, available: bool | None) -> None:
    row = product(available=said)
    assert isinstance(row, Good)
    assert row.typed[7] is available
    assert list(row.problems) == (["available"] if said == "ask" else [])


# --- loads ---------------------------------------------------------------------------------------


def test_rows_wait_for_their_day_and_late_ones_are_caught_up(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    feed = Feed(warehouse, tmp_path)
    feed.write("a.csv", [(n, 1, AS_OF + timedelta(days=n), n) for n in range(3)])
    first = feed.take()
    assert (first.rows_loaded, first.rows_waiting) == (1, 2)
    feed.write("b.csv", [("late", 2, AS_OF - timedelta(days=40), 9)])
    feed.take(AS_OF + timedelta(days=1))
    assert loaded(feed) == {"0": 0, "1": 1, "late": 9}
    feed.take(AS_OF + timedelta(days=5))
    assert loaded(feed) == {"0": 0, "1": 1, "2": 2, "late": 9}
    with pytest.raises(PastDayError, match="loaded through 2024-04-05"):
        feed.read(AS_OF)


def test_files_that_grow_change_and_come_again(warehouse: sa.Engine, tmp_path: Path) -> None:
    feed = Feed(warehouse, tmp_path, exclude={"state": ["cancelled"]})
    head = "id,who,at,total,state"
    feed.write("a.csv", [(1, 1, "2024-03-01", 5, ""), (2, 1, "2024-03-02", 6, "")], head)
    feed.take()
    again = feed.take()
    assert (again.rows_new, again.rows_loaded) == (0, 0)
    feed.write(
        "a.csv",
        [(1, 1, "2024-03-01", 5, ""), (2, 1, "2024-03-02", 7, ""), (3, 2, "2024-03-03", 8, "")],
        head,
    )
    feed.write("b.csv", [(1, 1, "2024-03-01", 5, "cancelled"), (3, 2, "2024-03-03", 8, "")], head)
    assert feed.take().rows_loaded == 2
    assert loaded(feed) == {"2": 7, "3": 8}
    # A copy of the old file has a new time, and nothing new to say.
    os.utime(feed.folder / "a.csv", (1, 1))
    feed.take()
    assert loaded(feed) == {"2": 7, "3": 8}
    # Another meaning of the same columns is taken over, row by row; a comment changes nothing.
    feed.said["exclude"] = {"state": ["nothing"]}
    feed.said["kind"] = "visit"
    feed.take()
    assert feed.rows("SELECT DISTINCT kind::text FROM core.interaction") == [("visit",)]
    assert loaded(feed) == {"1": 5, "2": 7, "3": 8}


def test_events_without_ids_are_counted_by_occurrence(warehouse: sa.Engine, tmp_path: Path) -> None:
    feed = Feed(warehouse, tmp_path)
    del feed.said["columns"]["source_event_id"]
    same = ("", 1, "2024-03-01", 5)
    feed.write("a.csv", [same, ("", 2, "2024-03-01", 5), same])
    feed.take()
    keys = set(loaded(feed))
    assert sorted(key[-2:] for key in keys) == ["#1", "#1", "#2"]
    feed.write("b.csv", [same])
    feed.write("a.csv", [same, same, ("", 2, "2024-03-01", 5), same])
    assert feed.take().rows_loaded == 1
    assert keys < set(loaded(feed))
    assert sorted(key[-2:] for key in loaded(feed)) == ["#1", "#1", "#2", "#3"]


def test_a_day_with_too_many_bad_rows_stops_until_they_are_mended(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    feed = Feed(warehouse, tmp_path)
    rows = [(n, n, "2024-03-01", n) for n in range(20)]
    broken = [(n, n if n > 1 else "", "2024-03-01", n) for n in range(20)]
    feed.write("good.csv", [("g", "g", "2024-03-01", 1)])
    feed.write("bad.csv", broken)
    for _ in range(2):  # a second try without a change stops again
        problem = feed.read().problem or ""
        assert "2 of 21 rows (9.5%)" in problem
        assert "bad.csv: 2 rows rejected, the first in line 2: source_contact_id is miss" in problem
        with pytest.raises(Exception, match="Mend its data"):
            load = feed.read()
            core.take(warehouse, load.source, load.load_id, AS_OF, POLICY, clock)
    assert loaded(feed) == {}
    feed.write("bad.csv", rows)
    assert feed.take().rows_loaded == 21
    assert loaded(feed) == {str(n): n for n in range(20)} | {"g": 1}


def test_a_required_source_that_is_missing_empty_or_cut_stops_the_day(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    feed = Feed(warehouse, tmp_path, required=True)
    assert "there is no file at" in (feed.read().problem or "")
    file = feed.write("a.csv", [])
    assert "no usable row in 1 file(s)" in (feed.read().problem or "")
    file.write_bytes(b"")
    problem = feed.read().problem or ""
    assert "a.csv is empty" in problem
    assert "Deliver the file again" in problem
    feed.write("a.csv", [("1", 1, "2024-03-01", 1)])
    feed.take()
    (feed.folder / "b.csv.gz").write_bytes(
        gzip.compress(b"id,who,at,total\n2,1,2024-03-30,1\n")[:-3]
    )
    load = feed.read()
    assert load.problem is None
    assert "b.csv.gz breaks off" in " ".join(load.notes), "one cut file is told, and stops nobody"
    feed.said["broken_files"] = "stop"
    assert "b.csv.gz breaks off" in (feed.read().problem or ""), "unless the source says so"
    feed.said["broken_files"] = "warn"
    feed.take()
    assert loaded(feed) == {"1": 1, "2": 1}


def test_a_product_is_what_its_source_said_last(warehouse: sa.Engine, tmp_path: Path) -> None:
    feed = Feed(warehouse, tmp_path, **PRODUCT, exclude={"state": ["gone"]})
    head = "id,name,url,image_url,price,currency,available,state"
    known = (
        "SELECT source_product_id, name, url, is_available FROM core.product "
        "WHERE source = 'shop' ORDER BY 1"
    )
    lamp = ("1", "Lamp", "https://a.example/1", "", 5, "", "", "")
    feed.write("a.csv", [lamp, ("2", "Rug", "http://a.example/2", "", 9, "", "perhaps", "")], head)
    assert feed.take().fields_emptied == 2
    said = [("1", "Lamp", "https://a.example/1", True), ("2", "Rug", None, False)]
    assert feed.rows(known) == said
    feed.write(
        "b.csv",
        [
            ("2", "Wool rug", "https://a.example/2", "", 9, "", "yes", ""),
            ("3", "Vase", "", "", 7, "", "no", ""),
        ],
        head,
    )
    for _ in range(2):
        feed.take()
        assert feed.rows(known) == [
            said[0],
            ("2", "Wool rug", "https://a.example/2", True),
            ("3", "Vase", None, False),
        ]
    feed.write("c.csv", [("2", "Wool rug", "https://a.example/2", "", 9, "", "yes", "gone")], head)
    feed.take()
    assert [row[0] for row in feed.rows(known)] == ["1", "3"], "what is excluded is no product"
    feed.said["exclude"] = {}
    feed.said["columns"] = feed.said["columns"] | {"name": "id"}
    feed.take()
    assert [row[1] for row in feed.rows(known)] == ["1", "2", "3"], "another meaning is taken over"


LOADER = """
import sys, json
from datetime import date, datetime, UTC
from pathlib import Path
from reengage import db
from reengage.ingest import core
from reengage.phones.hashes import PhoneKey
from reengage.policy import read_policy
from reengage.ingest.sources import read_source
from reengage.ingest.sources.load import load_source
policy, clock = read_policy(), lambda: datetime(2024, 4, 1, 14, tzinfo=UTC)
for file in sys.argv[1:]:
    source = read_source(Path(file))
    print("begun", flush=True)
    load = load_source(db.engine(), source, policy, date(2024, 3, 31), clock)
    core.take(db.engine(), source, load.load_id, date(2024, 3, 31), policy, clock)
import resource
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""

DIGEST = """
SELECT md5(string_agg(row::text, ' ' ORDER BY row::text)) FROM (
    SELECT c.first_source, c.first_source_contact_id, c.phone_e164, i.source_event_id, i.kind,
        i.occurred_at, i.amount, a.last_signal_on, a.purchases, a.visible_on
    FROM core.contact c JOIN core.contact_activity a USING (contact_id)
    LEFT JOIN core.interaction i USING (contact_id)
) AS row
"""


@pytest.mark.kills
def test_killed_anywhere_and_run_again_core_is_the_same(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    rnd = random.Random(11)
    feed = Feed(warehouse, tmp_path)
    for part in range(3):
        feed.write(
            f"{part}.csv",
            [
                (f"{part}-{n}", rnd.randrange(900), f"2024-0{rnd.randrange(1, 4)}-1{part}", n)
                for n in range(6000)
            ],
        )
    file = feed.folder / "_source.yaml"
    assert feed.source
    kills = 0
    for delay in (0.0, 0.1, 0.3, 0.6, 0.9):
        process = subprocess.Popen(
            [sys.executable, "-c", LOADER, str(file)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
    feed.take()
    assert kills >= 3
    disturbed = feed.rows(DIGEST)
    assert len(loaded(feed)) == 18_000
    bought = feed.rows("SELECT sum(purchases) FROM core.contact_activity")
    assert bought == [(17_997,)], "all but what cost nothing"
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                "TRUNCATE raw.load, raw.file, raw.reject, raw.interaction, core.contact, "
                "core.contact_identity, core.interaction, core.contact_activity"
            )
        )
    feed.take()
    assert feed.rows(DIGEST) == disturbed


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    peaks = []
    probe = textwrap.dedent("""
        import re, sys
        from pathlib import Path
        from reengage.phones.hashes import PhoneKey
        from reengage.policy import read_policy
        from reengage.ingest.sources import read_source
        from reengage.ingest.sources.connectors import files
        from reengage.ingest.sources.records import Broken, Notes
        from reengage.ingest.sources.clean import Cleaner
        file = Path(sys.argv[1]); source = read_source(Path(sys.argv[2]))
        clean = Cleaner(source, read_policy(), PhoneKey("key"))
        n = sum(clean(row) is not None for _, row in files.read(file, source, Notes())
                if isinstance(row, dict))
        # Its own alone: the most that getrusage tells is also that of whoever began it.
        print(n, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
    """)
    feed = Feed(None, tmp_path)  # type: ignore[arg-type]
    assert feed.source
    for size in (50_000, 400_000):
        file = feed.folder / "x.csv"
        with file.open("w", encoding="utf-8") as out:
            out.write("id,who,at,total\n")
            for start in range(0, size, 1000):
                out.write(
                    "".join(f"{n},{n},2024-03-01,{n % 97}.25\n" for n in range(start, start + 1000))
                )
        said = subprocess.run(
            [sys.executable, "-c", probe, str(file), str(feed.folder / "_source.yaml")],
            check=True,
            capture_output=True,
            text=True,
            timeout=600,
        ).stdout.split()
        assert int(said[0]) == size
        peaks.append(int(said[1]))
    assert peaks[1] < peaks[0] * 1.15


def test_bombs_are_refused_in_little_memory_and_the_good_rows_load(tmp_path: Path) -> None:
    """A line, a field, a value in Parquet: in a process of its own, for its memory."""
    columns = {
        "source_event_id": "oid",
        "source_contact_id": "cid",
        "occurred_at": "at",
        "amount": "amt",
        "product_id": "pid",
    }
    (tmp_path / "_source.yaml").write_text(
        json.dumps(
            {
                "source": "shop",
                "entity": "interaction",
                "kind": "purchase",
                "connector": "files",
                "path": "x",
                "columns": columns,
                "exclude": {"oid": ["D*"]},
            }
        )
    )
    row, much = "1,C1,2024-03-01,5,p\n", "x" * (1 << 20)
    with gzip.open(tmp_path / "line.csv.gz", "wt", compresslevel=1) as out:
        out.write(f"oid,cid,at,amt,pid\n{row}2,")
        out.writelines(much for _ in range(500))
        out.write(f"\n{row}")
    with (tmp_path / "field.csv").open("w") as out:
        out.write(f'oid,cid,at,amt,pid\n{row}2,"')
        out.writelines(f"{much}\n" for _ in range(200))
        out.write(f'",2024-03-01,5,p\n{row}')
    good = json.dumps({"oid": "1", "cid": "1", "at": "2024-03-01", "amt": 5, "pid": 7}) + "\n"
    with (tmp_path / "line.jsonl").open("w") as out:
        out.write(good + '{"oid": "')
        out.writelines(much for _ in range(200))
        out.write('"}\n' + good)
    shutil.copy(CASES / "bombs/orders_bomb.parquet", tmp_path / "bomb.parquet")
    probe = textwrap.dedent("""
        import re, sys
        from pathlib import Path
        from reengage.errors import SourceError
        from reengage.policy import read_policy
        from reengage.ingest.sources import read_source
        from reengage.ingest.sources.connectors import files
        from reengage.ingest.sources.records import Broken, Notes
        from reengage.ingest.sources.clean import Bad, Cleaner
        from reengage.ingest.sources.unmatched_rules import Seen
        source = read_source(Path(sys.argv[1]))
        clean, seen = Cleaner(source, read_policy(), "key"), Seen(source)
        for name in sys.argv[2:]:
            good, why = 0, set()
            try:
                for _, row in files.read(Path(name), source, Notes()):
                    if isinstance(row, dict):
                        seen(row)
                        row = clean(row)
                    good += not isinstance(row, Broken | Bad)
                    why |= {row.reason} if isinstance(row, Broken | Bad) else set()
            except SourceError as error:
                why.add(str(error))
            print(good, *sorted(why))
        # Its own alone: the most that getrusage tells is also that of whoever began it.
        status = Path("/proc/self/status").read_text()
        print(int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) >> 10)
    """)
    with gzip.open(tmp_path / "words.csv.gz", "wt", compresslevel=1) as out:
        out.write("oid,cid,at,amt,pid\n")
        out.writelines(f"C{n}{much[:-1000]},C1,2024-03-01,5,p\n" for n in range(150))
    twice = ",".join(f'"k{n % 45_000}":1' for n in range(90_000))
    (tmp_path / "keys.jsonl").write_text(good + f"{{{twice}}}\n" + "[" * 500_000 + "\n" + good)
    pq.write_table(
        pa.table({name: pa.nulls(5_100_000, pa.int8()) for name in columns.values()}),
        tmp_path / "nulls.parquet",
    )
    files_ = (
        "line.csv.gz",
        "field.csv",
        "line.jsonl",
        "bomb.parquet",
        "words.csv.gz",
        "keys.jsonl",
        "nulls.parquet",
    )
    names = [str(tmp_path / name) for name in files_]
    said = subprocess.run(
        [sys.executable, "-c", probe, str(tmp_path / "_source.yaml"), *names],
        check=True,
        capture_output=True,
        text=True,
        timeout=600,
    ).stdout.splitlines()
    assert said[0] == said[2] == "2 is longer than 1,048,576 characters"
    assert said[1].startswith("2 a quote is left open")
    assert said[3] == "0 pid is longer than 1,048,576 characters"
    assert said[4] == "0 source_event_id is longer than 1,000 characters"
    assert said[5] == "2 is not JSON: nested too deeply source_event_id is missing"
    assert said[6].startswith("0 nulls.parquet says that it has 5,100,000 rows, more than")
    assert int(said[7]) < 400


def test_pages_that_unpack_to_more_than_the_file_says_are_not_read(tmp_path: Path) -> None:
    """A reader takes the memory that a page asks for."""
    large = WIDE_GROUP + 1
    table = pa.table({"pid": ["P1", "x" * large]})
    file = tmp_path / "lie.parquet"
    pq.write_table(
        table,
        file,
        compression="zstd",
        use_dictionary=False,
        data_page_size=1 << 30,
        write_statistics=False,
    )
    group = pq.read_metadata(file).row_group(0)
    whole = file.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    end = whole[footer:]
    for said in {group.column(0).total_uncompressed_size, group.total_byte_size}:
        told = varint(said)
        assert told in end
        end = end.replace(told, varint(5000, len(told)))
    file.write_bytes(whole[:footer] + end)
    assert pq.read_metadata(file).row_group(0).column(0).total_uncompressed_size == 5000
    source = Source.model_validate(
        {
            "source": "x",
            "entity": "product",
            "connector": "files",
            "path": str(file),
            "columns": {"source_product_id": "pid"},
        }
    )
    with pytest.raises(SourceError, match="unpacks to more than the file says"):
        list(files.read(file, source, Notes()))


def varint(value: int, length: int = 1) -> bytes:
    """A whole number as Thrift writes it, in so many bytes at least."""
    left, out = value << 1, b""
    while left > 127 or len(out) + 1 < length:
        out += bytes([left & 127 | 128])
        left >>= 7
    return out + bytes([left])


def test_a_path_means_files_and_no_tools(tmp_path: Path) -> None:
    """What is a file of the source, and what of it a folder and two globs find."""
    names = ["a.csv", "day=1/b.csv", "day=1/_x=2/c.csv", "[old]/d.csv", "[old]/e.txt"]
    tools = [
        "_tmp/a.csv",
        "_delta_log/0.json",
        ".git/a.csv",
        "__MACOSX/a.csv",
        "day=1/.b.csv.crc",
        "~$a.csv",
        "@eaDir/a.csv",
        "$RECYCLE.BIN/a.csv",
        "day=1/_SUCCESS",
        "b.csv.part",
        "c.csv~",
    ]
    for name in [*names, *tools, "_out/f.csv"]:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    (tmp_path / "day=1/up").symlink_to(tmp_path)  # a way back up is no way down

    def found(path: str) -> set[str]:
        source = plain_source(path=f"{tmp_path}/{path}")
        return {str(file.relative_to(tmp_path)) for file in folders.find(source)}

    assert found("") == {*names}
    assert found("**/*") == {*names}
    assert found("**/*.csv") == {*names[:4]}
    assert found("[old]/*.csv") == {"[old]/d.csv"}
    assert found("[o]*/[d].csv") == set()
    assert found("day=1/_*/[c].csv") == {"day=1/_x=2/c.csv"}
    assert found("_out/*.csv") == found("_o*/*") == {"_out/f.csv"}
    assert found("nowhere/*.csv") == set()


def test_a_key_of_json_that_only_some_rows_have_is_no_noise(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    feed = Feed(warehouse, tmp_path, exclude={"state": ["gone"]})

    def told(name: str, *rows: dict[str, Any]) -> str:
        whole = [{"id": f"{name}{n}", "who": 1, "at": "2024-03-01"} | r for n, r in enumerate(rows)]
        (feed.folder / name).write_text("\n".join(map(json.dumps, whole)))
        return " ".join(feed.take().notes)

    assert "no row ever had a value in state (exclude)" in told("a.jsonl", {"total": 5})
    assert told("b.jsonl", {"total": 5, "state": "GONE "}, {"state": "here"}) == ""
    assert told("c.jsonl", {"total": 6}, {"total": 7}) == ""
    assert "state (exclude) any more, and phase is new" in told("d.jsonl", {"phase": "gone"})
    assert "state says lost (1 rows) for the first" in told("e.jsonl", {"state": "lost"})
    assert len(loaded(feed)) == 6
    # What may be somebody's is kept by nobody.
    feed.said["exclude"] = {"who": ["9"]}
    assert "9" in " ".join(feed.take().notes)
    assert feed.rows("SELECT count(*) FROM raw.seen WHERE what = 'value' AND name = 'who'") == [
        (0,)
    ]


def test_a_warehouse_of_before_takes_what_case_alone_kept_in(
    new_warehouse: Any, tmp_path: Path
) -> None:
    """An order that said Cancelled was taken, and its file is unchanged since."""
    with new_warehouse("0012") as old:
        feed = Feed(old, tmp_path, exclude={"state": ["cancelled"]})
        rows = [(1, 1, "2024-03-01", 5, "Cancelled"), (2, 1, "2024-03-02", 6, "paid")]
        file = feed.write("a.csv", rows, "id,who,at,total,state")
        clean, stat = Cleaner(feed.source, POLICY, PhoneKey("key")), file.stat()
        with old.begin() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO raw.load (source, entity, as_of, status, started_at) VALUES"
                    " ('shop', 'interaction', '2024-03-31', 'loaded', '2024-04-01Z')"
                )
            )
            connection.execute(
                sa.text(
                    "INSERT INTO raw.file (load_id, source, path, size_bytes, modified_at,"
                    " mapping_hash, is_complete) VALUES (1, 'shop', :path, :size, :at, :hash, TRUE)"
                ),
                {
                    "path": str(file),
                    "size": stat.st_size,
                    "hash": f"{feed.source.mapping_hash}-{clean.meaning}",
                    "at": datetime.fromtimestamp(stat.st_mtime, UTC),
                },
            )
            for line, said in files.read(file, feed.source, Notes()):
                assert isinstance(said, dict)
                row = clean(said)
                assert isinstance(row, Good)
                connection.execute(
                    sa.text(
                        "INSERT INTO raw.interaction (load_id, file_id, line, source, record_key,"
                        " record_hash, dated_on, status, record, contact_source, source_contact_id,"
                        " kind, occurred_at, amount) VALUES (1, 1, :line, 'shop', :key, :hash, :on,"
                        " 'loaded', CAST(:record AS jsonb), 'shop', :who, 'purchase', :at, 5)"
                    ),
                    {
                        "line": line,
                        "key": row.record_key,
                        "hash": row.record_hash.rstrip("~"),
                        "on": row.dated_on,
                        "record": row.record,
                        "who": "1",
                        "at": row.typed[3],
                    },
                )
        db.migrate(old)
        load = feed.take()
        assert load.rows_new == 1, "the other row is what it was"
        found = feed.rows(
            "SELECT record_key, status::text FROM raw.interaction WHERE status <> 'superseded' "
            "ORDER BY record_key"
        )
        assert found == [("1", "excluded"), ("2", "loaded")]


def test_what_makes_two_records_of_one_is_told(tmp_path: Path) -> None:
    source = plain_source()
    file = tmp_path / "x.jsonl"
    file.write_text('{"id":"1","who":"1","at":"2024-03-01","at":"2024-03-09","total":5}\n')
    [(_, row)] = files.read(file, source, Notes())
    assert isinstance(row, Broken) and row.reason == "says at twice"
    names, columns = ["id", "who", "at", "total", "at"], [pa.array(["1"])] * 5
    pq.write_table(pa.table(columns, names=names), tmp_path / "x.parquet")
    with pytest.raises(SourceError, match=r"2 columns called at .columns 3 and 5"):
        list(files.read(tmp_path / "x.parquet", source, Notes()))
    fine = plain_source(columns={"source_contact_id": "who", "occurred_at": "total"})
    assert len(list(files.read(tmp_path / "x.parquet", fine, Notes()))) == 1


# --- the YAML ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"columns": {"source_contact_id": "a"}}, "needs occurred_at"),
        (
            {"columns": {"source_contact_id": "a", "occurred_at": "b", "fone": "c"}},
            "fone is none of",
        ),
        ({"kind": None}, "an interaction needs one"),
        ({"time_zone": "Rome"}, "Europe/Rome"),
        ({"path": "${NOT_SET_ANYWHERE}/x"}, "export NOT_SET_ANYWHERE="),
        ({"colour": 1}, "colour"),
        ({"product_source": "catalog"}, "product_source: says whose product_id"),
        ({"encoding": "latin-99"}, "is no encoding that is known: write one like cp1250"),
        ({"time_format": "dd.mm.yyyy"}, "none of strptime's: write it like"),
        ({"time_format": ["%Y", "%d.%m.%Q"]}, "%d.%m.%Q has a part that is none of strptime's"),
        ({"columns": {"source_contact_id": 1, "occurred_at": ["x"]}}, "write the name of a column"),
    ],
)
def test_a_wrong_yaml_says_what_is_wrong(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    feed = Feed(None, tmp_path)  # type: ignore[arg-type]
    feed.said |= change
    with pytest.raises(ConfigurationError, match=re.escape(told)) as error:
        assert feed.source
    assert "_source.yaml" in str(error.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("columns: {source_contact_id: id, phone: NO}", 'line 5.*write "NO", in quotes'),
        (
            "columns: {source_contact_id: id}\nexclude: {optin: [no]}",
            'line 6.*write "no", in quotes',
        ),
        (
            "columns: {source_contact_id: id}\nexclude: {on: [x]}",
            'line 6: .* write "on", in quotes',
        ),
        ("columns: {source_contact_id: id}\nsource: b", "line 6: source stands in line 1 already"),
        ("columns: &a {source_contact_id: id}\nexclude: *a", "line 6: .a repeats what"),
        ("columns: {<<: {phone: a}, source_contact_id: id}", "line 5: << is not understood"),
        (f"columns: {'[' * 99}{']' * 99}", "line 5: more than 50 levels"),
        ("columns: {[a]: id}", "line 5: a key is one word"),
    ],
)
def test_yaml_that_reads_otherwise_than_it_looks_is_refused_with_its_line(
    tmp_path: Path, change: str, told: str
) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(f"source: crm\nentity: contact\nconnector: files\npath: x\n{change}\n")
    with pytest.raises(ConfigurationError, match=told) as error:
        read_source(file)
    assert "x.yaml" in str(error.value)


def test_what_a_source_writes_is_read_as_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(
        "source: crm\nentity: contact\nconnector: files\npath: x\nrequired: yes\ntime_zone:\n"
        "columns: {source_contact_id: 007, last_name: {value: 1_000}, phone: 12:30}\n"
        "exclude: {is_test: [true, 1], day: 2026-05-20}\n"
    )
    source = read_source(file)
    assert source.all_columns == ["007", "12:30", "is_test", "day"]
    assert source.exclude == {"is_test": ("true", "1"), "day": ("2026-05-20",)}
    assert source.columns["last_name"].value == "1_000"  # type: ignore[union-attr]
    assert (source.required, source.time_zone) == (True, None)


def test_the_examples_are_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA", str(tmp_path))
    with pytest.raises(ConfigurationError, match="No source in"):
        read_sources(tmp_path)
    for file in (Path(__file__).parents[3] / "include/sources").glob("*.yaml.example"):
        (tmp_path / file.stem).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    entities = [source.entity for source in read_sources(tmp_path)]
    assert list(dict.fromkeys(entities)) == ["contact", "interaction", "consent", "product"]


def test_a_column_that_is_not_there_takes_nothing_back_and_mends(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    feed = Feed(warehouse, tmp_path, required=True)
    feed.write("a.csv", [("1", 1, "2024-03-01", 1), ("2", 2, "2024-03-02", 2)])
    feed.take()
    assert loaded(feed) == {"1": 1, "2": 2}
    columns = feed.said["columns"]
    feed.said["columns"] = {**columns, "occurred_at": "a_typo"}
    load = feed.read()
    assert "none of its 1 file(s)" in (load.problem or "")
    assert "a.csv has no column a_typo" in (load.problem or "")
    feed.said["columns"] = columns
    feed.take()
    assert loaded(feed) == {"1": 1, "2": 2}
    with warehouse.connect() as connection:
        current = connection.execute(
            sa.text("SELECT count(*) FROM raw.interaction WHERE status = 'loaded'")
        )
        assert current.scalar() == 2


# --- what a file is not meant to show ------------------------------------------------------------


def test_what_leads_out_of_a_sources_folder_is_not_opened_and_the_rest_loads(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    feed = Feed(warehouse, tmp_path, path=str(tmp_path / "shop/in"))
    inside, outside = feed.folder / "in", tmp_path / "elsewhere"
    outside.mkdir()
    (inside / "old").mkdir(parents=True)
    secret = feed.write("secret.csv", [("stolen", 1, "2024-03-01", 1)])
    secret.rename(outside / "secret.csv")
    feed.write("in/good.csv", [("good", 1, "2024-03-01", 1)])
    feed.write("in/old/kept.csv", [("kept", 1, "2024-03-01", 1)])
    (inside / "link.csv").symlink_to(outside / "secret.csv")
    (inside / "up.csv").symlink_to("../../elsewhere/secret.csv")
    (inside / "folder").symlink_to(outside)
    (inside / "again.csv").symlink_to("old/kept.csv")
    load = feed.take()
    assert loaded(feed) == {"good": 1, "kept": 1}
    told = [note for note in load.notes if "leads out of" in note]
    assert [name for name in ("link.csv", "up.csv", "folder") if f"{name} is not" in str(told)] == [
        "link.csv",
        "up.csv",
        "folder",
    ]
    assert len(told) == 3


@pytest.mark.parametrize("glob", ["in/*/../../elsewhere/*.csv", "in/*/*.csv", "in/**/secret.csv"])
def test_no_glob_leaves_the_folder_that_is_written_out(tmp_path: Path, glob: str) -> None:
    feed = Feed(None, tmp_path, path=str(tmp_path / "shop" / glob))  # type: ignore[arg-type]
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (outside / "secret.csv").write_text("id,who,at,total\n")
    (feed.folder / "in/sub").mkdir(parents=True)
    (feed.folder / "in/link").symlink_to(outside)
    (feed.folder / "elsewhere").symlink_to(outside)
    found = folders.find(feed.source)
    assert found
    for file in found:
        with pytest.raises(SourceError, match="leads out of"):
            list(files.read(file, feed.source, Notes()))
        assert files.about_rows(file, feed.source) is None


def test_a_link_that_the_yaml_itself_goes_through_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/a.csv").write_text("id,who,at,total\n1,1,2024-03-01,1\n")
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    for path in ("data", "data/*.csv", "data/a.csv", "shop/../data/*.csv"):
        feed = Feed(None, tmp_path / path.replace("/", "_"), path=str(tmp_path / path))  # type: ignore[arg-type]
        (tmp_path / "shop").mkdir(exist_ok=True)
        [file] = folders.find(feed.source)
        assert len(list(files.read(file, feed.source, Notes()))) == 1


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("order_id,Total amount,who", "Total amount may be meant"),
        ("root:$6$totalsecret:19000:0:99999:7:::", "None of its other columns (1) is called like"),
        ("Anna Rossi,anna@example.org,+39 335 1234567", "None of its other columns (3) is"),
        ("-----BEGIN PRIVATE KEY-----", "None of its other columns (1) is called like that"),
        ('{"password": "hunter2-total"}', "None of its other columns"),
    ],
)
def test_of_an_unknown_header_only_names_that_resemble_the_wanted_are_told(
    tmp_path: Path, header: str, told: str
) -> None:
    feed = Feed(None, tmp_path)  # type: ignore[arg-type]
    (feed.folder / "x.csv").write_text(header + "\n")
    with pytest.raises(SourceError) as error:
        list(files.read(feed.folder / "x.csv", feed.source, Notes()))
    said = str(error.value)
    assert told in said
    for secret in ("root", "Anna", "BEGIN", "hunter2", "order_id"):
        assert secret not in said


@pytest.mark.parametrize(
    ("begins", "told"),
    [(b"PK\x03\x04", "is not a zip file"), (b"\xd0\xcf\x11\xe0", "save it as .xlsx")],
)
def test_a_workbook_says_what_to_do(tmp_path: Path, begins: bytes, told: str) -> None:
    feed = Feed(None, tmp_path)  # type: ignore[arg-type]
    (feed.folder / "x.csv").write_bytes(begins + b"\0" * 100)
    with pytest.raises(SourceError, match=told):
        list(files.read(feed.folder / "x.csv", feed.source, Notes()))


# --- every key is explained ----------------------------------------------------------------------

PROJECT = Path(__file__).parents[3]
KEYS = {name for name in Source.model_fields if name != "mapping_hash"}


def test_the_examples_explain_every_key_and_no_other() -> None:
    keys: set[str] = set()
    columns: dict[str, set[str]] = {}
    for file in (PROJECT / "include/sources").glob("*.yaml.example"):
        text = file.read_text(encoding="utf-8")
        keys |= set(re.findall(r"^(?:# )?([a-z_]+):(?: |$)", text, re.M))
        [entity] = re.findall(r"^entity: (\w+)", text, re.M)
        block = re.search(r"^columns:\n((?:  .*\n)+)", text, re.M)
        assert block
        columns.setdefault(entity, set()).update(
            re.findall(r"^  (?:# )?([a-z_]+): ", block[1], re.M)
        )
    assert keys == KEYS
    assert columns == {entity: set(names) for entity, names in COLUMNS.items()}


def test_the_documentation_explains_every_key_and_no_other() -> None:
    text = (PROJECT / "docs/sources.md").read_text(encoding="utf-8")
    tables = re.findall(r"^\| (.+?) \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.M)
    named = {head: re.findall(r"^\| `(\w+)` \|", rows, re.M) for head, rows in tables}
    keys = [
        key
        for head, rows in tables
        if head == "key"
        for key in re.findall(r"^\| `(\w+)` \|", rows, re.M)
    ]
    assert sorted(keys) == sorted(KEYS - {"columns"})
    assert "## Its columns" in text
    for entity, names in COLUMNS.items():
        [head] = [head for head in named if re.fullmatch(rf"`columns` of an? {entity}", head)]
        assert sorted(named[head]) == sorted(names)
    assert set(named["`request`"]) == set(Request.model_fields)
    assert set(named["`paging`"]) == set(Paging.model_fields)
    contents = text[: text.index("\n## ")]
    assert set(re.findall(r"`(\w+)`", contents.split("\n- ", 1)[1])) == KEYS


def test_what_the_documentation_shows_to_copy_is_a_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA", str(tmp_path))
    text = (PROJECT / "docs/sources.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.S)
    assert blocks
    said = "\n".join(
        [
            "source: x",
            "entity: interaction",
            "kind: visit",
            "connector: files",
            "path: x",
            "columns: {source_contact_id: a, occurred_at: b}",
            "",
        ]
    )
    for block in blocks:
        (tmp_path / "x.yaml").write_text(said + block)
        assert read_source(tmp_path / "x.yaml")


def test_a_column_that_is_empty_on_every_row_is_told_by_name(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    feed = Feed(warehouse, tmp_path)
    feed.write("a.csv", [(n, n, "2024-03-01", "") for n in range(3)])
    [note] = [note for note in feed.take().notes if "no row ever" in note]
    assert note == "shop: no row ever had a value in total (amount): is it called so?".replace(
        "shop", feed.source.name
    )
    feed.write("b.csv", [(n, n, "2024-03-02", 5) for n in range(3, 6)])
    assert not [note for note in feed.take(AS_OF).notes if "total" in note]
    feed.write("c.csv", [(n, n, "2024-03-03", "") for n in range(6, 256)])
    [note] = [note for note in feed.take(AS_OF).notes if "total" in note]
    assert "none of the 250 rows has a value in total (amount), and earlier ones had" in note
