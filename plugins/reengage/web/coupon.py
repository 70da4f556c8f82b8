"""The coupon's page, with what its holder last looked at or bought, and what goes with it.

It is shown to the holder of the link alone, as the coupon is; whoever has opted out, and a link
that has expired, are shown none. A warehouse without products costs no second look.
"""

import logging
from functools import partial

from fastapi import FastAPI, Response
from sqlalchemy.exc import SQLAlchemyError

from reengage.texts import personal
from reengage.texts.wording import item_name
from reengage.web.connections import Away
from reengage.web.service import Service
from reengage.web.visits import Visit

log = logging.getLogger(__name__)

ABOUT_SECONDS = 2.0


def add_routes(_: FastAPI, service: Service) -> None:
    """No press of its own: it shows what `GET /{code}` of a step with a coupon does."""
    pages, policy = service.pages, service.policy

    async def view(visit: Visit) -> Response:
        about = None
        if visit.has_products and not (visit.is_expired or visit.is_opted_out):
            try:
                about = await service.in_time(
                    "about", partial(_about, service, visit), ABOUT_SECONDS
                )
            except (SQLAlchemyError, Away, TimeoutError) as error:
                # The hit is recorded, and the coupon is known: the page does without.
                log.warning("nothing personal for a coupon's page: %s", type(error).__name__)
        item = item_name(about.item) if about else None
        if about is None or item is None:
            return pages.landing(visit)
        together = tuple(filter(None, map(item_name, about.together)))
        name = pages.template(visit.landing, "_step.html")
        return pages.show(name, visit, item=item, together=together, questions=())

    for step in policy.steps:
        has_coupon = any(text.coupon for text in step.texts)
        if has_coupon and not (step.questions or step.contest):
            service.views.setdefault(step.landing, view)


def _about(service: Service, visit: Visit) -> personal.About | None:
    today = visit.at.astimezone(service.policy.brand.zone).date()
    with service.transaction() as connection:
        return personal.about(connection, [visit.person_id], today).get(visit.person_id)
