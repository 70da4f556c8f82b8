"""A contact's story: why this person did or did not get something, and where they stand.

It only reads. Days are in the brand's time zone. No name, number, address or text is in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from textwrap import wrap
from typing import Any
from uuid import UUID

import phonenumbers
import sqlalchemy as sa

from reengage import db
from reengage.clock import day_text
from reengage.errors import ReengageError
from reengage.phones import keys
from reengage.policy import Policy
from reengage.sending.providers.codes import in_words

SIGNALS = 20  # of what a contact did, the last so many are told
WIDTH = 100
MARGIN = 22
# A shorter row of digits is a number of ours.
SHORTEST_PHONE = 7
# Above whatever a rehearsal shows.
REHEARSAL = "Rehearsal: nobody is texted."


class UnknownContact(ReengageError):
    """Nobody is known by this number, or by this source and id."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a contact, of a kind of cohort.contact_story.

    at: aware; of an event of which only the day is known (is_day_only), the end of that day.
    on: the brand's day it happened on. of_day: the brand's day it counts for; a decision is made on
    the day after.
    """

    at: datetime
    on: date
    of_day: date
    is_day_only: bool
    kind: str
    what: str
    detail: str | None
    message_id: UUID | None


def read(
    connection: sa.Connection, contact_id: int, time_zone: str, as_of: date | None = None
) -> list[Event]:
    """What happened to a contact, oldest first; with as_of, what counts for the days up to it. Of
    what they did the last SIGNALS, and of what came before they first went quiet only the last.
    """
    rows = db.run(connection, "outcome/story", contact_id=contact_id, time_zone=time_zone)
    events = [
        Event(
            row.happened_at,
            row.happened_on,
            row.on_day,
            row.is_day_only,
            row.kind,
            row.what,
            row.detail and in_words(row.detail),
            row.message_id,
        )
        for row in rows
        if as_of is None or row.on_day <= as_of
    ]
    signals = [event for event in events if event.kind == "signal"]
    told = set(map(id, signals[-SIGNALS:]))
    return [event for event in events if event.kind != "signal" or id(event) in told]


def find(connection: sa.Connection, policy: Policy, name: str) -> list[int]:
    """Who is meant by our number (123), by a source and its id (crm:C-17), or by a phone number or
    an email address, which several may have; lowest first.

    A number of ours that can be no phone's is not looked up. Raises UnknownContact, which names no
    phone and no address.
    """
    name = name.strip()
    source, colon, source_contact_id = name.partition(":")
    if colon:
        found = db.run(
            connection, "story/find", source=source, source_contact_id=source_contact_id
        ).scalar()
        if found is None:
            known = [row.source for row in db.run(connection, "raw/source_names")]
            which = f"no such id in {source}"
            if source not in known:
                which = f"no source {db.redact(source)!r}, only {', '.join(known) or 'none yet'}"
            raise UnknownContact(f"Nobody is known as {db.redact(name)!r}: there is {which}.")
        return [int(found)]
    number = int(name) if name.isascii() and name.isdecimal() and len(name) < 19 else None
    email = name.lower() if "@" in name else None
    hashes = [] if email else _hashes(connection, name, policy.brand.country)
    if email or hashes:
        reached = db.run(
            connection, "story/reached_by", phone_hashes=hashes, email=email, contact_id=number
        )
        if found := list(reached.scalars()):
            return found
        what = "email address" if email else "phone number"
        raise UnknownContact(f"No contact has this {what}.")
    if number is None:
        raise UnknownContact(
            "Say whom by our number (CONTACT=123), by a source's id (CONTACT=crm:C-17), or by "
            f"their phone or email; {db.redact(name)!r} is none of them."
        )
    return [number]


def _hashes(connection: sa.Connection, text: str, country: str) -> list[str]:
    """The hashes of all numbers that a text may be, as it is written in the brand's country, with
    its country's code, or in any other country: only what somebody has is ever found.
    """
    digits = "".join(char for char in text if char.isdecimal())
    if len(digits) < SHORTEST_PHONE:
        return []
    written = [(text, country), (f"+{digits.removeprefix('00')}", None)]
    written += [(text, other) for other in sorted(phonenumbers.SUPPORTED_REGIONS)]
    found = dict[str, None]()
    for number, region in written:
        try:
            parsed = phonenumbers.parse(number, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_possible_number(parsed):
            found[phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)] = None
    known = keys.known(connection)
    return [key.hash(e164) for e164 in found for key in known]


def tell(
    connection: sa.Connection, policy: Policy, name: str, as_of: date | None = None
) -> list[str]:
    """The story as lines for a terminal, ending with where the contact stands, today or on as_of;
    or the contacts to choose from, where several are meant.

    name: as find takes it. Raises UnknownContact.
    """
    found = find(connection, policy, name)
    if len(found) > 1:
        return _several(connection, found)
    contact_id = found[0]
    stands = standing(connection, policy, contact_id, as_of)
    zone = policy.brand.zone
    ids = _ids(connection, found)[contact_id]
    lines = [REHEARSAL] if policy.mode == "sandbox" else []
    lines += [f"Contact {contact_id}{ids}, by the clock of {policy.brand.time_zone}", ""]
    for event in read(connection, contact_id, policy.brand.time_zone, as_of):
        when = day_text(event.on)
        if not event.is_day_only:
            when += f", {event.at.astimezone(zone):%H:%M}"
        lines += _indented(when, event.what)
        if event.detail:
            lines += _indented("", event.detail)
    return [*lines, "", *wrap(stands, WIDTH)]


def _several(connection: sa.Connection, contact_ids: list[int]) -> list[str]:
    ids = _ids(connection, contact_ids)
    lines = [f"{len(contact_ids)} contacts are meant:"]
    return lines + [f"  make why CONTACT={each}{ids[each]}" for each in contact_ids]


def _ids(connection: sa.Connection, contact_ids: list[int]) -> dict[int, str]:
    """The ids of contacts in the sources: ` (crm C-17, shop 204)`."""
    rows = db.run(connection, "story/source_ids", contact_ids=contact_ids)
    return {
        row.contact_id: f" ({', '.join(f'{name} {it}' for name, it in sorted(row.ids.items()))})"
        if row.ids
        else ""
        for row in rows
    }


def standing(
    connection: sa.Connection, policy: Policy, contact_id: int, as_of: date | None = None
) -> str:
    """Where a contact stands, as a sentence or two: today, or on as_of. Of a past day what was to
    come next is not kept, so it is not said. Raises UnknownContact.
    """
    row = db.run(
        connection,
        "story/standing",
        contact_id=contact_id,
        as_of=as_of,
        signals=list(policy.signals),
        at=policy.last_instant(as_of) if as_of else None,
    ).one_or_none()
    if row is None:
        raise UnknownContact(f"There is no contact {contact_id}.")
    if row.merged_into:
        return (
            f"They are the same person as contact {row.merged_into}, where the story goes on: "
            f"make why CONTACT={row.merged_into}."
        )
    if row.status == "erased":
        return "They asked to be forgotten: nothing is kept of them, and nothing is sent."
    if row.latest_as_of is None:
        return "No day has been decided yet."
    said = [f"On {day_text(as_of)}:" if as_of else f"After {day_text(row.latest_as_of)}:"]
    if row.dormant_since is None or row.closed_on:
        said += _between_spells(row, policy)
    else:
        said += _in_a_spell(row, policy)
    if row.suppressed_reason == "inactivity":
        said.append(
            "They are resting: they clicked none of the texts that arrived, so no text goes to "
            "them until they show a sign of life."
        )
    elif row.suppressed_reason and row.reason != "suppressed":
        said.append(
            f"They are on the do-not-contact list ({row.suppressed_for.lower()}), so no text goes "
            "to them."
        )
    if row.is_unread and row.reason != "unread_reply":
        said.append("A reply of theirs waits to be read (Replies), so no text goes to them.")
    return " ".join(said)


def _between_spells(row: sa.Row[Any], policy: Policy) -> list[str]:
    """No spell is open: the last one's end, and when the next would begin."""
    said = []
    if row.closed_on:
        said.append(
            f"closed as “{(row.outcome or 'over').lower()}” on {day_text(row.closed_on)}, after "
            f"being quiet since {day_text(row.dormant_since)}."
        )
    elif row.is_latest and row.reaches_on and _is_barely_active(row, policy):
        said.append("not quiet, but barely active.")
    else:
        said.append("not quiet.")
    last = row.last_signal_on
    if last and not (row.closed_on and last <= row.dormant_since):
        said.append(f"The last sign of life was on {day_text(last)}.")
    elif not row.closed_on:
        said.append("There was no sign of life yet, and they are known only for a while.")
    if row.is_latest and row.reaches_on:
        first = policy.steps[0].name
        if row.reaches_on > row.latest_as_of:
            said.append(f"Without another, the {first} is due on {day_text(row.reaches_on)}.")
        else:
            said.append("They are looked at on the next day that is decided.")
    return said


