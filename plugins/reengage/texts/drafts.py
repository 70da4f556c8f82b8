"""The day's texts, with their links and coupons, made in the transaction that decides the day."""

import uuid
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reengage import db, errors, hours
from reengage.policy import Contest, CouponOffer, Policy, Step
from reengage.progress import progress
from reengage.texts import coupons, messages, personal
from reengage.texts.coupons import Coupon
from reengage.texts.recipients import Recipient

RENDER_BATCH = 5_000


@dataclass
class Drafted:
    """What drafting came to: texts made, contacts whose text could not be made, with why, and
    contacts for whom there was no code, with the pool.
    """

    texts: int = 0
    failed: dict[int, str] = field(default_factory=dict)
    without_code: dict[int, str] = field(default_factory=dict)


def draft(
    connection: Connection, policy: Policy, as_of: date, now: datetime, link_base: str
) -> Drafted:
    """Render a text for every decision to send of as_of and write it as a draft, with its link and
    coupon, in the caller's transaction. now: aware; the first moment at which one could be sent.

    A text is not sent any more once its coupon is over or its contest is closed, and is not made
    where that would be before. Codes of a pool go to the most recently active first.
    """
    templates = messages.Templates.checked(policy)
    result = Drafted()
    db.run(connection, "outbox/stage_drafts")
    rows = db.run(connection, "outbox/to_draft", as_of=as_of).all()
    stock = coupons.Stock(connection, _wanted(rows, policy))
    drawn = set(db.run(connection, "web/drawn").scalars())
    named = {_text_of(step): templates.names(step) for step in policy.texts}
    told = progress(range(len(rows)), "texts", "messages", total=len(rows))
    while batch := [rows[place] for place in islice(told, RENDER_BATCH)]:
        items = _items(connection, batch, named, as_of)
        texts = _texts(batch, policy, templates, stock, items, drawn, now, link_base, result)
        db.copy(connection, "drafted", DRAFTED, texts)
    db.analyze(connection, "drafted")
    channel = policy.consent.channel
    for lost in db.run(connection, "outbox/take_codes", channel=channel, at=now):
        result.without_code[lost.contact_id] = lost.coupon_pool
        result.texts -= 1
    db.run(
        connection,
        "outbox/insert_drafts",
        as_of=as_of,
        channel=channel,
        at=now,
        currency=policy.brand.currency,
        day_began_at=coupons.day_began_at(policy, now),
        link_expires_at=now + timedelta(days=policy.links.valid_days),
    )
    db.analyze_grown(connection, outbox__message=len(rows))
    return result


DRAFTED = (
    "contact_id",
    "message_id",
    "dormant_since",
    "step",
    "variant",
    "landing",
    "phone_hash",
    "body",
    "encoding",
    "segments",
    "expected_price",
    "not_before",
    "not_after",
    "link_code",
    "coupon_code",
    "coupon_kind",
    "coupon_value",
    "coupon_expires_at",
    "coupon_minimum",
    "coupon_starts_at",
    "coupon_pool",
)


def _text_of(row: sa.Row[Any] | Step) -> tuple[str, str]:
    """Which text: the step's name, and the variant's."""
    return (row.name if isinstance(row, Step) else row.step), row.variant


def _id_of(row: sa.Row[Any], policy: Policy) -> uuid.UUID:
    return messages.message_id(row.contact_id, row.dormant_since, row.step, policy.consent.channel)


def _wanted(rows: Sequence[sa.Row[Any]], policy: Policy) -> dict[str, list[uuid.UUID]]:
    """The messages that need a code of a pool, by pool."""
    pools = {_text_of(step): step.coupon.pool for step in policy.texts if step.coupon}
    found: dict[str, list[uuid.UUID]] = {}
    for row in rows:
        if pool := pools.get(_text_of(row)):
            found.setdefault(pool, []).append(_id_of(row, policy))
    return found


def _items(
    connection: Connection,
    rows: Sequence[sa.Row[Any]],
    named: Mapping[tuple[str, str], Set[str]],
    as_of: date,
) -> Mapping[int, personal.About]:
    """What is personal to the contacts whose texts name it."""
    asking = [row for row in rows if named[_text_of(row)] & {"item", "together"}]
    return personal.about(
        connection,
        [row.contact_id for row in asking],
        as_of,
        with_together=any("together" in named[_text_of(row)] for row in asking),
    )


