"""What became of each episode, and the figures of each day."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.engine import Connection, Engine

from reengage import db
from reengage.clock import Clock
from reengage.journey import episode
from reengage.policy import Policy
from reengage.progress import progress

log = logging.getLogger(__name__)

CHUNK = 10_000  # contacts whose outcomes follow in one transaction
SPAN_DAYS = 31  # whose figures are counted in one transaction


def write(engine: Engine, policy: Policy, as_of: date, clock: Clock) -> dict[str, int]:
    """Close what is over on as_of, let what is closed follow verdicts on hits since the last
    decision, recount the days whose figures can still change, and compare with the control group.

    Returns the contacts by outcome of the episodes closed on this as_of. Twice: the same figures.
    """
    with engine.begin() as connection, db.exclusive(connection, "journey"):
        db.analyze(connection, "outbox.message", "outbox.hit", "cohort.decision", "cohort.episode")
        # A day that could not be decided (its feed is late) ends nobody's ladder: who came back on
        # it is not known yet.
        decided = db.run(connection, "cohort/latest_until", as_of=as_of).scalar()
        over_on = decided or as_of - timedelta(days=1)
        new = episode.close(connection, policy, as_of, clock, over_on=over_on)
        if new:
            db.run(connection, "cohort/add_contacts", contacts=new)
        # The link service judges its last minutes again, and brings late what it had to keep.
        decided_at = db.run(connection, "cohort/watermark").one().decided_at
        if decided_at:
            episode.judge_again(connection, policy, clock(), decided_at - episode.LOOK_BACK, None)
        first = as_of - timedelta(days=_window_days(policy))
        _recount_revenue(connection, policy, first)
        _part_revenue(connection, policy, clock())
        _count_days(connection, policy, first, as_of, clock())
        db.run(connection, "outcome/daily_step")
        if decided is not None:
            # Its statistics take a second to import, and the commands import this module.
            from reengage.outcome import effect

            effect.write(connection, policy, decided, clock())
        rows = db.run(connection, "outcome/count_outcomes", as_of=as_of)
        return {row.outcome: row.contacts for row in rows}


def _count_days(
    connection: Connection, policy: Policy, first: date, last: date, now: datetime
) -> None:
    db.run(
        connection,
        "outcome/count_days",
        from_as_of=first,
        as_of=last,
        attribution_days=policy.attribution_days,
        signals=list(policy.signals),
        currency=policy.brand.currency,
        at=now,
    )


def _part_revenue(connection: Connection, policy: Policy, now: datetime) -> None:
    """Figures of days from before currencies were told apart: taken apart once, by what the
    orders say. Their other figures stay as they were counted.
    """
    days = db.run(connection, "outcome/counted_days").one()
    if db.run(connection, "core/derived_from", name="revenue").scalar() == "by currency":
        return
    if days.first_day:
        parted = 0
        for start in range(0, (days.last_day - days.first_day).days + 1, SPAN_DAYS):
            first = days.first_day + timedelta(days=start)
            last = min(first + timedelta(days=SPAN_DAYS - 1), days.last_day)
            _count_days(connection, policy, first, last, now)
            parted += db.run(connection, "outcome/part_revenue").rowcount
        _recount_revenue(connection, policy, date.min)
        if parted:
            log.warning(
                "%s figures of past days held several currencies in one sum: they are taken apart, "
                "as far as the orders are still known",
                f"{parted:,}",
            )
    db.run(connection, "core/note_derived", name="revenue", value="by currency")


def _recount_revenue(connection: Connection, policy: Policy, since: date) -> None:
    db.run(
        connection,
        "outcome/recount_revenue",
        since=since,
        attribution_days=policy.attribution_days,
        currency=policy.brand.currency,
    )


def _window_days(policy: Policy) -> int:
    """For how many days after it the figures of a day are counted again."""
    return policy.attribution_days + policy.close_after_days


@dataclass
class Followed:
    """What has changed since verdicts are others.

    opened, not_opened: open episodes that count as clicked now, and that no longer do. active,
    not_active: closed ones with the outcome `active` now, and without it. unsure, not_unsure:
    others, too little to tell now, and no longer. first_opens: closed ones of which only the first
    click is another. revived, given_up: contacts. days: with other figures.
    """

    opened: int = 0
    not_opened: int = 0
    active: int = 0
    not_active: int = 0
    unsure: int = 0
    not_unsure: int = 0
    first_opens: int = 0
    revived: int = 0
    given_up: int = 0
    days: int = 0

    def lines(self) -> list[str]:
        """What has changed, for a person."""
        told = [
            f"{count:,} {said}"
            for count, said in (
                (self.opened, "open episodes count as clicked now."),
                (self.not_opened, "open episodes no longer count as clicked."),
                (self.active, "closed episodes were clicked after all: their outcome is active."),
                (self.not_active, "closed episodes were clicked by nobody: not active any more."),
                (self.unsure, "closed episodes are too little to tell now: not given up over."),
                (self.not_unsure, "closed episodes are no longer too little to tell."),
                (self.first_opens, "closed episodes keep their outcome; their first click moves."),
                (self.revived, "contacts who were resting without a click are active again."),
                (self.given_up, "contacts are resting now: no person has spoken for them."),
                (self.days, "days have another number of clicked texts."),
            )
            if count
        ]
        return told or ["Outcomes and figures agree with the verdicts: nothing had to change."]


def follow_verdicts(
    engine: Engine,
    policy: Policy,
    clock: Clock,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Followed:
    """Make open episodes, outcomes, contacts and the days' figures follow the verdicts on hits, of
    all contacts whose links were followed in [since, until) (aware; None: ever).

    It compares what is written with what the verdicts say, not with former verdicts; so it finishes
    what was killed, and changes nothing where none is another. A closed episode is judged by the
    hits up to its close: `active` where one is a person's, else what it would have been then
    (`unsubscribed`, but `unreachable` where one is unsure; `unreachable`, `control`); `returned`
    and `opted_out` stay. Who was given up and had clicked, or may have, is active again. Who was
    not, because of a hit that has turned out to be a machine's, is given up only if nothing since
    speaks for them: no signal, human hit, newer episode, consent, or stop taken back. An opt-out is
    neither lifted nor added to. Of the days' figures only the texts clicked depend on verdicts, so
    only they change. Decisions and texts stay.

    Bounded transactions, each with the journey's lock. Safe to kill anywhere; twice: no change.
    """
    found = Followed()
    with engine.begin() as connection:
        db.analyze(connection, "outbox.message", "outbox.hit", "outbox.verdict")
        span = {"since": since, "until": until}
        total = db.run(connection, "outcome/count_hit_contacts", **span).scalar_one()
        days = db.run(connection, "outcome/counted_days").one()
    contacts = _follow_chunks(engine, policy, clock, since, until, found)
    for _ in progress(contacts, "outcomes", "contacts", total):
        pass
    if total and days.first_day:
        starts = range(0, (days.last_day - days.first_day).days + 1, SPAN_DAYS)
        for start in progress(starts, "figures", "months", len(starts)):
            first = days.first_day + timedelta(days=start)
            with engine.begin() as connection, db.exclusive(connection, "journey"):
                found.days += db.run(
                    connection,
                    "outcome/recount_opened",
                    from_day=first,
                    to_day=first + timedelta(days=SPAN_DAYS - 1),
                    window_days=_window_days(policy),
                    time_zone=policy.brand.time_zone,
                ).scalar_one()
    return found


def _follow_chunks(
    engine: Engine,
    policy: Policy,
    clock: Clock,
    since: datetime | None,
    until: datetime | None,
    found: Followed,
) -> Iterator[int]:
    """Follow chunk after chunk of contacts; gives one item a contact, for the progress."""
    after = episode.EVERYBODY["after_contact_id"]
    while True:
        with engine.begin() as connection, db.exclusive(connection, "journey"):
            chunk = db.run(
                connection,
                "outcome/hit_contacts",
                since=since,
                until=until,
                after_contact_id=after,
                chunk_size=CHUNK,
            ).one()
            if not chunk.contacts:
                return
            changed = episode.judge_again(
                connection, policy, clock(), since, until, after, chunk.through_contact_id
            )
        for name, count in changed.items():
            setattr(found, name, getattr(found, name) + count)
        yield from range(chunk.contacts)
        after = chunk.through_contact_id
