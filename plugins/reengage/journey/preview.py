"""What a day comes to before anything of it is sent: who, why not the others, what it costs, what
the gates say, and how the texts read. For a dry run, and for the person who is asked.

Nothing made here names anybody: a sample text holds a first name, and no code, number or address.
"""

import csv
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from babel import Locale
from sqlalchemy.engine import Connection, Engine

from reengage import db, spreadsheet
from reengage.clock import Clock
from reengage.errors import ReengageError
from reengage.journey import cohort, gates
from reengage.policy import Policy, remarks
from reengage.texts.messages import Templates
from reengage.texts.recipients import Recipient

# Beside them, the variant where steps have any, and the ids in the sources.
AUDIENCE = (
    "contact_id",
    "dormant_since",
    "inactive_days",
    "step",
    "action",
    "reason",
    "segments",
    "encoding",
    "expected_price",
    "not_before",
    "text_language",
)


@dataclass(frozen=True)
class Plan:
    """A decided day. decisions: rows of step, action, reason, its label, contacts, in the order in
    which the reasons are checked; texts: rows of step, variant, country, encoding, texts, segments,
    money, first_not_before, last_not_before; samples: a text by (step or its version, its
    language), its codes hidden;
    before: contacts written to by step on before_on, the last day that went out.

    ruling: what a run would do; done: what became of a day that is let go or stopped. remarks: what
    the policy says that is hardly meant.
    """

    as_of: date
    decisions: list[sa.Row[Any]]
    texts: list[sa.Row[Any]]
    samples: dict[tuple[str, str], str]
    before_on: date | None
    before: dict[str, int]
    verdicts: list[gates.Verdict]
    ruling: gates.Ruling
    done: str | None
    dormant: int | None = None
    remarks: Sequence[str] = ()

    @property
    def sends(self) -> Counter[str]:
        """Contacts to be written to, by step."""
        found: Counter[str] = Counter()
        for row in self.decisions:
            if row.action == "send":
                found[row.step] += row.contacts
        return found

    @property
    def segments(self) -> int:
        return sum(int(row.segments) for row in self.texts)

    @property
    def money(self) -> float:
        """In the brand's currency, as the policy's prices expect it."""
        return sum(float(row.money) for row in self.texts)

    @property
    def not_before(self) -> tuple[datetime, datetime] | None:
        """When the first and the last of the texts may ring."""
        if not self.texts:
            return None
        return (
            min(row.first_not_before for row in self.texts),
            max(row.last_not_before for row in self.texts),
        )


def plan(connection: Connection, policy: Policy, as_of: date, now: datetime) -> Plan:
    """What a decided day comes to, with its gates judged, in the caller's transaction.

    now: aware. Raises ReengageError for a day that is not decided.
    """
    verdicts = gates.judge(connection, policy, as_of, now)
    state = db.run(connection, "cohort/gate_state", as_of=as_of).one()
    decisions = list(db.run(connection, "cohort/plan_waterfall", as_of=as_of))
    sends = sum(row.contacts for row in decisions if row.action == "send")
    before = list(db.run(connection, "cohort/plan_before", as_of=as_of))
    texts = db.run(connection, "cohort/plan_texts", as_of=as_of, country=policy.brand.country)
    done = "was let go" if state.released_at else None
    return Plan(
        as_of=as_of,
        decisions=decisions,
        texts=list(texts),
        samples=_samples(connection, policy, as_of),
        before_on=before[0].as_of if before else None,
        before={row.step: row.contacts for row in before},
        verdicts=verdicts,
        ruling=gates.rule(policy, verdicts, sends),
        done=f"was stopped ({state.stopped_by})" if state.stopped_by else done,
    )


def preview(
    engine: Engine,
    policy: Policy,
    as_of: date,
    clock: Clock,
    link_base: str,
    audience: Path | None = None,
) -> Plan:
    """Decide and judge the day as a real run would, look at it, and take all of it back.

    audience: a CSV file to write everybody decided to, with the text each would get. Raises what
    cohort.decide raises, and ReengageError where the file cannot be written.
    """
    with engine.connect() as connection, connection.begin() as transaction:
        cohort.decide_in(connection, policy, as_of, clock, link_base)
        found = plan(connection, policy, as_of, clock())
        dormant = db.run(connection, "cohort/plan_dormant").scalar_one()
        noted = [*remarks.of_policy(policy), *remarks.of_contacts(connection, policy)]
        if audience is not None:
            _write_audience(connection, policy, as_of, audience)
        transaction.rollback()
    return Plan(**{**vars(found), "dormant": dormant, "remarks": noted})