def _texts(
    rows: Sequence[sa.Row[Any]],
    policy: Policy,
    templates: messages.Templates,
    stock: coupons.Stock,
    items: Mapping[int, personal.About],
    drawn: Set[str],
    now: datetime,
    link_base: str,
    result: Drafted,
) -> Iterator[tuple[Any, ...]]:
    steps = {_text_of(step): step for step in policy.texts}
    for row in rows:
        step, message_id = steps[_text_of(row)], _id_of(row, policy)
        pool = step.coupon.pool if step.coupon else None
        code = messages.new_code()
        coupon = None
        try:
            places = hours.places_of(
                row.phone_e164, row.time_zone, row.country, policy.brand.time_zone
            )
            begin, end = hours.allowed_window(now, places, policy.hours)
            if step.coupon:
                coupon = _coupon(step, step.coupon, policy, begin, row.contact_id)
                end = min(end, coupon.expires_at)
            if step.contest:
                end = min(end, _closes_at(step, step.contest, policy, begin, row))
                if step.contest.name in drawn:
                    raise errors.TextError(
                        f"Contest {step.contest.name} of step {step.name} is drawn, so contact "
                        f"{row.contact_id} could not enter it. Another contest needs another name."
                    )
            if coupon and pool:
                own = stock.code_for(pool, message_id)
                if own is None:
                    result.without_code[row.contact_id] = pool
                    continue
                coupon = replace(coupon, code=own)
            about = items.get(row.contact_id)
            contact = Recipient(
                row.contact_id,
                row.first_name,
                row.last_name,
                row.language,
                row.country,
                _earliest_clock(places, coupon.expires_at) if coupon else row.time_zone,
                *((about.item, about.item_kind, about.together) if about else ()),
            )
            text = templates.render(step, contact, f"{link_base}/{code}", coupon, begin)
        except errors.TextError as error:
            result.failed[row.contact_id] = str(error)
            continue
        if pool:
            stock.give(pool, message_id)
        result.texts += 1
        yield (
            row.contact_id,
            message_id,
            row.dormant_since,
            row.step,
            row.variant or None,
            step.landing,
            row.phone_hash,
            *text,
            text.segments * policy.price(row.country),
            begin,
            end,
            code,
            *(_columns(coupon) if coupon else (None,) * 6),
            pool,
        )


def _coupon(
    step: Step, offer: CouponOffer, policy: Policy, begin: datetime, contact_id: int
) -> Coupon:
    """The coupon of a text that may be sent from `begin` on: its days and hours run from there."""
    coupon = Coupon.issue(offer, policy, begin)
    if coupon.expires_at <= begin:
        over, first = (
            at.astimezone(policy.brand.zone).strftime("%Y-%m-%d %H:%M")
            for at in (coupon.expires_at, begin)
        )
        raise errors.TextError(
            f"The sale of step {step.name} ends at {over}, and the text for contact {contact_id} "
            f"could be sent from {first} on ({policy.brand.time_zone}). Give the step another "
            "sale, or another coupon, in the policy."
        )
    return coupon


def _earliest_clock(places: Sequence[hours.Place], at: datetime) -> str:
    """The zone, of those where a phone may be, whose clocks are the furthest behind: who reads an
    hour that is written by them is never told too late a one.
    """
    return min(
        (place.zone for place in places),
        key=lambda zone: at.astimezone(ZoneInfo(zone)).replace(tzinfo=None),
    )


def _closes_at(
    step: Step, contest: Contest, policy: Policy, begin: datetime, row: sa.Row[Any]
) -> datetime:
    """When the contest of a text that may be sent from `begin` on takes no entry any more. Raises
    TextError for an invitation that could not be followed.
    """
    closes_at = policy.end_of(contest.closes_on)
    first = begin.astimezone(policy.brand.zone)
    if closes_at <= begin or (contest.opens_on and first.date() < contest.opens_on):
        span = f"from {contest.opens_on} to" if contest.opens_on else "until"
        raise errors.TextError(
            f"Contest {contest.name} of step {step.name} takes entries {span} {contest.closes_on}, "
            f"and the text for contact {row.contact_id} could be sent from "
            f"{first:%Y-%m-%d %H:%M} on ({policy.brand.time_zone}). Give the step another contest, "
            "or none, in the policy."
        )
    if contest.countries and row.country and row.country not in contest.countries:
        raise errors.TextError(
            f"Contest {contest.name} of step {step.name} is for {', '.join(contest.countries)}, "
            f"and contact {row.contact_id} is in {row.country}. Let the country in, or leave it: "
            "the contact goes on with the next step."
        )
    return closes_at


def _columns(coupon: Coupon) -> tuple[Any, ...]:
    return (
        coupon.code,
        coupon.kind,
        coupon.value,
        coupon.expires_at,
        coupon.minimum,
        coupon.starts_at,
    )
