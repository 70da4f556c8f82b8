"""`make demo`: the whole job on real data, day after day, and what came of it."""

import os
import textwrap
import time
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from reengage import db
from reengage.errors import ReengageError
from reengage.ingest.sources import read_sources
from reengage.policy import Policy
from reengage.settings import DEMO_SOURCES
from reengage_local.day import DayRunner, day_runner
from reengage_local.demo_data import install_datasets, prepare
from reengage_local.stack import Screen

FIRST = date(1997, 6, 30)
EVERY = timedelta(days=30)
# A step on each of the first three; the ladders that began on the first close on the fourth.
DAYS = [FIRST + EVERY * n for n in range(5)]


def run_demo() -> None:
    """Prepare the data, run the days, show what came of them. A second run only shows it; one that
    was killed goes on where it was. Raises ReengageError in a home that holds other data.
    """
    began = time.monotonic()
    os.environ["REENGAGE_SOURCES"] = str(DEMO_SOURCES)
    with day_runner("demo", FIRST) as (runner, screen):
        _check_home(runner.engine)
        screen.say("Larkfield is a shop that does not exist, with real customers of two that did:")
        screen.say("the web orders of CDNOW and the loyalty cards of Complete Journey (moved from")
        screen.say("2017 to 1997). Names, phones, consents, and all that happens after a text are")
        screen.say("generated. Nobody is texted: the provider is a sandbox on this machine.")
        screen.say()
        install_datasets(screen.say)
        prepare(progress=screen.say)
        done = _decided(runner.engine)
        for number, as_of in enumerate(DAYS, 1):
            if any(day > as_of for day in done):
                continue
            runner.run(as_of, approve="yes")  # nobody is texted: a policy that asks is answered
            screen.say(f"day {number} of {len(DAYS)}  {_day_line(runner.engine, as_of)}")
        _show(runner, screen)
        screen.say(f"({time.monotonic() - began:,.0f} seconds)")


def _check_home(engine: sa.Engine) -> None:
    ours = {source.source for source in read_sources()}
    with engine.connect() as connection:
        others = {row.source for row in db.run(connection, "raw/source_names")} - ours
    if others:
        raise ReengageError(
            f"This home holds other data ({', '.join(sorted(others))}). Give the demo one of its "
            "own: REENGAGE_HOME=.local-demo make demo"
        )


def _decided(engine: sa.Engine) -> set[date]:
    with engine.connect() as connection:
        return {row.as_of for row in db.run(connection, "cohort/days")}


def _day_line(engine: sa.Engine, as_of: date) -> str:
    with engine.connect() as connection:
        rows = db.run(connection, "cohort/count_day", as_of=as_of).all()
    due = sum(row.contacts for row in rows)
    sends = ", ".join(f"{row.contacts:,} {row.step}" for row in rows if row.action == "send")
    held = sum(row.contacts for row in rows if row.action != "send")
    return f"{as_of}: {due:,} contacts due; written to: {sends or 'nobody'}; not: {held:,}"


def _show(runner: DayRunner, screen: Screen) -> None:
    policy = runner.policy
    with runner.engine.connect() as connection:
        totals = db.run(
            connection, "outcome/totals", attribution_days=policy.attribution_days
        ).all()
        ended = db.run(connection, "outcome/ended").all()
        reasons = db.run(connection, "cohort/reasons").all()
        contact_id = db.run(connection, "outcome/good_story").scalar()
        story = (
            db.run(
                connection, "outcome/story", contact_id=contact_id, time_zone=policy.brand.time_zone
            ).all()
            if contact_id
            else []
        )
    screen.say()
    screen.say(f"{len(DAYS)} days, {DAYS[0]} to {DAYS[-1]}, by step")
    screen.say(_table([row for row in totals if not row.is_open], policy))
    screen.say()
    if left := [row for row in totals if row.is_open]:
        screen.say(f"so far, of days whose {policy.attribution_days} days to click and come back")
        screen.say("are not over: never to be mixed with those above into a share")
        screen.say(_table(left, policy))
        screen.say()
    if policy.entry == "in_order":
        screen.say(
            "Everybody begins with the survey, however long they have been quiet; the contest"
        )
        screen.say("and the coupon follow thirty days apart (entry: in_order), so that nobody's")
        screen.say("first word is a coupon. On the first day all are new, on later days few are.")
        screen.say()
    screen.say("Returns within 30 days include invented purchases of simulated recipients, which")
    screen.say("only texted people make: they show the counting, and say nothing of an effect.")
    screen.say()
    screen.say("Why contacts who were due were not written to")
    for row in reasons:
        screen.say(f"  {row.reason:<28}{row.contacts:>8,}")
    screen.say()
    screen.say("How the episodes that are over ended")
    for row in ended:
        screen.say(f"  {row.outcome:<28}{row.contacts:>8,}")
    if story:
        screen.say()
        screen.say(f"One contact's story (contact {contact_id})")
        for row in story:
            lines = textwrap.wrap(row.what, 84)
            screen.say(f"  {row.happened_on}  {lines[0]}")
            for line in lines[1:]:
                screen.say(f"  {'':<12}{line}")
    screen.say()
    screen.say("Next:")
    screen.say(
        '  make up                       the page "Re-engagement" in Airflow, with all of this'
    )
    screen.say("  make psql                     the tables: SELECT * FROM cohort.decision LIMIT 5;")
    day = DAYS[-1] + timedelta(1)
    screen.say(f"  make day AS_OF={day}      the next day, and so on")
    if contact_id:
        screen.say(f"  make why CONTACT={contact_id:<13}the story above, and where they stand")
    screen.say(f"  make replay FROM=1997-03-01 TO={DAYS[-1]}")
    screen.say("  make clean                    to begin anew")


def _table(totals: Sequence[sa.Row[Any]], policy: Policy) -> str:
    cost = f"cost, {policy.brand.currency}"
    head = ("step", "arm", "due", "sent", "delivered", "clicked", "returned", "opted out", cost)
    lines = ["  {:<9}{:<11}{:>7}{:>8}{:>11}{:>8}{:>10}{:>11}{:>11}".format(*head)]
    order = [step.name for step in policy.steps]
    for row in sorted(totals, key=lambda r: (order.index(r.step), r.arm)):
        figures = (row.due, row.sent, row.delivered, row.opened, row.returned, row.opted_out)
        shown = [f"{figure:,}" for figure in figures]
        if row.arm == "control":
            shown[1:4] = ["-"] * 3
            shown[5] = "-"
        lines.append(
            "  {:<9}{:<11}{:>7}{:>8}{:>11}{:>8}{:>10}{:>11}{:>11}".format(
                row.step, row.arm, *shown, f"{row.cost:,.2f}" if row.arm != "control" else "-"
            )
        )
    return "\n".join(lines)
