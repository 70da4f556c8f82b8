"""What is given back: which purchases it takes back whole, whatever the order it comes in."""

from datetime import date, timedelta
from pathlib import Path
from random import Random

import sqlalchemy as sa
from test_sources import AS_OF, Feed

HEAD = "id,who,at,total,cur,what"
Row = tuple[str, str, date, int, str, str]


def left(rows: list[Row]) -> set[str]:
    """The purchases that nothing took back: each refund takes the latest before it, of the same
    amount, currency and product.
    """
    open_ones: dict[tuple[str, int, str, str], list[str]] = {}
    for event, who, _, total, currency, what in sorted(rows, key=lambda r: (r[2], r[3] < 0, r[0])):
        mine = open_ones.setdefault((who, abs(total), currency, what), [])
        if total > 0:
            mine.append(event)
        elif mine:
            mine.pop()
    return {event for mine in open_ones.values() for event in mine}


def feed_of(engine: sa.Engine, folder: Path) -> Feed:
    return Feed(
        engine,
        folder,
        columns={
            "source_event_id": "id",
            "source_contact_id": "who",
            "occurred_at": "at",
            "amount": "total",
            "currency": "cur",
            "product_id": "what",
        },
    )


def test_each_refund_takes_back_the_latest_purchase_of_its_amount(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    random = Random(7)
    rows: list[Row] = [
        (
            f"e{n:03}",
            f"w{random.randrange(25)}",
            AS_OF - timedelta(days=random.randrange(40)),
            random.choice([20, 20, 35, -20, -35]),
            random.choice(["USD", "USD", "EUR"]),
            random.choice(["", "", "mug"]),
        )
        for n in range(400)
    ]
    feed = feed_of(warehouse, tmp_path)
    told = list(rows)
    random.shuffle(told)  # a refund may come in before what it is of
    for part in range(4):
        feed.write(f"{part}.csv", told[part * 100 : part * 100 + 100], HEAD)
        feed.take(AS_OF + timedelta(days=part))
    bought = "SELECT source_event_id FROM core.interaction WHERE kind = 'purchase'"
    assert {event for (event,) in feed.rows(bought)} == left(rows)
    counted = "SELECT sum(purchases) FROM core.contact_activity"
    assert feed.rows(counted) == [(len(left(rows)),)]
    # Half of the refunds were a mistake.
    taken_back = {row[0] for row in rows if row[3] < 0 and random.random() < 0.5}
    now = [row for row in rows if row[0] not in taken_back]
    feed.said["exclude"] = {"what": ["none of it"]}
    for part in range(4):
        again = [
            (*row[:5], "none of it") if row[0] in taken_back else row
            for row in told[part * 100 : part * 100 + 100]
        ]
        feed.write(f"{part}.csv", again, HEAD)
    feed.take(AS_OF + timedelta(days=5))
    assert {event for (event,) in feed.rows(bought)} == left(now)
    last = (
        "SELECT identity.source_contact_id, last_signal_on FROM core.contact_activity"
        " JOIN core.contact_identity AS identity USING (contact_id)"
    )
    stays = left(now)
    assert dict(feed.rows(last)) == {
        who: max((row[2] for row in now if row[1] == who and row[0] in stays), default=None)
        for who in {row[1] for row in rows}
    }


def test_a_coupon_follows_what_only_cards_bring_together(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    shop = Feed(
        warehouse,
        tmp_path,
        columns={
            "source_event_id": "id",
            "source_contact_id": "who",
            "occurred_at": "at",
            "amount": "total",
            "coupon_code": "code",
        },
    )
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO outbox.coupon (code, message_id, contact_id, kind, value, expires_at)"
                " VALUES ('SAVE-1', gen_random_uuid(), 1, 'percent', 10, '2025-01-01')"
            )
        )
    shop.write(
        "a.csv",
        [("1", "s1", "2024-03-01", 20, "SAVE-1"), ("2", "s2", "2024-03-05", -20, "")],
        "id,who,at,total,code",
    )
    shop.take()
    used = "SELECT order_ref, redeemed_at IS NOT NULL FROM outbox.coupon"
    assert shop.rows(used) == [("shop:1", True)]
    for name, account in (("crm", "s1"), ("app", "s2")):
        cards = Feed(
            warehouse,
            tmp_path,
            name,
            entity="contact",
            kind=None,
            columns={
                "source_contact_id": "id",
                "shop_account_id": "account",
                "loyalty_card_id": "card",
            },
        )
        cards.write("a.csv", [("k", account, "l1")], "id,account,card")
        cards.take()
    assert shop.rows("SELECT DISTINCT contact_id FROM core.interaction") == [(1,)]
    assert shop.rows(used) == [(None, False)]
    # They are two people after all: the order stands, and has used its coupon.
    cards.write("b.csv", [("other", "", "l1")], "id,account,card")
    cards.take()
    assert shop.rows(used) == [("shop:1", True)]
