"""What a text or a page can say to one contact: the item they last viewed or bought, and what is
bought together with it.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reengage import db

MOST_TOGETHER = 3

# What one answer may cost, whatever a contact's history and however popular an item is.
MOST_ROWS = 200  # a contact's newest views and purchases, among which a known item is looked for
MOST_BASKETS = 200  # the newest baskets with an item, in which the others are counted
MOST_LINES = 100  # of a basket; a larger one says nothing of what goes together
MOST_NAMES = 50  # most often bought with an item: whoever has all of these is recommended none


class About(NamedTuple):
    """An item's name, how the contact came by it, and its https address where the shop says one.
    together: names of at most 3 products most often bought with it, which the contact has not
    bought and which can be had; the most frequent first.
    """

    item: str
    item_kind: Literal["viewed", "bought"]
    item_url: str | None
    together: tuple[str, ...]


def about(
    connection: Connection, contact_ids: Sequence[int], as_of: date, *, with_together: bool = True
) -> Mapping[int, About]:
    """The contacts' last items: what they did on as_of (a brand date) or before, no later, with a
    product that is known by name. Contacts without one are left out. A product that was only
    viewed and cannot be had any more is passed over. Reads only; without any products, one look.

    with_together: a text that does not name what is bought together need not pay for it.
    """
    if not contact_ids or not db.run(connection, "core/has_products").scalar_one():
        return {}
    items = db.run(
        connection,
        "outbox/last_items",
        contact_ids=sorted(set(contact_ids)),
        as_of=as_of,
        most_rows=MOST_ROWS,
    ).all()
    together = _together(connection, items, as_of) if items and with_together else {}
    return {
        row.contact_id: About(row.name, row.item_kind, row.url, together.get(row.contact_id, ()))
        for row in items
    }


def _together(
    connection: Connection, items: Sequence[sa.Row[Any]], as_of: date
) -> dict[int, tuple[str, ...]]:
    rows = db.run(
        connection,
        "outbox/together",
        contact_ids=[row.contact_id for row in items],
        product_ids=[row.product_id for row in items],
        product_sources=[row.product_source for row in items],
        names=[row.name for row in items],
        as_of=as_of,
        most_baskets=MOST_BASKETS,
        most_lines=MOST_LINES,
        most_names=MOST_NAMES,
        most_together=MOST_TOGETHER,
    )
    return {row.contact_id: tuple(row.names) for row in rows}
