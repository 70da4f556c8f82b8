"""The gates of a day: what its drafts, taken together, are asked before any of them may be sent.

Freshness and validation come before a day is decided (cohort, quality). These come after: they look
at how many are to be written to, how many leave, and what it costs. A day is let go as a whole, or
stopped as a whole, once.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from reengage import db
from reengage.clock import Clock, day_text
from reengage.errors import DayStopped, ReengageError
from reengage.journey import cohort, release
from reengage.policy import Policy

log = logging.getLogger(__name__)

# In the order of cohort.reason: of several closed gates the first names the reason.
GATES = ("budget", "size", "unsubscribes")
# After its decision a text is handed over within max_age_days, and one in doubt is settled by the
# provider's log, which goes back days, not weeks.
SETTLED_DAYS = 7

Ruling = Literal["send", "ask", "stop"]


@dataclass(frozen=True)
class Verdict:
    """What a gate says of a day. measured, allowed: in the gate's own unit (contacts; a share;
    segments or money), allowed None: no limit. said: a sentence for a person, with the numbers.
    """

    gate: str
    is_open: bool
    measured: float | None
    allowed: float | None
    said: str


@dataclass(frozen=True)
class Passage:
    """How a day came through its gates. is_released: it is let go, now or earlier; else it waits
    for a person. sends: contacts to be written to, by step.
    """

    as_of: date
    is_released: bool
    sends: dict[str, int]
    verdicts: list[Verdict]


def judge(connection: Connection, policy: Policy, as_of: date, now: datetime) -> list[Verdict]:
    """Ask every gate about a decided day and keep the answers in cohort.gate, in the caller's
    transaction. A day that is let go or stopped is not judged again: what was said then comes back.

    now: aware. Raises ReengageError for a day that is not decided.
    """
    state = _state(connection, as_of)
    if state.released_at is not None or state.stopped_by is not None:
        return recorded(connection, as_of)
    verdicts = [
        _budget(connection, policy, as_of),
        _size(connection, policy, as_of),
        _unsubscribes(connection, policy, as_of),
    ]
    for verdict in verdicts:
        _record(connection, as_of, verdict, now)
    return verdicts


def recorded(connection: Connection, as_of: date) -> list[Verdict]:
    """What the gates said of a day when it was judged last, a person's answer among them."""
    return [
        Verdict(row.gate, row.is_open, row.measured, row.allowed, row.said)
        for row in db.run(connection, "cohort/gate_recorded", as_of=as_of)
    ]


def rule(policy: Policy, verdicts: Sequence[Verdict], sends: int) -> Ruling:
    """What follows for a day on which `sends` contacts are to be written to. A budget is never
    overruled. Where nothing would be sent there is nothing to stop; but that too many leave is
    told all the same, or a base could be emptied unseen.
    """
    closed = {verdict.gate for verdict in verdicts if not verdict.is_open}
    if sends == 0:
        closed &= {"unsubscribes"}
        if not closed:
            return "send"
    if "budget" in closed or (closed and policy.approval == "never"):
        return "stop"
    return "ask" if closed or policy.approval == "always" else "send"


def pass_or_stop(engine: Engine, policy: Policy, as_of: date, clock: Clock) -> Passage:
    """Judge a decided day, and let it go, stop it, or leave it for a person, in one transaction.

    Twice: a day that is let go stays so. Raises DayStopped, with what the closed gates said, for a
    day that is stopped now or was before; ReengageError for one that is not decided; SendRefused
    for one that is too old to be let go by now (sending.max_age_days).
    """
    with engine.begin() as connection, db.exclusive(connection, "journey"):
        state, now = _state(connection, as_of), clock()
        verdicts = judge(connection, policy, as_of, now)
        sends = cohort.counts(connection, as_of).sends()
        is_released = state.released_at is not None
        if not is_released and state.stopped_by is None:
            ruling = rule(policy, verdicts, sum(sends.values()))
            for verdict in verdicts:
                log.info("%s, %s: %s", as_of, verdict.gate, verdict.said)
            if ruling == "send" and sends:
                release.check_age(policy, as_of, now)
            if ruling == "send":
                is_released = cohort.let_go(connection, as_of, now)
            elif ruling == "stop":
                closed = [verdict.gate for verdict in verdicts if not verdict.is_open]
                cohort.stop(connection, policy, as_of, closed[0], now)
        stopped = _why_stopped(connection, as_of)
    # Only now: raised inside, it would take the stop back.
    if stopped:
        raise DayStopped(stopped)
    return Passage(as_of, is_released, sends, verdicts)


