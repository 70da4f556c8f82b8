"""Coupons: their codes, what they are worth and how long, and the pools that codes come from."""

import logging
import re
import secrets
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from babel import Locale
from babel.numbers import format_currency, format_percent
from sqlalchemy.engine import Connection

from reengage import db
from reengage.policy import CouponOffer, Policy, Step
from reengage.texts.segments import plain

log = logging.getLogger(__name__)

# Digits and consonants that are not mistaken for one another, read aloud or typed; without
# vowels no code spells a word. An even number of them, as the check needs.
_COUPON = "23456789BCDFGHJKMNPQRSTVWXYZ"


def _luhn(code: str, double: bool) -> int:
    """The Luhn mod N sum of a code, read from its end; `double` says whether to begin doubled."""
    base, total = len(_COUPON), 0
    for char in reversed(code):
        value = _COUPON.index(char) * (2 if double else 1)
        total += value // base + value % base
        double = not double
    return total % base


def drawn(letters: str, length: int) -> str:
    """So many random letters of those, each as likely as another, that nobody can foresee."""
    number, word = secrets.randbelow(len(letters) ** length), ""
    for _ in range(length):
        number, place = divmod(number, len(letters))
        word += letters[place]
    return word


def new_coupon() -> str:
    """A coupon's code, XXXXX-XXXXX: 9 random characters of 28 and a check character."""
    code = drawn(_COUPON, 9)
    code += _COUPON[-_luhn(code, double=True) % len(_COUPON)]
    return f"{code[:5]}-{code[5:]}"


def is_coupon(code: str) -> bool:
    """Whether a code can be one of ours, whatever its case and hyphens.

    One wrong character, or two neighbours exchanged (but for the alphabet's first and last), is
    found without asking the database.
    """
    code = re.sub(r"[\s-]", "", code).upper()
    return len(code) == 10 and set(code) <= set(_COUPON) and _luhn(code, double=False) == 0


@dataclass(frozen=True, slots=True)
class Coupon:
    """A contact's own coupon. value: percent, or the brand's currency. expires_at: the first
    instant at which it is no longer good; starts_at: the first at which it is, None: at once; both
    aware, in UTC. minimum: what an order must come to, in the brand's currency.
    """

    code: str
    kind: Literal["percent", "value"]
    value: float | Decimal
    expires_at: datetime
    minimum: Decimal | None = None
    starts_at: datetime | None = None

    @classmethod
    def issue(cls, offer: CouponOffer, policy: Policy, now: datetime) -> "Coupon":
        """A new coupon, with a code of our own: good through the end of the brand's day valid_days
        after now's, for valid_hours, or while the sale is on. now: when its holder can have it.
        """
        starts_at = None
        if offer.sale:
            starts_at = offer.sale.from_.replace(tzinfo=policy.brand.zone).astimezone(UTC)
            expires_at = offer.sale.to.replace(tzinfo=policy.brand.zone)
        elif offer.valid_hours:
            expires_at = now + timedelta(hours=offer.valid_hours)
        else:
            today = now.astimezone(policy.brand.zone).date()
            expires_at = policy.end_of(today + timedelta(days=offer.valid_days or 0))
        return cls(
            new_coupon(),
            offer.kind,
            offer.value,
            expires_at.astimezone(UTC),
            None if offer.minimum is None else Decimal(str(offer.minimum)),
            starts_at,
        )

    def last_day(self, zone: ZoneInfo) -> date:
        """The last day, in that zone, on which the coupon is good."""
        return (self.expires_at - timedelta(microseconds=1)).astimezone(zone).date()

    def first_day(self, zone: ZoneInfo) -> date | None:
        """The first day, in that zone, on which the coupon is good; None: it is from the start."""
        return None if self.starts_at is None else self.starts_at.astimezone(zone).date()

    def worth(self, currency: str, locale: Locale) -> str:
        """The value as the locale writes it: 15%, $10, 12,50 €."""
        return _worth(self.kind, Decimal(str(self.value)), currency, locale)

    def least_order(self, currency: str, locale: Locale) -> str | None:
        """The minimum as the locale writes it: $40, 12,50 €; None: there is none."""
        return None if self.minimum is None else _worth("value", self.minimum, currency, locale)


@lru_cache(maxsize=1024)
def _worth(kind: str, value: Decimal, currency: str, locale: Locale) -> str:
    if kind == "percent":
        pattern = locale.percent_formats[None].pattern.replace("#,##0", "#,##0.##")
        text = format_percent(value / 100, format=pattern, locale=locale)
    else:
        pattern = locale.currency_formats["standard"].pattern
        if value == value.to_integral_value():
            pattern = pattern.replace(".00", "")
        text = format_currency(
            value, currency, format=pattern, locale=locale, currency_digits=False
        )
    return plain(text)


def day_began_at(policy: Policy, now: datetime) -> datetime:
    """The brand's midnight before now. Aware."""
    return policy.end_of(now.astimezone(policy.brand.zone).date() - timedelta(days=1))


# --- pools ----------------------------------------------------------------------------------------