def _write_audience(connection: Connection, policy: Policy, as_of: date, file: Path) -> None:
    sources = db.run(connection, "story/id_sources").scalars().all()
    rows = db.run(connection, "cohort/plan_audience", as_of=as_of, channel=policy.consent.channel)
    written_in = _languages(policy)
    try:
        with file.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            version = ["variant"] if policy.variants else []
            writer.writerow([*AUDIENCE, *version, *spreadsheet.id_names(sources)])
            for row in rows:
                of = row.step, row.variant or "", row.language, row.country
                said = written_in(*of) if row.encoding else None
                writer.writerow(
                    [_written(value) for value in (*row[:-4], said)]
                    + [row.variant for _ in version]
                    + spreadsheet.id_cells(row.source_ids, sources)
                )
    except OSError as error:
        raise ReengageError(f"The audience cannot be written: {error}.") from error


def _written(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _samples(connection: Connection, policy: Policy, as_of: date) -> dict[tuple[str, str], str]:
    """One text of each step, variant and language that it is written in, without what is only the
    contact's.
    """
    found: dict[tuple[str, str], str] = {}
    rows, written_in = (
        list(db.run(connection, "cohort/plan_samples", as_of=as_of)),
        _languages(policy),
    )
    for step in policy.texts:
        for row in rows:
            if (row.step, row.variant) == (step.name, step.variant):
                body = row.body
                for code in row.codes:
                    body = body.replace(code, "…")
                said = written_in(row.step, row.variant, row.language, row.country)
                found.setdefault((step.title, said), body)
    return found


def _languages(policy: Policy) -> Callable[[str, str, str | None, str | None], str]:
    """Which language the text of a step's variant is written in for a contact's language and
    country.
    """
    texts = Templates(policy, is_checked=False)
    steps = {(step.name, step.variant): step for step in policy.texts}

    @cache
    def written_in(step: str, variant: str, language: str | None, country: str | None) -> str:
        recipient = Recipient(0, language=language, country=country)
        known = steps.get((step, variant))
        return texts.language(known, recipient) if known else policy.brand.language

    return written_in


def language_name(language: str) -> str:
    """A language in English, with its code: Korean (ko)."""
    return f"{Locale.parse(language).get_display_name('en') or language} ({language})"


# --- for people -----------------------------------------------------------------------------------


def lines(plan: Plan, policy: Policy) -> list[str]:
    """The day for a terminal."""
    shown, zone = _steps(plan, policy), policy.brand.zone
    dormant = f"{plan.dormant:,} contacts are dormant; " if plan.dormant is not None else ""
    evaluated = sum(row.contacts for row in plan.decisions)
    out = [f"{dormant}{evaluated:,} are due on {plan.as_of}."]
    if shown:
        out += ["", _row("", [*shown, "all"]), *_waterfall(plan, shown)]
    if said := _capped(plan, policy):
        out += ["", said]
    if plan.texts:
        out += ["", _row("Texts", ["texts", "segments", policy.brand.currency])]
        out += [_row(f"  {name}", cells) for name, cells in _costs(plan, shown)]
        share = Counter[str]()
        for row in plan.texts:
            share[row.encoding] += row.texts
        mix = ", ".join(f"{n:,} in {encoding}" for encoding, n in share.most_common())
        out += ["", f"Encodings: {mix}."]
    if plan.not_before:
        first, last = (at.astimezone(zone).strftime("%Y-%m-%d %H:%M") for at in plan.not_before)
        out += [f"They may ring from {first}, the last from {last} ({policy.brand.time_zone})."]
    out += ["", "Gates"]
    out += [f"  {v.gate:<14}{'open' if v.is_open else 'closed':<8}{v.said}" for v in plan.verdicts]
    if plan.samples:
        out += ["", "A text of each"]
        for (step, language), body in plan.samples.items():
            out += [f"  {step}, in {language_name(language)}"]
            out += [f"    {line}" for line in body.splitlines()]
    if plan.remarks:
        out += ["", "Worth a look in the policy", *(f"  {remark}" for remark in plan.remarks)]
    return out


def markdown(plan: Plan, policy: Policy) -> str:
    """The day for the person who is asked, as Markdown."""
    shown, sends = _steps(plan, policy), plan.sends
    total, was = sum(sends.values()), sum(plan.before.values())
    out = [
        f"**{total:,}** contacts are to be written to for **{plan.as_of}**: {plan.segments:,} "
        f"segments, about {plan.money:,.2f} {policy.brand.currency}."
    ]
    if plan.before_on:
        change = f"{abs(total - was):,} {'more' if total >= was else 'fewer'}"
        out += [f"That is {change} than on {plan.before_on}, the last day that went out."]
    costs = dict(_costs(plan, shown))
    head = [
        "step",
        "contacts",
        str(plan.before_on or "the day before"),
        "segments",
        policy.brand.currency,
    ]
    out += ["", _cells(head), "|---" + "|--:" * 4 + "|"]
    for step in shown:
        if sends[step]:
            _, segments, money = costs.get(step, ["0", "0", "0.00"])
            before = f"{plan.before.get(step, 0):,}" if plan.before_on else "-"
            out += [_cells([step, f"{sends[step]:,}", before, segments, money])]
    if said := _capped(plan, policy):
        out += ["", said]
    out += ["", "**The gates**", ""]
    out += [
        f"- {v.gate}: {'open' if v.is_open else '**closed**'}. {v.said}"
        for v in plan.verdicts
        if v.gate != "approval"
    ]
    out += ["", "**A text of each**"]
    for (step, language), body in plan.samples.items():
        out += ["", f"{step}, in {language_name(language)}:", ""]
        out += [f"    {line}" for line in body.splitlines()]
    hours = f"{policy.approval_hours:g} hours"
    out += [
        "",
        f"Without an answer within {hours} nothing is sent, and the contacts are looked at "
        "again on the next day.",
    ]
    return "\n".join(out)


def _steps(plan: Plan, policy: Policy) -> list[str]:
    """The steps that somebody was due for, lowest first."""
    due = {row.step for row in plan.decisions}
    ladder = [step.name for step in policy.steps]
    return [*(name for name in ladder if name in due), *sorted(due - set(ladder))]


def _waterfall(plan: Plan, shown: Sequence[str]) -> list[str]:
    counted: dict[str, Counter[str]] = {}
    due: Counter[str] = Counter()
    for row in plan.decisions:
        due[row.step] += row.contacts
        if row.action != "send":
            counted.setdefault(f"  {row.label}", Counter())[row.step] += row.contacts
    named = {"due": due, **counted, "to be written to": plan.sends}
    return [
        _row(name, [*(f"{by_step[step]:,}" for step in shown), f"{by_step.total():,}"])
        for name, by_step in named.items()
    ]


ORDERS = {
    "recent": "the most recently active first",
    "waiting": "who has been due longest first",
    "shared": "of each step its share",
}


def _capped(plan: Plan, policy: Policy) -> str:
    """How many a cap puts off, and whom it lets through."""
    held = sum(row.contacts for row in plan.decisions if row.reason in ("daily_cap", "warm_up"))
    if not held:
        return ""
    order = policy.caps.order
    return (
        f"A cap puts {held:,} off to the next day. It lets {plan.sends.total():,} through: "
        f"{ORDERS[order]} (caps.order: {order})."
    )


def _costs(plan: Plan, shown: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Texts, segments and money: by step, by step and version, by step and country, and all
    together.
    """
    sums: dict[str, tuple[int, int, float]] = {}
    for step in shown:
        for row in plan.texts:
            version = [f"{step}, version {row.variant}"] if row.variant else []
            names = [step, *version, f"{step} {row.country}"]
            for name in names if row.step == step else ():
                texts, segments, money = sums.get(name, (0, 0, 0.0))
                sums[name] = (
                    texts + row.texts,
                    segments + int(row.segments),
                    money + float(row.money),
                )
    sums["all"] = sum(row.texts for row in plan.texts), plan.segments, plan.money
    return [
        (name, [f"{texts:,}", f"{segments:,}", f"{money:,.2f}"])
        for name, (texts, segments, money) in sums.items()
    ]


def _row(name: str, cells: Sequence[str]) -> str:
    return f"{name:<26}" + "".join(f"{cell:>12}" for cell in cells)


def _cells(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
