"""Days through the real DAGs, in this process, on a simulated clock, with simulated recipients."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa

from reengage import db
from reengage.clock import SimulatedClock
from reengage.errors import ConfigurationError, ReengageError
from reengage.journey import gates, preview, release, simulation
from reengage.policy import Policy, read_policy
from reengage.settings import settings
from reengage_local import airflow
from reengage_local.postgres import EmbeddedServer
from reengage_local.sandbox import Recipients
from reengage_local.stack import SEED, Screen, Services, alone, warehouse

SENDS_AT = time(10)
CLOSES_AT = time(22)
MOST_ROUNDS = 24


class DayRunner:
    """Runs one day after another: ingest, journey, send, outcomes.

    The clock stands at 10:00 of the brand's time on the day after as_of, and moves on to the hours
    in which the recipients may be texted; outcomes are written at 22:00.
    """

    def __init__(
        self,
        engine: sa.Engine,
        policy: Policy,
        services: Services,
        dags: airflow.Dags,
        clock: SimulatedClock,
        screen: Screen,
    ) -> None:
        self.engine = engine
        self.policy = policy
        self.dags = dags
        self.clock = clock
        self.screen = screen
        self.recipients = Recipients(
            settings().sandbox, SEED, services.web.url, self._identify, clock, policy.brand.currency
        )

    def run(self, as_of: date, approve: str = "") -> None:
        """One day. Safe to run twice, and after a kill anywhere.

        approve: the answer, yes or no, where the policy has a person asked. Raises RunFailed, with
        why, and ReengageError for a day that waits for an answer.
        """
        self.screen.status(f"{as_of}: what the recipients did meanwhile")
        self.recipients.live(self._at(as_of, SENDS_AT))
        self._dag("reengage_ingest", as_of)
        self._dag("reengage_journey", as_of, approve=approve)
        if gates.waits(self.engine, as_of):
            self._ask(as_of)
        self._send(as_of)
        self.recipients.live(max(self._at(as_of, CLOSES_AT), self.clock()))
        self._dag("reengage_outcomes", as_of)

    def _ask(self, as_of: date) -> None:
        """Show the day that a person is to decide on, and how. Raises ReengageError."""
        with self.engine.begin() as connection:
            found = preview.plan(connection, self.policy, as_of, self.clock())
        for line in ["", *preview.lines(found, self.policy)]:
            self.screen.say(line)
        raise ReengageError(
            f"{as_of} waits for a person, and nothing of it is sent.\n"
            f"  make day AS_OF={as_of} APPROVE=yes   sends it\n"
            f"  make day AS_OF={as_of} APPROVE=no    cancels it"
        )

    def _send(self, as_of: date) -> None:
        """Send until nothing is left that may ring on this day, moving the clock as it may."""
        for _ in range(MOST_ROUNDS):
            self._dag("reengage_send", as_of)
            with self.engine.connect() as connection:
                pending = db.run(connection, "outbox/pending").one()
            if not pending.queued or pending.last_not_before <= self.clock():
                return
            # To when all of them may ring, if they can at once; else to when the next one may.
            evening = self._at(as_of, CLOSES_AT)
            later = pending.last_not_before
            if later > evening:
                later = pending.first_not_before
            if not self.clock() < later < self._at(as_of + timedelta(days=1), SENDS_AT):
                return  # what may not ring before the next day begins waits for it
            self.clock.move_to(later)

    def _dag(self, dag_id: str, as_of: date, **conf: str) -> None:
        self.screen.status(f"{as_of}: {dag_id}")
        self.dag(dag_id, as_of=as_of.isoformat(), now=self.clock().isoformat(), **conf)

    def dag(self, dag_id: str, **conf: str) -> None:
        """One run of a DAG with this configuration. Raises RunFailed: which task, and why."""
        self.screen.problems.clear()
        try:
            self.dags.run(dag_id, conf)
        except airflow.RunFailed as failure:
            why = "\n".join(dict.fromkeys(self.screen.problems))
            raise airflow.RunFailed(
                f"{failure}\n{why}".strip() + f"\nThe whole log: {self.screen.file}"
            ) from failure

    def _at(self, as_of: date, hour: time) -> datetime:
        return after(as_of, hour, self.policy)

    def _identify(self, phone: str) -> tuple[str, str] | None:
        """Who buys with a phone: the sandbox's purchases carry a source's id, not a number."""
        with self.engine.connect() as connection:
            row = db.run(connection, "core/who_has_phone", phone=phone).first()
        return (row.first_source, row.first_source_contact_id) if row else None


def after(as_of: date, hour: time, policy: Policy) -> datetime:
    """An hour, in the brand's time, of the day after as_of; in UTC."""
    return datetime.combine(as_of + timedelta(days=1), hour, policy.brand.zone).astimezone(UTC)


