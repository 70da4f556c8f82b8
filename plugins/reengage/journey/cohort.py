"""The day's decisions: who is due for which step, what happens to them, and why.

One transaction holds a day: its episodes, its decisions and its drafts are there together, or not
at all. Running the day again finds nothing to do.
"""

import json
import logging
import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from sqlalchemy.engine import Connection, Engine

from reengage import db
from reengage.clock import Clock
from reengage.errors import DayStopped, PastDayError
from reengage.ingest.core import MOST_CARDS
from reengage.ingest.sources import Source
from reengage.journey import episode
from reengage.policy import Policy, WarmUp
from reengage.texts import coupons, drafts

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DayCounts:
    """Contacts decided on a day, by (step, action, reason)."""

    as_of: date
    contacts: dict[tuple[str, str, str], int]

    def sends(self) -> dict[str, int]:
        """Contacts to be written to, by step."""
        found: Counter[str] = Counter()
        for (step, action, _), count in self.contacts.items():
            if action == "send":
                found[step] += count
        return dict(found)


def check_fresh(engine: Engine, sources: list[Source], as_of: date) -> None:
    """The freshness gate: every required source must be in, for as_of.

    An event feed needs a row (or its completeness marker) dated on or after as_of; contacts and
    consents need a finished load for as_of. Raises DayStopped, naming the sources: a feed that is
    late makes everybody look quiet.
    """
    with engine.connect() as connection:
        loads = {(r.source, r.entity): r for r in db.run(connection, "cohort/freshness")}
    late = []
    for source in sources:
        if not source.required:
            continue
        load = loads.get((source.source, source.entity))
        if load is None or load.as_of < as_of:
            late.append(f"{source.name} was not loaded for {as_of}")
        elif source.entity == "interaction":
            through = max(filter(None, (load.newest_on, _complete_through(source))), default=None)
            if through is None or through < as_of:
                late.append(
                    f"{source.name} has nothing dated on or after {as_of} (newest: {through})"
                )
    if late:
        raise DayStopped(
            f"Nothing was decided for {as_of}: {'; '.join(late)}. Who bought yesterday would be "
            "taken for quiet. Deliver the data (or the source's complete_marker, if nothing "
            "happened) and run the day again."
        )


def _complete_through(source: Source) -> date | None:
    """What the source's completeness marker says, if there is one."""
    if source.complete_marker is None or not Path(source.complete_marker).is_file():
        return None
    with Path(source.complete_marker).open("rb") as file:
        text = file.read(100).decode("utf-8-sig", "replace").strip()
    try:
        return date.fromisoformat(text)
    except ValueError:
        # By a link it may be another file: what is no kind of date is not told.
        said = f": it says {text!r}" if re.fullmatch(r"[\d./: -]{1,20}", text) else ""
        raise DayStopped(
            f"{source.complete_marker} should hold one date like 1997-12-31 and nothing else{said}."
        ) from None


def decide(engine: Engine, policy: Policy, as_of: date, clock: Clock, link_base: str) -> DayCounts:
    """Decide the day and draft its messages, in one transaction. Twice: the same counts.

    link_base: where short links point, without a slash at the end. Raises PastDayError for a day
    before one that is decided or loaded: the journey only moves forward.
    """
    with engine.begin() as connection:
        return decide_in(connection, policy, as_of, clock, link_base)


def decide_in(
    connection: Connection, policy: Policy, as_of: date, clock: Clock, link_base: str
) -> DayCounts:
    """As decide, in the caller's transaction; rolled back, nothing has happened."""
    with db.exclusive(connection, "journey"):
        # What is lifted while the day is decided is later than it: the next day looks at it.
        begun = clock()
        state = db.run(connection, "cohort/state", as_of=as_of).one()
        if not state.is_decided:
            _refuse_past(as_of, state.latest_decided, "decided")
            _refuse_past(as_of, state.loaded_through, "loaded")
            for left in db.run(connection, "cohort/unreleased", as_of=as_of).scalars().all():
                log.warning("%s was decided but never let go: its contacts are due again", left)
                stop(connection, policy, left, "approval", begun)
            for left in db.run(connection, "outbox/left_drafts", as_of=as_of).scalars().all():
                log.warning("%s was let go, but not all of its texts: they are due again", left)
                db.run(connection, "cohort/take_back_drafts", as_of=left, at=begun)
                episode.advance(connection, policy, left)
            _hold_unread(connection, policy)
            contacts = None
            if episode.follow_policy(connection, policy, as_of):
                contacts = db.run(connection, "cohort/count_contacts").scalar_one()
            db.run(connection, "core/lift_pauses", as_of=as_of, at=begun)
            new = episode.catch_up(connection, policy, as_of, clock)
            judge(connection, policy, as_of)
            drafted = drafts.draft(connection, policy, as_of, clock(), link_base)
            if drafted.failed:
                _hold(connection, as_of, "template", drafted.failed)
                for texts, example in _causes(drafted.failed):
                    log.warning(
                        "%s texts could not be made and are held back. For example: %s",
                        f"{texts:,}",
                        example,
                    )
            if drafted.without_code:
                _hold(connection, as_of, "stock", drafted.without_code)
                for pool, missing in Counter(drafted.without_code.values()).items():
                    log.warning(
                        "%s Their contacts wait.", coupons.out_of_codes(connection, pool, missing)
                    )
            episode.advance(connection, policy, as_of)
            db.run(
                connection,
                "cohort/keep_policy",
                policy_version=policy.version,
                text=policy.text,
                as_of=as_of,
            )
            db.run(
                connection,
                "cohort/record_day",
                as_of=as_of,
                policy_version=policy.version,
                at=begun,
                last_load_id=state.seen_load_id,
                contacts=contacts,
                new_contacts=new,
                control_salt=policy.control.salt,
                control_share=policy.control.share,
                variants=policy.variants,
            )
        return counts(connection, as_of)