def _is_barely_active(row: sa.Row[Any], policy: Policy) -> bool:
    days = (row.latest_as_of - row.clock_since).days
    return bool(days >= policy.barely_active_after_days and row.reaches_on > row.latest_as_of)


def _in_a_spell(row: sa.Row[Any], policy: Policy) -> list[str]:
    """A spell is open: what was decided last, and what comes next."""
    said = [f"quiet since {day_text(row.dormant_since)};"]
    if row.decided_on is None:
        return [*said, "no step has been decided yet."]
    if row.action == "send":
        said.append(_written(row, policy))
    else:
        word = "held back from" if row.action == "hold" else "left out of"
        said.append(f"{word} the {row.step} on {day_text(row.decided_on)}. {row.reason_means}")
    if row.is_latest:
        said.append(_next(row, policy))
    return said


def _written(row: sa.Row[Any], policy: Policy) -> str:
    if row.accepted_at is None:
        status = f" ({row.message_said.lower()})" if row.message_said else ""
        return (
            f"chosen for the {row.step} on {day_text(row.decided_on)}; the text has not gone out"
            f"{status}."
        )
    on = row.accepted_at.astimezone(policy.brand.zone).date()
    status = f", {row.message_said.lower()}" if row.message_said else ""
    return f"written to on {day_text(on)} ({row.step}{status})."


def _next(row: sa.Row[Any], policy: Policy) -> str:
    wait = timedelta(days=policy.close_after_days)
    if row.is_opened and row.last_sent_on:
        return (
            "They clicked it, so nothing more is sent: unless they come back before, the spell is "
            f"closed on {day_text(row.last_sent_on + wait)}."
        )
    if row.next_due_on:
        step, on = row.next_step or row.step, day_text(row.next_due_on)
        return f"Next step: {step} on {on}, unless they come back."
    closes = (row.last_final_on or row.opened_on) + wait
    return (
        f"No step is left: unless they come back before, the spell is closed on {day_text(closes)}."
    )


def _indented(first: str, text: str) -> list[str]:
    lines = wrap(text, WIDTH - MARGIN)
    starts: Sequence[str] = [first, *[""] * (len(lines) - 1)]
    return [f"{start:<{MARGIN}}{line}" for start, line in zip(starts, lines, strict=True)]
