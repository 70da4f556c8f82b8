"""What the texts of a replay would have come to: rendered, and counted in segments."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from functools import cache

from sqlalchemy.engine import Connection

from reengage import db
from reengage.errors import TextError
from reengage.policy import Policy
from reengage.texts import messages
from reengage.texts.coupons import Coupon
from reengage.texts.recipients import Recipient

# As long as every link: a code has nine characters.
_CODE = "A" * 9
_LINKS = "https://go.example.com"


@dataclass
class Said:
    """segments, cost (in the brand's currency): of a day's texts of a step; unwritable: contacts
    whose text could not be made, and example: why one could not.
    """

    days: dict[tuple[date, str], tuple[int, float]] = field(default_factory=dict)
    unwritable: int = 0
    example: str = ""


def cost(connection: Connection, policy: Policy, first: date, last: date) -> Said:
    """What the texts to whom a replay would have written come to: what is said to each of their
    country, language and first name. Of a product it says nothing.
    """
    templates = messages.Templates.checked(policy)
    steps = {(step.name, step.variant): step for step in policy.texts}
    link = f"{policy.brand.link_domain or _LINKS}/{_CODE}"
    said = Said()
    sums: dict[tuple[date, str], list[float]] = defaultdict(lambda: [0, 0.0])

    @cache
    def coupon_of(step: str, variant: str, as_of: date) -> Coupon | None:
        offer = steps[step, variant].coupon
        return Coupon.issue(offer, policy, policy.end_of(as_of)) if offer else None

    for row in db.run(connection, "history/would_say", from_day=first, to_day=last):
        recipient = Recipient(0, row.first_name, None, row.language, row.country, row.time_zone)
        try:
            text = templates.render(
                steps[row.step, row.variant],
                recipient,
                link,
                coupon_of(row.step, row.variant, row.as_of),
                policy.end_of(row.as_of),
            )
        except TextError as error:
            said.unwritable += row.contacts
            said.example = said.example or str(error)
            continue
        of_day = sums[row.as_of, row.step]
        of_day[0] += row.contacts * text.segments
        of_day[1] += row.contacts * text.segments * policy.price(row.country)
    said.days = {key: (int(parts), money) for key, (parts, money) in sums.items()}
    return said
