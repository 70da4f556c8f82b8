"""A plain, slow model of the journey's rules, against which the SQL is held.

It keeps what is known and works everything out anew from that each day: no watermark, no derived
column, no index. What happened before is in the list of decisions and nowhere else.

Where a policy is changed, the new one holds for the evenings at once, and for open episodes from
the next day that is decided.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

from reengage.policy import Behaviour, Policy

HANDED_OVER = {"sending", "accepted", "delivered", "undelivered", "expired", "unknown"}
# Held back by what passes: tried again the next day.
WAITING = {
    "unread_reply",
    "gap",
    "daily_cap",
    "warm_up",
    "budget",
    "size",
    "unsubscribes",
    "approval",
    "stock",
    "template",
}


@dataclass
class Contact:
    contact_id: int
    first_seen_on: date
    created_on: date | None
    phone: str | None
    status: str = "active"
    country: str | None = None
    lifecycle_class: str | None = None
    is_landline: bool = False


@dataclass(frozen=True)
class Consent:
    contact_id: int
    granted_at: datetime | None
    withdrawn_at: datetime | None
    basis: str | None = None


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


# Said of a number, and not of who had it.
OF_NUMBER = {"hard_bounce", "number_reassigned"}


@dataclass
class Reply:
    """One that is neither a stop nor a start."""

    phone: str
    received_at: datetime
    is_read: bool = False


@dataclass
class Message:
    contact_id: int
    dormant_since: date
    step: str
    as_of: date
    phone: str
    status: str = "draft"
    accepted_at: datetime | None = None
    hits: list[tuple[datetime, str]] = field(default_factory=list)  # when, and by whom

    @property
    def opened_at(self) -> list[datetime]:
        return sorted(at for at, who in self.hits if who == "human")

    @property
    def is_doubted(self) -> bool:
        """Something followed its link, and it is too little to tell whether somebody did."""
        return "unsure" in {who for _, who in self.hits}


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
    policy_version: str

    @property
    def is_waiting(self) -> bool:
        return self.reason in WAITING

    @property
    def is_used_up(self) -> bool:
        """Whether its step is never decided again in the episode."""
        return self.action in ("send", "skip") or self.reason == "control"


@dataclass
class Episode:
    contact_id: int
    dormant_since: date
    clock: str
    pace: float
    opened_on: date
    due_on: date | None
    arm: str | None = None
    decisions: list[Decision] = field(default_factory=list)
    looked_again: int = 0  # so many decisions were taken before it was looked at anew
    returned_on: date | None = None
    closed_on: date | None = None
    outcome: str | None = None
    steps_sent: int = 0  # as it stood at the end, as is the next
    first_open_at: datetime | None = None


class Model:
    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.followed: object = None  # the ladder that the last decided day went by
        self.contacts: dict[int, Contact] = {}
        self.interactions: dict[str, Interaction] = {}
        self.consents: list[Consent] = []
        self.suppressions: list[Suppression] = []
        self.replies: list[Reply] = []
        self.messages: dict[tuple[int, date, str], Message] = {}
        self.episodes: dict[tuple[int, date], Episode] = {}
        self.decided: list[date] = []
        self.released: set[date] = set()
        self.stopped: set[date] = set()
        self.changed: set[int] = set()  # card, consent or suppression, since the last decided day
        self.changed_after: dict[int, date] = {}  # the last day that was decided before it did
        self.agreed: set[int] = set()  # whose consents changed since the last decided day
        self.agreed_after: dict[int, date] = {}  # the last day that was decided before they did

    @property
    def days(self) -> dict[str, int]:
        """The days of the steps, where nothing bends them."""
        return self.rungs(self.policy.behaviours[0], 1)

    # --- what is known of a contact ---------------------------------------------------------------

    def signals(self, contact_id: int, kinds: Sequence[str] = ()) -> list[date]:
        return sorted(
            i.on
            for i in self.interactions.values()
            if i.contact_id == contact_id and i.kind in (kinds or self.policy.signals)
        )

    def visible_on(self, contact_id: int) -> date:
        contact = self.contacts[contact_id]
        first = [i.on for i in self.interactions.values() if i.contact_id == contact_id]
        known = [*first, *([contact.created_on] if contact.created_on else [])]
        return min(known, default=contact.first_seen_on)

    def dormant_since(self, contact_id: int, clock: Behaviour) -> date:
        signals = self.signals(contact_id, clock.signals)
        actives = [
            e.closed_on
            for e in self.episodes.values()
            if e.contact_id == contact_id and e.outcome == "active" and e.closed_on
        ]
        if actives and (not signals or signals[-1] <= max(actives)):
            return max(actives) + timedelta(days=self.policy.cooldown_days)
        return signals[-1] if signals else self.visible_on(contact_id)

    def clock(self, episode: Episode) -> Behaviour:
        return next(clock for clock in self.policy.behaviours if clock.name == episode.clock)

    def pace(self, contact_id: int, clock: Behaviour) -> float:
        """What the clock's days are multiplied by: the contact's rhythm, else its class."""
        thresholds = self.policy.thresholds
        bought = sorted(set(self.signals(contact_id, ["purchase"])))
        rhythm = thresholds.rhythm
        if rhythm and "purchase" in clock.signals and len(bought) >= rhythm.purchases:
            gaps = sorted((later - earlier).days for earlier, later in pairwise(bought))
            own = gaps[max(1, math.ceil(rhythm.quantile * len(gaps))) - 1]
            own = min(max(own, rhythm.at_least_days), rhythm.at_most_days)
            return own / (clock.days[0] * thresholds.scale)
        return thresholds.lifecycle.get(self.contacts[contact_id].lifecycle_class or "", 1)

    def rungs(self, clock: Behaviour, pace: float) -> dict[str, int]:
        """The steps and their days for a pace, lowest first."""
        scale = self.policy.thresholds.scale
        names = [step.name for step in self.policy.steps]
        return {
            name: max(1, round(days * scale * pace))
            for name, days in zip(names, clock.days, strict=True)
        }

    def of_episode(self, episode: Episode) -> list[Message]:
        key = (episode.contact_id, episode.dormant_since)
        return [m for m in self.messages.values() if (m.contact_id, m.dormant_since) == key]

    def brand_date(self, at: datetime) -> date:
        return at.astimezone(self.policy.brand.zone).date()

    # --- a day ------------------------------------------------------------------------------------

    def decide(self, as_of: date, now: datetime) -> None:
        if as_of in self.decided:
            return
        for day in self.decided:
            if day not in self.released:
                self.stop(day, "approval")
        self._note_changes()
        self._follow_policy(as_of)
        self.close(as_of - timedelta(days=1), as_of, now)
        self._note_changes()
        for episode in self.open():
            self._bring_forward(episode, as_of)
        self.changed.clear()
        self.agreed.clear()
        for contact_id in self.contacts:
            self._open_episode(contact_id, as_of)
        due = [e for e in self.open() if e.due_on is not None and e.due_on <= as_of]
        judged = [(e, d) for e in due if (d := self._judge(e, as_of)) is not None]
        for episode, decision in self._let_through(judged):
            self._conclude(episode, decision)
        self.decided.append(as_of)

    def let_go(self, as_of: date) -> None:
        if as_of not in self.stopped:
            self.released.add(as_of)

    def stop(self, as_of: date, reason: str) -> None:
        """Nothing of the day is sent, nothing is used up; arms stay."""
        if as_of in self.released | self.stopped:
            return
        self.stopped.add(as_of)
        for message in self.messages.values():
            if message.as_of == as_of and message.status == "draft":
                message.status = "cancelled"
        for episode in self.episodes.values():
            for place, d in enumerate(episode.decisions):
                if d.as_of == as_of and d.reason in ("due", "control"):
                    episode.decisions[place] = replace(d, action="hold", reason=reason)
                    if episode.closed_on is None:
                        episode.due_on = as_of + timedelta(days=1)

    def open(self) -> list[Episode]:
        return [e for e in self.episodes.values() if e.closed_on is None]

    def _note_changes(self) -> None:
        latest = max(self.decided, default=date.min)
        self.changed_after |= dict.fromkeys(self.changed, latest)
        self.agreed_after |= dict.fromkeys(self.agreed, latest)

    def _follow_policy(self, as_of: date) -> None:
        """Open episodes go on by the new ladder, at the pace that it gives them. What was held for
        good stays so, but for what was decided before the card, consent or suppression changed.
        Where a step waits, the ladder goes on from there.
        """
        p = self.policy
        ladder = (
            [(step.name, step.after_days) for step in p.steps],
            p.entry,
            p.thresholds,
            p.cooldown_days,
        )
        if self.followed not in (None, ladder):
            for episode in self.open():
                episode.pace = self.pace(episode.contact_id, self.clock(episode))
                others = [
                    self.agreed_after.get(other, date.min)
                    for other in self._may_release(episode.contact_id)
                ]
                changed_after = max(
                    self.changed_after.get(episode.contact_id, date.min), *others, date.min
                )
                episode.looked_again = sum(d.as_of <= changed_after for d in episode.decisions)
                episode.due_on = self._next_due(episode, as_of)
                last = episode.decisions[-1] if episode.decisions else None
                if last is not None and last.is_waiting and last.step in self._rungs(episode):
                    episode.looked_again = len(episode.decisions) - 1
        self.followed = ladder

    def _bring_forward(self, episode: Episode, as_of: date) -> None:
        last = episode.decisions[-1] if episode.decisions else None
        is_changed = episode.contact_id in self.changed
        if (
            (is_changed or self.agreed & self._may_release(episode.contact_id))
            and last is not None
            and last.action == "hold"
            and episode.arm != "control"
            and self._done(episode) < len(self.policy.steps)
        ):
            episode.looked_again = len(episode.decisions)
            episode.due_on = min(episode.due_on or as_of, as_of)

    def _holders(self, contact_id: int) -> set[int]:
        """Everybody who has the contact's number, if it has one."""
        phone = self.contacts[contact_id].phone
        return {c.contact_id for c in self.contacts.values() if phone and c.phone == phone}

    def _may_release(self, contact_id: int) -> set[int]:
        """Who has the number, and has ever withdrawn: what they say now may end what held it."""
        said_no = {c.contact_id for c in self.consents if c.withdrawn_at is not None}
        return self._holders(contact_id) & said_no

    def _open_episode(self, contact_id: int, as_of: date) -> None:
        """For the clock that reached its first step first, if no other is open."""
        if any(e.contact_id == contact_id for e in self.open()):
            return
        found: list[tuple[date, int, date, Behaviour, float]] = []
        for place, clock in enumerate(self.policy.behaviours):
            since = self.dormant_since(contact_id, clock)
            known = self.episodes.get((contact_id, since))
            # A return that its source took back ended nothing.
            if known is None or (known.returned_on is not None and known.clock == clock.name):
                pace = self.pace(contact_id, clock)
                first = min(self.rungs(clock, pace).values())
                found.append((since + timedelta(days=first), place, since, clock, pace))
        if not found:
            return
        reached_on, _, since, clock, pace = min(found, key=lambda one: one[:2])
        if reached_on > as_of or self.visible_on(contact_id) > as_of:
            return
        known = self.episodes.get((contact_id, since))
        if known is None:
            self.episodes[contact_id, since] = Episode(
                contact_id, since, clock.name, pace, as_of, as_of
            )
        else:
            # The episode goes on.
            known.closed_on = known.returned_on = known.outcome = None
            known.pace = pace
            known.looked_again = len(known.decisions)
            known.due_on = self._next_due(known, as_of)

    # --- the place on the ladder ------------------------------------------------------------------

    def _rungs(self, episode: Episode) -> dict[str, int]:
        return self.rungs(self.clock(episode), episode.pace)

    def _place(self, episode: Episode, decision: Decision) -> int:
        """The decision's rung, from 1; of a step that is gone, the last whose days were over."""
        rungs = self._rungs(episode)
        if decision.step in rungs:
            return list(rungs).index(decision.step) + 1
        return sum(days <= decision.inactive_days for days in rungs.values())

    def _done(self, episode: Episode) -> int:
        """Up to which rung the ladder is used up."""
        used = [self._place(episode, d) for d in episode.decisions if d.is_used_up]
        return max(used, default=0)

    def _next(self, episode: Episode) -> int | None:
        """The rung after the last decided one; the same again after a hold that waits."""
        rungs = self._rungs(episode)
        recent = episode.decisions[episode.looked_again :]
        final = [self._place(episode, d) for d in recent if not d.is_waiting]
        passed = max(self._done(episode), *final, 0)
        if recent and recent[-1].is_waiting and recent[-1].step in rungs:
            passed = max(self._done(episode), self._place(episode, recent[-1]) - 1)
        return passed + 1 if passed < len(rungs) else None

    def _next_due(self, episode: Episode, not_before: date = date.min) -> date | None:
        number = self._next(episode)
        if number is None:
            return None
        rungs = self._rungs(episode)
        days = list(rungs.values())[number - 1]
        due_on = episode.dormant_since + timedelta(days=days)
        if self.policy.entry == "in_order":
            behind = [
                d
                for n, d in enumerate(episode.decisions)
                if d.is_used_up or (n >= episode.looked_again and not d.is_waiting)
            ]
            if behind and behind[-1].step in rungs:
                between = days - rungs[behind[-1].step]
                due_on = max(due_on, behind[-1].as_of + timedelta(days=between))
        return max(due_on, not_before)

    def _judge(self, episode: Episode, as_of: date) -> Decision | None:
        """What stands in the way of the step; its reason is `due` where nothing does."""
        inactive = (as_of - episode.dormant_since).days
        rungs = self._rungs(episode)
        reached = [n for n, days in enumerate(rungs.values(), 1) if days <= inactive]
        left = [n for n in reached if n > self._done(episode)]
        if self.policy.entry == "in_order":
            left = [n for n in left if n == self._next(episode)]
        if not left:
            return None
        step = list(rungs)[max(left) - 1]
        end = self.policy.end_of(as_of)
        handed = [m for m in self.of_episode(episode) if m.status in HANDED_OVER]
        opened = [m for m in handed if any(at < end for at in m.opened_at)]
        reason = "opened" if opened else self._obstacle(episode, step, as_of, end)
        action = {"due": "send", "opened": "skip", "repeat": "skip"}.get(reason, "hold")
        return Decision(
            as_of,
            episode.contact_id,
            episode.dormant_since,
            inactive,
            step,
            len(handed),
            len(opened),
            action,
            reason,
            self.policy.version,
        )

    def _let_through(
        self, judged: list[tuple[Episode, Decision]]
    ) -> list[tuple[Episode, Decision]]:
        """Caps, in their order, then control: of those for whom nothing else stands in the way.
        Control is not written to, so it takes nobody's place.
        """
        per_day, warm_up = self.policy.caps.per_day, self._warm_up_cap()
        ahead, through = 0, []
        for episode, decision in self._lined_up(judged):
            reason = decision.reason
            if reason == "due":
                is_control = self._is_control(episode)
                if per_day is not None and ahead >= per_day:
                    reason = "daily_cap"
                elif warm_up is not None and ahead >= warm_up:
                    reason = "warm_up"
                elif is_control:
                    reason = "control"
                ahead += not is_control
            action = decision.action if reason == decision.reason else "hold"
            through.append((episode, replace(decision, action=action, reason=reason)))
        return through

    def _is_control(self, episode: Episode) -> bool:
        is_drawn = in_control(self.policy, episode.contact_id)
        return episode.arm == "control" or (episode.arm is None and is_drawn)

    def _lined_up(self, judged: list[tuple[Episode, Decision]]) -> list[tuple[Episode, Decision]]:
        line = sorted(judged, key=lambda one: (one[1].inactive_days, one[0].contact_id))
        if self.policy.caps.order == "waiting":
            line.sort(key=lambda one: (self._waits_since(*one), -one[1].inactive_days))
        if self.policy.caps.order == "shared":
            line = [
                *self._by_turns([one for one in line if one[1].reason == "due"]),
                *(one for one in line if one[1].reason != "due"),
            ]
        return line

    @staticmethod
    def _waits_since(episode: Episode, decision: Decision) -> date:
        """The first of the days in a row on which the step was put off, up to this one."""
        waited = decision.as_of
        for earlier in reversed(episode.decisions):
            if not earlier.is_waiting:
                break
            waited = earlier.as_of
        return waited

    def _by_turns(self, line: list[tuple[Episode, Decision]]) -> Iterator[tuple[Episode, Decision]]:
        """The next place goes to the step that has the least of its share yet."""
        steps = [step.name for step in self.policy.steps]
        lines = {step: [one for one in line if one[1].step == step] for step in steps}
        sizes = {
            step: sum(not self._is_control(episode) for episode, _ in those)
            for step, those in lines.items()
        }
        given = dict.fromkeys(steps, 0)
        while waiting := [step for step in steps if lines[step]]:
            day = lines[waiting[0]][0][1].as_of.toordinal() - 1

            def has(step: str, day: int = day) -> tuple[Fraction, int]:
                part = Fraction(given[step], max(1, sizes[step]))
                return part, (day + steps.index(step) + 1) % len(steps)

            episode, decision = lines[min(waiting, key=has)].pop(0)
            given[decision.step] += not self._is_control(episode)
            yield episode, decision

    def _warm_up_cap(self) -> int | None:
        ramp = self.policy.caps.warm_up
        if ramp is None:
            return None
        gone = {
            d.as_of
            for e in self.episodes.values()
            for d in e.decisions
            if d.action == "send"
            and d.as_of in self.released
            and (ramp.since is None or d.as_of >= ramp.since)
        }
        return None if len(gone) >= ramp.days else int(ramp.first_day * ramp.growth ** len(gone))

    def _obstacle(self, episode: Episode, step: str, as_of: date, end: datetime) -> str:
        contact = self.contacts[episode.contact_id]
        own = [c for c in self.consents if c.contact_id == contact.contact_id]
        granted = [c for c in own if c.granted_at is not None and c.granted_at < end]
        withdrawn = [
            c.withdrawn_at
            for c in own
            if c.withdrawn_at is not None
            and c.withdrawn_at < end
            and (c.granted_at is None or c.granted_at < end)
        ]
        latest = max(granted, key=lambda c: c.granted_at or end, default=None)
        if latest is None or latest.granted_at is None:
            return "no_consent"
        if withdrawn and max(withdrawn) >= latest.granted_at:
            return "no_consent"
        # Whoever else has the number and took back their consent to it: not unless they came round.
        for other in self._holders(contact.contact_id) - {contact.contact_id}:
            theirs = [c for c in self.consents if c.contact_id == other]
            noes = [c.withdrawn_at for c in theirs if c.withdrawn_at and c.withdrawn_at < end]
            yeses = [c.granted_at for c in theirs if c.granted_at and c.granted_at < end]
            if noes and max(noes) >= max([latest.granted_at, *yeses]):
                return "no_consent"
        expires = self._consent_days(contact, latest.basis)
        if expires is not None and latest.granted_at < end - timedelta(days=expires):
            return "consent_expired"
        for s in self.suppressions:
            is_person = s.contact_id == contact.contact_id and s.reason not in OF_NUMBER
            is_theirs = is_person or (s.phone and s.phone == contact.phone)
            if is_theirs and s.lifted_at is None and s.since < end:
                return "suppressed"
        for reply in self.replies:
            if reply.phone == contact.phone and not reply.is_read and reply.received_at < end:
                return "unread_reply"
        if contact.phone is None:
            return "no_phone"
        if contact.is_landline:
            return "not_mobile"
        texted = [
            m
            for m in self.messages.values()
            if (m.phone == contact.phone or m.contact_id == contact.contact_id)
            and m.status not in ("rejected", "cancelled")
        ]
        if any(
            (as_of - m.as_of).days < self.policy.repeat_after_days and m.step == step
            for m in texted
        ):
            return "repeat"
        sharing = [
            c.contact_id
            for c in self.contacts.values()
            if c.phone == contact.phone and self.visible_on(c.contact_id) <= as_of
        ]
        signal = {c: max(self.signals(c), default=date.min) for c in sharing}
        if min(sharing, key=lambda c: (-signal[c].toordinal(), c)) != contact.contact_id:
            return "duplicate_phone"
        if any((as_of - m.as_of).days < self.policy.gap_days for m in texted):
            return "gap"
        return "due"

    def _consent_days(self, contact: Contact, basis: str | None) -> int | None:
        """After how many days a consent must be given anew: by the shortest clock that runs."""
        rule = self.policy.consent
        country = contact.country or self.policy.brand.country
        days = [
            clock.after_days
            for clock in rule.clocks
            if clock.country == country and clock.basis in (None, basis)
        ]
        if rule.expires_after_days is not None:
            days.append(rule.expires_after_days)
        return min(days, default=None)

    def _conclude(self, episode: Episode, decision: Decision) -> None:
        episode.decisions.append(decision)
        if decision.action == "send":
            episode.arm = episode.arm or "treatment"
            key = (decision.contact_id, decision.dormant_since, decision.step)
            phone = self.contacts[decision.contact_id].phone
            assert phone is not None
            self.messages[key] = Message(*key, decision.as_of, phone)
        elif decision.reason == "control":
            episode.arm = episode.arm or "control"
        if decision.is_waiting:
            episode.due_on = decision.as_of + timedelta(days=1)
        else:
            episode.due_on = self._next_due(episode)

    # --- the end of an episode --------------------------------------------------------------------

    def close(self, as_of: date, back_by: date, now: datetime) -> None:
        """Close what is over on as_of; returns count up to back_by."""
        for episode in self.open():
            signals = self.signals(episode.contact_id, self.clock(episode).signals)
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
        final = [d.as_of for d in episode.decisions if not d.is_waiting and d.reason != "opened"]
        if episode.due_on is None:
            found.append((max(final, default=episode.opened_on) + wait, False))
        opens = [at for m in self.of_episode(episode) for at in m.opened_at]
        if sent and any(self.brand_date(at) <= as_of for at in opens):
            found.append((max(sent) + wait, False))
        if self.dormant_since(episode.contact_id, self.clock(episode)) != episode.dormant_since:
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
        arrived = [m for m in messages if m.status == "delivered"]
        if is_void or any(m.is_doubted for m in messages):
            return "unreachable"
        enough = len(arrived) >= self.policy.unsubscribe_after_texts
        return "unsubscribed" if enough else "unreachable"

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