def _causes(failed: dict[int, str]) -> list[tuple[int, str]]:
    """Why texts could not be made: how many for one cause, and an example of each; the most
    frequent first. Causes that differ in a number alone are one.
    """
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for said in failed.values():
        alike[re.sub(r"\d+", "#", said)].append(said)
    return [(len(all_of_it), all_of_it[0]) for all_of_it in sorted(alike.values(), key=len)[::-1]]


def let_go(connection: Connection, as_of: date, now: datetime) -> bool:
    """Note that the gates of a decided day are passed; whether this was the moment."""
    return db.run(connection, "cohort/let_go", as_of=as_of, at=now).rowcount == 1


def stop(connection: Connection, policy: Policy, as_of: date, reason: str, now: datetime) -> None:
    """Send nothing of a decided day: its drafts are cancelled, and whoever was to be written to is
    held for `reason` (of cohort.reason) and due again on the next day. Twice: nothing is left.
    """
    db.run(connection, "cohort/stop_day", as_of=as_of, reason=reason, at=now)
    episode.advance(connection, policy, as_of)


def hold_unread(engine: Engine, policy: Policy) -> None:
    """Let whose text was called off for a reply that nobody has read wait for it: the step is not
    used up. After each sending that found one; a day that is decided does it first. Twice: nothing
    is left.
    """
    with engine.begin() as connection, db.exclusive(connection, "journey"):
        _hold_unread(connection, policy)


def _hold_unread(connection: Connection, policy: Policy) -> None:
    for held in db.run(connection, "cohort/hold_unread").all():
        log.info(
            "%s texts of %s wait until a person has read a reply",
            f"{len(held.contact_ids):,}",
            held.as_of,
        )
        episode.advance(connection, policy, held.as_of, held.contact_ids)


def counts(connection: Connection, as_of: date) -> DayCounts:
    """What was decided on a day."""
    rows = db.run(connection, "cohort/count_day", as_of=as_of)
    return DayCounts(as_of, {(r.step, r.action, r.reason): r.contacts for r in rows})


def judge(connection: Connection, policy: Policy, as_of: date) -> None:
    """Open the episodes that have reached the first step, and decide all that are due, in the
    caller's transaction, which goes on to `episode.advance`. Twice: nothing is left to decide.
    """
    episode.open_due(connection, policy, as_of)
    consent, caps = policy.consent, policy.caps
    day = {
        "as_of": as_of,
        "at": policy.last_instant(as_of),
        "ladder": policy.ladder,
        "caps_order": caps.order,
        "control_salt": policy.control.salt,
        "variants": policy.variants,
    }
    db.run(
        connection,
        "cohort/due",
        **day,
        is_in_order=policy.climb["is_in_order"],
        purpose=consent.purpose,
        channel=consent.channel,
        country=policy.brand.country,
        consent_clocks=json.dumps([clock.model_dump() for clock in consent.clocks]),
        most_holders=MOST_CARDS,
    )
    decided = db.run(
        connection,
        "cohort/decide",
        **day,
        expires_after_days=consent.expires_after_days,
        repeat_after_days=policy.repeat_after_days,
        gap_days=policy.gap_days,
        daily_cap=caps.per_day,
        warm_up_cap=_warm_up_cap(connection, caps.warm_up) if caps.warm_up else None,
        control_share=policy.control.share,
        policy_version=policy.version,
    ).rowcount
    db.analyze_grown(connection, cohort__decision=decided)


def _warm_up_cap(connection: Connection, ramp: WarmUp) -> int | None:
    """How many may be written to on this day of the ramp; None once it is over."""
    gone = db.run(connection, "cohort/sending_days", since=ramp.since).scalar_one()
    if gone >= ramp.days:
        return None
    # Beyond what an integer holds there is no cap to speak of.
    is_vast = math.log(ramp.first_day) + gone * math.log(ramp.growth) > math.log(2**31 - 1)
    return None if is_vast else int(ramp.first_day * ramp.growth**gone)


def _hold(connection: Connection, as_of: date, reason: str, contact_ids: Collection[int]) -> None:
    db.run(connection, "cohort/hold", as_of=as_of, reason=reason, contact_ids=sorted(contact_ids))


def _refuse_past(as_of: date, latest: date | None, what: str) -> None:
    if latest is not None and as_of < latest:
        raise PastDayError(
            f"{latest} is {what} already, and the journey only moves forward: {as_of} can be "
            f"replayed (make replay FROM={as_of} TO={as_of}), not decided."
        )