@contextmanager
def day_runner(what: str, first: date) -> Iterator[tuple[DayRunner, Screen]]:
    """Everything that days need, from nothing: server, schema, Airflow, sandbox, link service.

    Raises PlaysThePast where the first of them would end the past that the home plays.
    """
    with alone(what), Screen(what) as screen:
        policy = read_policy()
        server = EmbeddedServer(settings().home)
        screen.status(
            "Starting the server and Airflow" if airflow.is_prepared() else airflow.FIRST_START
        )
        server.start()
        engine = warehouse(hashes=True)
        simulation.check_step(engine, policy, first)
        airflow.prepare(server)
        clock = SimulatedClock(after(first, SENDS_AT, policy))
        with Services(engine, policy, clock) as services:
            dags = airflow.Dags()
            screen.listen()
            yield DayRunner(engine, policy, services, dags, clock, screen), screen


def run_day(as_of: date, approve: str = "") -> None:
    """`make day`: one day, and what it came to, on the terminal. approve: yes or no, the answer
    where the policy has a person asked. Raises ReengageError.
    """
    if approve not in ("", "yes", "no"):
        raise ConfigurationError(f"APPROVE is yes or no, not {approve!r}.")
    if approve and read_policy().approval == "never":
        raise ConfigurationError(
            "This policy asks nobody (approval: never), so there is nothing to answer: leave "
            "APPROVE away, or set approval: always."
        )
    with day_runner("day", as_of) as (runner, screen):
        screen.say(
            f"The day {as_of}, decided on {as_of + timedelta(days=1)} at 10:00 "
            f"({runner.policy.brand.time_zone})."
        )
        runner.run(as_of, approve)
        for line in report(runner.engine, as_of, screen.notes):
            screen.say(line)


def report(engine: sa.Engine, as_of: date, notes: list[str]) -> list[str]:
    """What a day came to, as lines: the loads, the decisions, the gates, the messages."""
    with engine.connect() as connection:
        verdicts = gates.recorded(connection, as_of)
        loads = db.run(connection, "raw/loads_of_day", as_of=as_of).all()
        decisions = db.run(connection, "cohort/count_day", as_of=as_of).all()
    unknown = [row for row in loads if row.rows_unknown]
    lines = ["", "Of nobody known: who bought so looks quiet"] if unknown else []
    lines += [
        f"  {f'{row.source} ({row.entity})':<26}{row.rows_unknown:>9,} of {row.rows_loaded:,} rows"
        f" ({row.rows_unknown / row.rows_loaded:.0%})"
        for row in unknown
    ]
    lines += ["", "Data"]
    lines += [
        f"  {f'{row.source} ({row.entity})':<26}{row.rows_loaded:>9,} rows taken"
        + (f", {row.rows_rejected:,} rejected" if row.rows_rejected else "")
        + (f", {row.rows_taken_back:,} taken back" if row.rows_taken_back else "")
        + (f", {row.fields_emptied:,} fields emptied" if row.fields_emptied else "")
        + (f", {row.rows_waiting:,} wait for their day" if row.rows_waiting else "")
        for row in loads
    ]
    lines += [f"  note: {note}" for note in dict.fromkeys(notes)]
    lines += ["", "Decisions"]
    lines += [
        f"  {row.step:<10}{row.action:<6}{row.reason:<18}{row.contacts:>9,}" for row in decisions
    ] or ["  nobody was due"]
    if verdicts:
        lines += ["", "Gates"]
        lines += [f"  {v.gate:<14}{'open' if v.is_open else 'closed':<8}{v.said}" for v in verdicts]
    found = release.statuses(engine, as_of)
    if found:
        lines += ["", "Messages"]
        lines += [f"  {step:<10}{status:<24}{n:>9,}" for (step, status), n in found.items()]
    return lines
