"""The weekly audit of who was drawn into which group: it agrees with the evenings, and finds, names
and mends what does not.
"""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from test_effect import Shop
from test_variants import PAIR, of

from reengage.maintenance.audits import AuditFailed, audit

DRAWN = (
    "SELECT contact_id, salt, draw, dormant_since, arm, eligible_on, step, variant, control_share"
    " FROM outcome.eligible ORDER BY contact_id, draw"
)


def at_noon() -> datetime:
    return datetime(1998, 2, 1, 14, tzinfo=UTC)


def check(shop: Shop, *, is_repairing: bool = False) -> None:
    audit(shop.world.engine, shop.world.policy, at_noon, is_repairing=is_repairing)
    # As if the next day had followed whom a repair has touched.
    shop.world.sql("UPDATE core.contact_activity SET updated_load_id = 1")


def test_who_was_drawn_into_which_group_is_what_the_decisions_say(warehouse: sa.Engine) -> None:
    shop = Shop(warehouse, 7, of(PAIR, control_share=0.3))
    for day in range(14):
        shop.next(is_stopped=day == 7)
    check(shop)
    sql, before = shop.world.sql, shop.world.sql(DRAWN)
    who = min(row.contact_id for row in before if row.draw)
    for column, value in {
        "eligible_on": "eligible_on + 1",
        "dormant_since": "dormant_since - 1",
        "arm": "'control'",
        "step": "'coupon'",
        "variant": "CASE variant WHEN 'a' THEN 'b' ELSE 'a' END",
        "control_share": "0.9",
    }.items():
        sql(f"UPDATE outcome.eligible SET {column} = {value} WHERE contact_id = {who}")
        with pytest.raises(AuditFailed, match=rf"outcome.eligible {column}: 1 \(contact {who}\)"):
            check(shop)
        check(shop, is_repairing=True)
        assert sql(DRAWN) == before, column
    sql(f"DELETE FROM outcome.eligible WHERE contact_id = {who}")
    sql(
        "INSERT INTO outcome.eligible (contact_id, salt, dormant_since, arm, eligible_on, step,"
        " behaviour, control_share, purchases_before, spent_before)"
        " VALUES (99, 'spring', '1998-01-01', 'control', '1998-01-04', 'survey', 'any', 0.3, 0, 0)"
    )
    with pytest.raises(AuditFailed) as failed:
        check(shop)
    assert f"outcome.eligible (missing): 1 (contact {who})" in str(failed.value)
    assert "outcome.eligible (never drawn): 1 (contact 99)" in str(failed.value)
    check(shop, is_repairing=True)
    assert sql(DRAWN) == before
    # The evening counts what became of whom it has drawn anew.
    shop.next()
    left = "SELECT 1 FROM outcome.eligible WHERE counted_on IS NULL AND eligible_on < :day"
    assert sql(left, day=shop.day - timedelta(days=10)) == []
    check(shop)