class Stock:
    """The codes of pools for a day's messages: each has the one that an earlier draft of it was
    given, or else the next free one. What is handed out here is taken by outbox/take_codes.
    """

    def __init__(self, connection: Connection, wanted: Mapping[str, Sequence[uuid.UUID]]) -> None:
        """wanted: the messages that need a code, by pool."""
        self._own: dict[str, dict[uuid.UUID, str]] = {}
        self._free: dict[str, deque[str]] = {}
        for pool, ids in wanted.items():
            rows = db.run(connection, "outbox/own_codes", pool=pool, message_ids=list(ids))
            self._own[pool] = {row.message_id: row.code for row in rows}
            codes = len(ids) - len(self._own[pool])
            free = db.run(connection, "outbox/free_codes", pool=pool, codes=codes)
            self._free[pool] = deque(free.scalars())

    def code_for(self, pool: str, message_id: uuid.UUID) -> str | None:
        """The code for a message; None: the pool is used up. Asked again, the same."""
        free = self._free[pool]
        return self._own[pool].get(message_id) or (free[0] if free else None)

    def give(self, pool: str, message_id: uuid.UUID) -> None:
        """The message got its code: the next one gets another."""
        if message_id not in self._own[pool]:
            self._own[pool][message_id] = self._free[pool].popleft()


def issue_for(
    connection: Connection,
    policy: Policy,
    step: Step,
    message_id: uuid.UUID,
    contact_id: int,
    now: datetime,
) -> Coupon | None:
    """The incentive of a step for whoever finished the page of that message, in the caller's
    transaction: made once, and the same ever after, whatever the policy says by then.

    now: aware. None: the step has none, its sale is over, or its pool is used up (which is logged).
    """
    with db.exclusive(connection, f"incentive/{message_id}"):
        ids = {"message_id": message_id, "contact_id": contact_id}
        known = db.run(connection, "outbox/incentive", **ids).one_or_none()
        if known:
            return Coupon(**known._mapping)
        if step.incentive is None:
            return None
        coupon = Coupon.issue(step.incentive, policy, now)
        if coupon.expires_at <= now:
            return None
        if pool := step.incentive.pool:
            code = _take_one(connection, pool, now, **ids)
            if code is None:
                log.warning("%s", out_of_codes(connection, pool, 1))
                return None
            coupon = replace(coupon, code=code)
        db.run(
            connection,
            "outbox/insert_incentive",
            **ids,
            code=coupon.code,
            kind=coupon.kind,
            value=coupon.value,
            minimum=coupon.minimum,
            currency=policy.brand.currency,
            starts_at=coupon.starts_at,
            expires_at=coupon.expires_at,
            at=now,
            day_began_at=day_began_at(policy, now),
        )
        return coupon


def _take_one(connection: Connection, pool: str, now: datetime, **ids: Any) -> str | None:
    while db.run(connection, "outbox/free_codes", pool=pool, codes=1).scalar() is not None:
        taken = db.run(connection, "outbox/take_incentive_code", pool=pool, at=now, **ids)
        if (code := taken.scalar()) is not None:
            return str(code)
    return None


def out_of_codes(connection: Connection, pool: str, missing: int) -> str:
    """That a pool has no more codes, or is none (a policy may misspell it), and what to do.
    missing: how many codes more are needed, 1 or more.
    """
    row = db.run(connection, "outbox/pool_names", pool=pool).one()
    if row.is_known:
        codes = "code is" if missing == 1 else "codes are"
        return (
            f"The pool {pool} is used up: {missing:,} more {codes} needed. Add some with "
            f"make coupons POOL={pool} CSV=codes.csv."
        )
    others = (
        f": the pools are {', '.join(row.pools)}. Mend the policy, or add" if row.pools else ". Add"
    )
    return f"There is no pool {pool}{others} codes with make coupons POOL={pool} CSV=codes.csv."


def lines(connection: Connection, policy: Policy, pool: str = "") -> list[str]:
    """The stock of the pools, or of one, for a terminal; with those that the policy names and that
    have no codes.
    """
    steps: dict[str, list[str]] = {}
    for step in policy.steps:
        for what, offer in step.offers:
            if offer.pool:
                steps.setdefault(offer.pool, []).append(f"{what} of {step.name}")
    rows = {row.pool: row for row in db.run(connection, "outbox/pools")}
    names = [name for name in sorted({*rows, *steps}) if pool in ("", name)]
    if not names:
        return [
            f"There is no pool {pool}." if pool else "There are no pools.",
            f"Add codes with make coupons POOL={pool or 'spring'} CSV=codes.csv.",
        ]
    out = [f"{'pool':<20}{'free':>10}{'given out':>12}{'used':>10}  in the policy"]
    for name in names:
        row: sa.Row[Any] | None = rows.get(name)
        figures = (row.free, row.given_out, row.used) if row else (0, 0, 0)
        free, given_out, used = (f"{figure:,}" for figure in figures)
        named = ", ".join(steps.get(name, [])) or "-"
        out.append(f"{name:<20}{free:>10}{given_out:>12}{used:>10}  {named}")
    return out