def approved(engine: Engine, as_of: date, by: str, now: datetime) -> dict[str, int]:
    """A person lets a waiting day go. Returns the contacts to be written to, by step. Twice: the
    same. by: who, as Airflow knows them.

    Raises DayStopped for a day that is stopped; ReengageError for one that was never judged, or
    whose budget is spent.
    """
    with engine.begin() as connection, db.exclusive(connection, "journey"):
        state = _state(connection, as_of)
        if stopped := _why_stopped(connection, as_of):
            raise DayStopped(stopped)
        if state.released_at is None:
            budget = [v for v in recorded(connection, as_of) if v.gate == "budget"]
            if not budget or not budget[0].is_open:
                raise ReengageError(
                    f"{as_of} cannot be approved: "
                    + (budget[0].said if budget else "its gates were not asked yet.")
                )
            said = f"Approved by {by}."
            _record(connection, as_of, Verdict("approval", True, None, None, said), now)
            cohort.let_go(connection, as_of, now)
        return cohort.counts(connection, as_of).sends()


def turned_down(engine: Engine, policy: Policy, as_of: date, by: str | None, now: datetime) -> None:
    """A person, or (by None) nobody in time, lets a waiting day not go: its drafts are cancelled,
    and its contacts are due again the next day. Twice: nothing is left.

    Raises ReengageError for a day that was let go.
    """
    with engine.begin() as connection, db.exclusive(connection, "journey"):
        state = _state(connection, as_of)
        if state.released_at is not None:
            raise ReengageError(f"{as_of} was let go before, and cannot be turned down any more.")
        if state.stopped_by is None:
            said = (
                f"Turned down by {by}."
                if by
                else f"Nobody answered within {policy.approval_hours:g} hours."
            )
            _record(connection, as_of, Verdict("approval", False, None, None, said), now)
            cohort.stop(connection, policy, as_of, "approval", now)


def waits(engine: Engine, as_of: date) -> bool:
    """Whether a day is decided, and neither let go nor stopped."""
    with engine.connect() as connection:
        state = db.run(connection, "cohort/gate_state", as_of=as_of).one_or_none()
    return state is not None and state.released_at is None and state.stopped_by is None


def _state(connection: Connection, as_of: date) -> sa.Row[Any]:
    state = db.run(connection, "cohort/gate_state", as_of=as_of).one_or_none()
    if state is None:
        raise ReengageError(f"{as_of} is not decided yet: run reengage_journey for it.")
    return state


def _record(connection: Connection, as_of: date, verdict: Verdict, now: datetime) -> None:
    db.run(connection, "cohort/gate_record", as_of=as_of, at=now, **vars(verdict))


def _why_stopped(connection: Connection, as_of: date) -> str | None:
    """Why nothing of a day is sent, as a person should read it; None for a day not stopped."""
    reason = _state(connection, as_of).stopped_by
    if reason is None:
        return None
    closed = {v.gate: v.said for v in recorded(connection, as_of) if not v.is_open}
    if reason not in closed:
        closed = {reason: "Nobody let it go before the next day was decided."} | closed
    # Redacted for who answered: an Airflow user's name may be an address.
    return (
        f"Nothing of {as_of} is sent. {db.redact(' '.join(closed.values()))} "
        "Its contacts are looked at again on the next day."
    )


# --- the gates ------------------------------------------------------------------------------------


def _size(connection: Connection, policy: Policy, as_of: date) -> Verdict:
    gate = policy.gates.size
    row = db.run(connection, "cohort/gate_size", as_of=as_of, over_days=gate.over_days).one()
    said, limits = f"{row.sends:,} are to be written to", {}
    if row.days_sent < gate.history_days:
        said += (
            f"; what is usual is known once {gate.history_days:,} days have gone out, "
            f"and {row.days_sent:,} have"
        )
    else:
        # What a missed day would have sent is due on the next, and is no surprise.
        usual = row.median_sends * row.days_since
        limits["max_growth"] = max(usual * gate.max_growth, float(gate.at_least - 1))
        said += f", {row.sends / usual:.1f} times the usual {usual:,.0f}"
        said += f" of {row.days_since:,} days" if row.days_since > 1 else ""
        said += f" (limit {gate.max_growth:g})"
        if usual * gate.max_growth < row.sends < gate.at_least:
            said += f"; under {gate.at_least:,} no day is too large"
    if gate.at_most is not None:
        limits["at_most"] = float(gate.at_most)
        said += f"; at most {gate.at_most:,} may be"
    said += "."
    closed = [name for name, limit in limits.items() if row.sends > limit]
    if closed:
        said += _advice(policy, " and ".join(f"gates.size.{name}" for name in closed))
    return Verdict("size", not closed, row.sends, min(limits.values(), default=None), said)


