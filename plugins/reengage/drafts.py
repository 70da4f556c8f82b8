"""The day's texts, with their links and coupons, made in the transaction that decides the day."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reengage import db, hours, messages
from reengage.coupons import Coupon
from reengage.policy import Policy
from reengage.progress import progress

RENDER_BATCH = 5_000


@dataclass
class Drafted:
    """What drafting came to: texts made, and contacts whose text could not be made, with why."""

    texts: int = 0
    failed: dict[int, str] = field(default_factory=dict)


def draft(
    connection: Connection, policy: Policy, as_of: date, now: datetime, link_base: str
) -> Drafted:
    """Render a text for every decision to send of as_of and write it as a draft, with its link and
    coupon, in the caller's transaction. now: aware; the first moment at which one could be sent.
    """
    templates = messages.Templates(policy)
    result = Drafted()
    db.run(connection, "outbox/stage_drafts")
    rows = db.run(connection, "outbox/to_draft", as_of=as_of).all()
    for start in range(0, len(rows), RENDER_BATCH):
        batch = rows[start : start + RENDER_BATCH]
        texts = _texts(batch, policy, templates, now, link_base, result)
        db.copy(connection, "drafted", DRAFTED, texts)
    db.run(
        connection, "outbox/insert_drafts",
        as_of=as_of, channel=policy.consent.channel, at=now,
        link_expires_at=now + timedelta(days=policy.links.valid_days),
    )  # fmt: skip
    db.analyze_grown(connection, outbox__message=len(rows))
    return result


DRAFTED = (
    "contact_id", "message_id", "dormant_since", "step", "landing", "phone_hash", "body",
    "encoding", "segments", "expected_price", "not_before", "not_after", "link_code", "coupon_code",
    "coupon_kind", "coupon_value", "coupon_expires_at",
)  # fmt: skip


def _texts(
    rows: Sequence[sa.Row[Any]],
    policy: Policy,
    templates: messages.Templates,
    now: datetime,
    link_base: str,
    result: Drafted,
) -> Iterator[tuple[Any, ...]]:
    for row in progress(rows, "texts", "messages", total=len(rows)):
        step = policy.step(row.step)
        code = messages.new_code()
        coupon = Coupon.issue(step.coupon, policy, now) if step.coupon else None
        try:
            text = templates.render(step, dict(row._mapping), f"{link_base}/{code}", coupon, now)
            places = hours.places_of(
                row.phone_e164, row.time_zone, row.country, policy.brand.time_zone
            )
            window = hours.allowed_window(now, places, policy.hours)
        except messages.TextError as error:
            result.failed[row.contact_id] = str(error)
            continue
        result.texts += 1
        offer = (coupon.code, coupon.kind, coupon.value, coupon.expires_at) if coupon else None
        yield (
            row.contact_id,
            messages.message_id(
                row.contact_id, row.dormant_since, row.step, policy.consent.channel
            ),
            row.dormant_since,
            row.step,
            step.landing,
            row.phone_hash,
            *text,
            text.segments * policy.price(row.country),
            *window,
            code,
            *(offer or (None,) * 4),
        )
