"""Which visits see the same page, but for their codes."""

from dataclasses import replace
from typing import Any

from markupsafe import escape

from reengage.web.drawing import CODE, COUPON, INCENTIVE, qr_code
from reengage.web.visits import Visit


def likeness(visit: Visit) -> tuple[Any, ...]:
    """What a page of nobody's own depends on: visits that are alike in it see the same but for
    their codes.
    """
    coupons = (
        one
        and (
            replace(one, code=""),
            one.expires_at <= visit.at,
            one.starts_at is not None and one.starts_at > visit.at,
        )
        for one in (visit.coupon, visit.incentive)
    )
    return (
        visit.step,
        visit.language,
        visit.country,
        visit.is_expired,
        visit.is_opted_out,
        visit.paused_until,
        *coupons,
    )


def anybody(visit: Visit) -> Visit:
    """The visit, with signs where its codes are."""
    return replace(
        visit,
        code=CODE,
        coupon=visit.coupon and replace(visit.coupon, code=COUPON),
        incentive=visit.incentive and replace(visit.incentive, code=INCENTIVE),
    )


def filled(content: str, visit: Visit) -> str:
    """A page with a visit's own codes in place of the signs."""
    content = content.replace(CODE, visit.code)
    for sign, one in ((COUPON, visit.coupon), (INCENTIVE, visit.incentive)):
        if one:
            if (drawn := str(qr_code(sign))) in content:
                content = content.replace(drawn, str(qr_code(one.code)))
            content = content.replace(sign, str(escape(one.code)))
    return content