def _unsubscribes(connection: Connection, policy: Policy, as_of: date) -> Verdict:
    gate = policy.gates.unsubscribes
    # While nothing goes out, the texts that closed the gate stay in sight.
    last = db.run(connection, "cohort/gate_last_sent", as_of=as_of).scalar()
    from_day = (last or as_of) - timedelta(days=gate.over_days)
    texts = db.run(
        connection,
        "cohort/gate_opt_outs",
        from_day=from_day - timedelta(days=policy.sending.max_age_days + SETTLED_DAYS),
        as_of=as_of,
        from_at=policy.end_of(from_day),
        until_at=policy.end_of(as_of),
        channel=policy.consent.channel,
    ).one()
    left = db.run(
        connection, "cohort/gate_given_up", as_of=as_of, over_days=policy.close_after_days
    ).one()
    shares, said = {}, f"{texts.opted_out:,} of the {texts.texts:,} texts of the last "
    said += f"{gate.over_days:,} days were answered by a stop"
    if texts.texts >= gate.at_least:
        share = texts.opted_out / texts.texts
        shares["max_opt_out_share"] = share, gate.max_opt_out_share
        said += f" ({share:.1%}, limit {gate.max_opt_out_share:.1%})"
    else:
        said += f" (under {gate.at_least:,} texts say nothing)"
    said += f"; {left.given_up:,} of {left.contacts:,} contacts were left to rest, without a "
    said += f"click, since {day_text(left.from_day)}"
    if left.contacts:
        share = left.given_up / left.contacts
        shares["max_given_up_share"] = share, gate.max_given_up_share
        said += f" ({share:.1%}, limit {gate.max_given_up_share:.1%})"
    said += "."
    closed = [name for name, (share, limit) in shares.items() if share > limit]
    if closed:
        said += " Look at the texts and at who gets them."
        said += _advice(policy, " and ".join(f"gates.unsubscribes.{name}" for name in closed))
    measured, allowed = max(shares.values(), key=_strain, default=(None, None))
    return Verdict("unsubscribes", not closed, measured, allowed, said)


def _budget(connection: Connection, policy: Policy, as_of: date) -> Verdict:
    budget, currency = policy.gates.budget, policy.brand.currency
    day = db.run(connection, "cohort/gate_day_cost", as_of=as_of).one()
    spent = {"day": _amounts(day)}
    said = f"The day takes {_cost(*spent['day'], currency)}"
    if budget.month.segments is not None or budget.month.money is not None:
        month = db.run(
            connection,
            "cohort/gate_month_cost",
            from_day=as_of.replace(day=1),
            as_of=as_of,
            currency=currency,
        ).one()
        spent["month"] = _amounts(day, month)
        said += f", the month with it {_cost(*spent['month'], currency)}"
    shares = {
        f"gates.budget.{span}.{unit}": (measured, limit)
        for span, amounts in spent.items()
        for unit, measured in zip(("segments", "money"), amounts, strict=True)
        if (limit := getattr(getattr(budget, span), unit)) is not None
    }
    closed = {name: limit for name, (measured, limit) in shares.items() if measured > limit}
    if closed:
        said += ", but " + " and ".join(
            f"{name} allows {limit:,} SMS segments"
            if name.endswith("segments")
            else f"{name} allows {limit:,.2f} {currency}"
            for name, limit in closed.items()
        )
        said += ". Raise it, or let fewer be written to in a day (caps.per_day)."
    else:
        said += " (within the limits)." if shares else " (no limit is set)."
    measured, allowed = max(shares.values(), key=_strain, default=(spent["day"][1], None))
    return Verdict("budget", not closed, measured, allowed, said)


def _amounts(*rows: sa.Row[Any]) -> tuple[int, float]:
    """Segments and money, without the dust that sums of prices gather."""
    return sum(int(row.segments) for row in rows), round(sum(float(row.money) for row in rows), 6)


def _cost(segments: int, money: float, currency: str) -> str:
    return f"{segments:,} SMS segment{'s' if segments != 1 else ''} for {money:,.2f} {currency}"


def _strain(pair: tuple[float, float]) -> float:
    """How much of a limit is used up."""
    measured, allowed = pair
    return measured / allowed if allowed else float("inf") if measured else 0.0


def _advice(policy: Policy, keys: str) -> str:
    if policy.approval == "never":
        return f" If that is right, raise {keys}, or set approval: anomaly and let a person decide."
    return f" If that is right, approve; to be asked no more, raise {keys}."
