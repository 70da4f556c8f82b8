"""A plain, slow model of the journey's rules, against which the SQL is held.

It keeps what is known and works everything out anew from that each day: no watermark, no derived
column, no index. What happened before is in the list of decisions and nowhere else.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from reengage.policy import Policy

HANDED_OVER = {"sending", "accepted", "delivered", "undelivered", "expired", "unknown"}
WAITING = {"gap", "template"}


@dataclass
class Contact:
    contact_id: int
    first_seen_on: date
    created_on: date | None
    phone: str | None
    status: str = "active"


@dataclass(frozen=True)
class Interaction:
    event_id: str
    contact_id: int
    kind: str
    on: date
    amount: int = 0


@dataclass
class Suppression:
    contact_id: int
    phone: str | None
    reason: str
    since: datetime
    lifted_at: datetime | None = None


@dataclass
class Message:
    contact_id: int
    dormant_since: date
    step: str
    as_of: date
    phone: str
    status: str = "draft"
    accepted_at: datetime | None = None
    hits: list[tuple[datetime, bool]] = field(default_factory=list)  # when, and whether human

    @property
    def opened_at(self) -> list[datetime]:
        return sorted(at for at, is_human in self.hits if is_human)


@dataclass(frozen=True)
class Decision:
    as_of: date
    contact_id: int
    dormant_since: date
    inactive_days: int
    step: str
    prior_sends: int
    prior_opens: int
    action: str
    reason: str


@dataclass
class Episode:
    contact_id: int
    dormant_since: date
    opened_on: date
    due_on: date | None
    arm: str | None = None
    decisions: list[Decision] = field(default_factory=list)
    returned_on: date | None = None
    closed_on: date | None = None
    outcome: str | None = None
    steps_sent: int = 0  # as it stood at the end, as is the next
    first_open_at: datetime | None = None


class Model:
    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.days = {step.name: step.after_days for step in policy.steps}
        self.contacts: dict[int, Contact] = {}
        self.interactions: dict[str, Interaction] = {}
        self.consents: list[tuple[int, datetime | None, datetime | None]] = []
        self.suppressions: list[Suppression] = []
        self.messages: dict[tuple[int, date, str], Message] = {}
        self.episodes: dict[tuple[int, date], Episode] = {}
        self.decided: list[date] = []
        self.changed: set[int] = set()  # card, consent or suppression, since the last decided day

    # --- what is known of a contact ---------------------------------------------------------------

    def signals(self, contact_id: int) -> list[date]:
        return sorted(
            i.on
            for i in self.interactions.values()
            if i.contact_id == contact_id and i.kind in self.policy.signals
        )

    def visible_on(self, contact_id: int) -> date:
        contact = self.contacts[contact_id]
        first = [i.on for i in self.interactions.values() if i.contact_id == contact_id]
        known = [*first, *([contact.created_on] if contact.created_on else [])]
        return min(known, default=contact.first_seen_on)

    def dormant_since(self, contact_id: int) -> date:
        signals = self.signals(contact_id)
        actives = [
            e.closed_on
            for e in self.episodes.values()
            if e.contact_id == contact_id and e.outcome == "active" and e.closed_on
        ]
        if actives and (not signals or signals[-1] <= max(actives)):
            return max(actives) + timedelta(days=self.policy.cooldown_days)
        return signals[-1] if signals else self.visible_on(contact_id)

    def of_episode(self, episode: Episode) -> list[Message]:
        key = (episode.contact_id, episode.dormant_since)
        return [m for m in self.messages.values() if (m.contact_id, m.dormant_since) == key]

    def brand_date(self, at: datetime) -> date:
        return at.astimezone(self.policy.brand.zone).date()

    # --- a day ------------------------------------------------------------------------------------

    def decide(self, as_of: date, now: datetime) -> None:
        if as_of in self.decided:
            return
        self.close(as_of - timedelta(days=1), as_of, now)
        for episode in self.open():
            last = episode.decisions[-1] if episode.decisions else None
            if (
                episode.contact_id in self.changed
                and last is not None
                and last.action == "hold"
                and episode.arm != "control"
            ):
                episode.due_on = min(episode.due_on or as_of, as_of)
        self.changed.clear()
        for contact_id in self.contacts:
            self._open_episode(contact_id, as_of)
        due = [e for e in self.open() if e.due_on is not None and e.due_on <= as_of]
        decisions = [(e, d) for e in due if (d := self._judge(e, as_of)) is not None]
        for episode, decision in decisions:
            self._follow(episode, decision)
        self.decided.append(as_of)

    def open(self) -> list[Episode]:
        return [e for e in self.episodes.values() if e.closed_on is None]

    def _open_episode(self, contact_id: int, as_of: date) -> None:
        since = self.dormant_since(contact_id)
        if (as_of - since).days < min(self.days.values()) or self.visible_on(contact_id) > as_of:
            return
        known = self.episodes.get((contact_id, since))
        if known is None:
            self.episodes[contact_id, since] = Episode(contact_id, since, as_of, as_of)
        elif known.closed_on is not None and known.returned_on is not None:
            # The return was taken back by its source: the episode goes on.
            known.closed_on = known.returned_on = known.outcome = None
            left = [n for n in self.days.values() if n > self._done(known)]
            known.due_on = since + timedelta(days=min(left)) if left else None

    def _done(self, episode: Episode) -> int:
        used = [
            self.days[d.step]
            for d in episode.decisions
            if d.action in ("send", "skip") or d.reason == "control"
        ]
        return max(used, default=0)

    def _judge(self, episode: Episode, as_of: date) -> Decision | None:
        inactive = (as_of - episode.dormant_since).days
        step = max((n for n, days in self.days.items() if days <= inactive), key=self.days.get)
        if self.days[step] <= self._done(episode):
            return None
        end = self.policy.end_of(as_of)
        handed = [m for m in self.of_episode(episode) if m.status in HANDED_OVER]
        opened = [m for m in handed if any(at < end for at in m.opened_at)]
        reason = "opened" if opened else self._obstacle(episode, step, as_of, end)
        action = {"due": "send", "opened": "skip", "repeat": "skip"}.get(reason, "hold")
        return Decision(
            as_of, episode.contact_id, episode.dormant_since, inactive, step, len(handed),
            len(opened), action, reason,
        )  # fmt: skip

    def _obstacle(self, episode: Episode, step: str, as_of: date, end: datetime) -> str:
        contact = self.contacts[episode.contact_id]
        own = [c for c in self.consents if c[0] == contact.contact_id]
        granted = [g for _, g, _ in own if g is not None and g < end]
        withdrawn = [w for _, g, w in own if w is not None and w < end and (g is None or g < end)]
        if not granted or (withdrawn and max(withdrawn) >= max(granted)):
            return "no_consent"
        expires = self.policy.consent.expires_after_days
        if expires is not None and max(granted) < end - timedelta(days=expires):
            return "consent_expired"
        for s in self.suppressions:
            is_theirs = s.contact_id == contact.contact_id or (s.phone and s.phone == contact.phone)
            if is_theirs and s.lifted_at is None and s.since < end:
                return "suppressed"
        if contact.phone is None:
            return "no_phone"
        texted = [
            m
            for m in self.messages.values()
            if (m.phone == contact.phone or m.contact_id == contact.contact_id)
            and m.status not in ("rejected", "cancelled")
        ]
        if any((as_of - m.as_of).days < self.policy.repeat_after_days and m.step == step
               for m in texted):  # fmt: skip
            return "repeat"
        sharing = [
            c.contact_id
            for c in self.contacts.values()
            if c.phone == contact.phone and self.visible_on(c.contact_id) <= as_of
        ]
        latest = {c: max(self.signals(c), default=date.min) for c in sharing}
        if min(sharing, key=lambda c: (-latest[c].toordinal(), c)) != contact.contact_id:
            return "duplicate_phone"
        if any((as_of - m.as_of).days < self.policy.gap_days for m in texted):
            return "gap"
        if episode.arm == "control" or (
            episode.arm is None and in_control(self.policy, contact.contact_id)
        ):
            return "control"
        return "due"

    def _follow(self, episode: Episode, decision: Decision) -> None:
        episode.decisions.append(decision)
        if decision.action == "send":
            episode.arm = episode.arm or "treatment"
            key = (decision.contact_id, decision.dormant_since, decision.step)
            phone = self.contacts[decision.contact_id].phone
            assert phone is not None
            self.messages[key] = Message(*key, decision.as_of, phone)
        elif decision.reason == "control":
            episode.arm = episode.arm or "control"
        if decision.reason in WAITING:
            episode.due_on = decision.as_of + timedelta(days=1)
        else:
            higher = [n for n in self.days.values() if n > self.days[decision.step]]
            episode.due_on = episode.dormant_since + timedelta(days=min(higher)) if higher else None

    # --- the end of an episode --------------------------------------------------------------------

    def close(self, as_of: date, back_by: date, now: datetime) -> None:
        """Close what is over on as_of; returns count up to back_by."""
        for episode in self.open():
            signals = self.signals(episode.contact_id)
            episode.returned_on = next((s for s in signals if s > episode.dormant_since), None)
            if episode.returned_on is not None and episode.returned_on <= back_by:
                stopped = self._stopped(episode)
                self._end(episode, episode.returned_on, "opted_out" if stopped else "returned", now)
        ends = []
        for episode in self.open():
            if episode.returned_on is None:
                over, is_void = self._over_on(episode, as_of)
                if over is not None and over <= as_of:
                    ends.append((episode, over, self._outcome(episode, is_void)))
        for episode, over, outcome in ends:
            self._end(episode, over, outcome, now)
        self._revive(now)

    def _over_on(self, episode: Episode, as_of: date) -> tuple[date | None, bool]:
        wait = timedelta(days=self.policy.close_after_days)
        found: list[tuple[date, bool]] = []
        sent = [d.as_of for d in episode.decisions if d.action == "send"]
        final = [
            d.as_of for d in episode.decisions if d.reason not in WAITING and d.reason != "opened"
        ]
        if episode.due_on is None:
            found.append((max(final, default=episode.opened_on) + wait, False))
        opens = [at for m in self.of_episode(episode) for at in m.opened_at]
        if sent and any(self.brand_date(at) <= as_of for at in opens):
            found.append((max(sent) + wait, False))
        if self.dormant_since(episode.contact_id) != episode.dormant_since:
            found.append((as_of, True))
        return min(found, default=(None, False))  # type: ignore[type-var]

    def _stopped(self, episode: Episode) -> bool:
        return any(
            s.contact_id == episode.contact_id
            and s.reason == "opted_out"
            and s.lifted_at is None
            and self.brand_date(s.since) > episode.dormant_since
            for s in self.suppressions
        )

    def _outcome(self, episode: Episode, is_void: bool) -> str:
        messages = self.of_episode(episode)
        if self._stopped(episode):
            return "opted_out"
        if any(m.opened_at for m in messages):
            return "active"
        if episode.arm == "control":
            return "control"
        if any(m.status == "delivered" for m in messages) and not is_void:
            return "unsubscribed"
        return "unreachable"

    def _end(self, episode: Episode, on: date, outcome: str, now: datetime) -> None:
        episode.closed_on, episode.outcome, episode.due_on = on, outcome, None
        messages = self.of_episode(episode)
        episode.steps_sent = sum(m.accepted_at is not None for m in messages)
        episode.first_open_at = min((at for m in messages for at in m.opened_at), default=None)
        contact = self.contacts[episode.contact_id]
        if outcome == "active":
            contact.status = "active"
        elif outcome == "unsubscribed":
            contact.status = "unsubscribed"
            if not self._given_up(contact.contact_id):
                self.suppressions.append(Suppression(contact.contact_id, None, "inactivity", now))
        elif outcome == "opted_out" and episode.returned_on is None:
            contact.status = "unsubscribed"

    def _given_up(self, contact_id: int) -> list[Suppression]:
        return [
            s
            for s in self.suppressions
            if (s.contact_id, s.reason, s.lifted_at) == (contact_id, "inactivity", None)
        ]

    def _revive(self, now: datetime) -> None:
        for contact in self.contacts.values():
            for given_up in self._given_up(contact.contact_id):
                since = max(
                    e.dormant_since
                    for e in self.episodes.values()
                    if e.contact_id == contact.contact_id and e.outcome == "unsubscribed"
                )
                opens = [
                    at
                    for m in self.messages.values()
                    if m.contact_id == contact.contact_id
                    for at in m.opened_at
                ]
                signals = self.signals(contact.contact_id)
                if any(s > since for s in signals) or any(at > given_up.since for at in opens):
                    given_up.lifted_at = now
                    self.changed.add(contact.contact_id)
                    if contact.status == "unsubscribed" and not any(
                        s.contact_id == contact.contact_id
                        and s.reason == "opted_out"
                        and s.lifted_at is None
                        for s in self.suppressions
                    ):
                        contact.status = "active"

    # --- the figures ------------------------------------------------------------------------------

    def daily_steps(self) -> dict[tuple[date, str, str], tuple[int, ...]]:
        """due, sent, delivered, opened, returned, opted_out, revenue by as_of, step and arm."""
        figures: dict[tuple[date, str, str], list[int]] = {}
        for episode in self.episodes.values():
            counted = [d for d in episode.decisions if d.reason in ("due", "control")]
            for place, d in enumerate(counted):
                arm = "treatment" if d.action == "send" else "control"
                message = self.messages.get((d.contact_id, d.dormant_since, d.step))
                until = d.as_of + timedelta(days=self.policy.attribution_days)
                if place + 1 < len(counted):
                    until = min(until, counted[place + 1].as_of)
                back = [
                    i
                    for i in self.interactions.values()
                    if i.contact_id == d.contact_id
                    and i.kind in self.policy.signals
                    and d.as_of < i.on <= until
                ]
                sums = figures.setdefault((d.as_of, d.step, arm), [0] * 7)
                facts = (
                    True,
                    message is not None and message.accepted_at is not None,
                    message is not None and message.status == "delivered",
                    message is not None and bool(message.opened_at),
                    bool(back),
                    message is not None and self._stopped_after(message),
                )
                for i, fact in enumerate(facts):
                    sums[i] += fact
                sums[6] += sum(i.amount for i in back)
        return {key: tuple(sums) for key, sums in figures.items()}

    def _stopped_after(self, message: Message) -> bool:
        if message.accepted_at is None:
            return False
        later = [
            m.accepted_at
            for m in self.messages.values()
            if m.contact_id == message.contact_id
            and m.accepted_at is not None
            and m.accepted_at > message.accepted_at
        ]
        return any(
            s.contact_id == message.contact_id
            and s.reason == "opted_out"
            and message.accepted_at <= s.since
            and all(s.since < at for at in later)
            for s in self.suppressions
        )


def in_control(policy: Policy, contact_id: int) -> bool:
    """The control group: a share of all, by the md5 of salt, source and the source's id."""
    text = f"{policy.control.salt}:crm:{contact_id}"
    return int(hashlib.md5(text.encode()).hexdigest()[:8], 16) < policy.control.share * 2**32
