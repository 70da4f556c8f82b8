"""A retailer's folder, taken through days as the DAGs' tasks do it: files, core, decisions, gates,
texts, outcomes. Left out are Airflow, Great Expectations (seconds a day), and the provider.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import yaml

from reengage import db
from reengage.clock import SimulatedClock
from reengage.errors import DayStopped, ReengageError
from reengage.ingest import core, quality
from reengage.ingest.sources import read_sources
from reengage.ingest.sources.load import load_source
from reengage.journey import cohort, gates, release
from reengage.outcome import outcomes
from reengage.policy import Policy, read_policy
from reengage.sending import incoming, outbox
from reengage.sending.providers.words import Answer, Outcome, Outgoing, Reply, Told

SHIPPED = Path("include/journey.yaml").resolve()
# A case is about its own days: nobody is drawn into the control group, and the highest step counts.
ALWAYS = {"control": {"share": 0}, "entry": "by_days"}
LINKS = "http://127.0.0.1:1/r"


@dataclass
class Phones:
    """A provider that takes every text, and remembers it. inbox: replies not yet told."""

    name: str = "infobip"
    title: str = "Infobip"
    max_batch: int = 1000
    log_hours: float = 48.0
    spread_seconds: float = 0.0
    knows_our_ids: bool = True
    prices_late: bool = False
    tells_replies: bool = True
    tells_once: bool = True
    is_sandbox: bool = True
    arrival: timedelta = timedelta(0)
    taken: list[Outgoing] = field(default_factory=list)
    inbox: list[Reply] = field(default_factory=list)

    def limits(self, _: str) -> dict[str, float | None]:
        return {"phones": None}

    def send(self, bulk_id: str, outgoing: list[Outgoing], *_: Any, **__: Any) -> list[Answer]:
        self.taken += outgoing
        return [Answer(one.message_id, Outcome.ACCEPTED) for one in outgoing]

    def log(self, *_: Any, **__: Any) -> list[Any]:
        return []

    def receipts(self, *_: Any, **__: Any) -> list[Any]:
        return []

    def reply_pages(self, _: str) -> Iterator[Told]:
        told, self.inbox = self.inbox, []
        yield Told(replies=told)


@dataclass(frozen=True)
class Day:
    """What a day came to. texted: step by card (the contact's first id); decided: "action reason"
    by card; notes: of its loads; stopped: why it stopped, or None.
    """

    texted: dict[str, str]
    decided: dict[str, str]
    notes: tuple[str, ...]
    stopped: str | None


class Retailer:
    """A retailer with sources (YAML files in folder/sources) and their files, in a warehouse.

    policy: changes of the shipped policy, merged into it key by key.
    """

    def __init__(
        self, engine: sa.Engine, folder: Path, policy: Mapping[str, Any] | None = None
    ) -> None:
        self.engine = engine
        self.folder = folder
        said = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
        file = folder / "journey.yaml"
        file.write_text(
            yaml.safe_dump(_merged(_merged(said, ALWAYS), policy or {}), allow_unicode=True),
            encoding="utf-8",
        )
        self.policy: Policy = read_policy(file)
        self.clock = SimulatedClock(datetime(1990, 1, 1, tzinfo=UTC))
        self.phones = Phones()

    def day(self, as_of: date) -> Day:
        """One day: loaded and decided on as_of + 1 at 10:00 of the brand's time, sent when phones
        may ring, closed at 22:00.
        """
        day = self.morning(as_of)
        self.evening(as_of)
        return day

    def morning(self, as_of: date) -> Day:
        """A day up to its texts."""
        notes: list[str] = []
        stopped = None
        self.clock.move_to(self.at(as_of, 10))
        incoming.take_replies(self.engine, self.phones, self.policy, self.clock)  # as all day long
        try:
            self._load(as_of, notes)
            self._decide(as_of)
        except ReengageError as error:
            stopped = str(error)
        self._send(as_of)
        return Day(self._texted(as_of), self._decided(as_of), tuple(notes), stopped)

    def evening(self, as_of: date) -> None:
        """The end of a day: receipts and replies, outcomes."""
        self.clock.move_to(max(self.clock(), self.at(as_of, 22)))
        incoming.poll(self.engine, self.phones, self.policy, self.clock)
        outcomes.write(self.engine, self.policy, as_of, self.clock)

    def at(self, as_of: date, hour: int) -> datetime:
        """The hour of the brand's day after as_of."""
        on = as_of + timedelta(days=1)
        return datetime.combine(on, time(hour), self.policy.brand.zone).astimezone(UTC)

    def sql(self, text: str, **binds: Any) -> list[Any]:
        """What a statement returns."""
        with self.engine.begin() as connection:
            result = connection.execute(sa.text(text), binds)
            return list(result) if result.returns_rows else []

    def _load(self, as_of: date, notes: list[str]) -> None:
        sources = read_sources(self.folder / "sources")
        loads = [load_source(self.engine, s, self.policy, as_of, self.clock) for s in sources]
        notes += [note for load in loads for note in load.notes]
        if problems := [load.problem for load in loads if load.problem]:
            raise DayStopped("\n".join(problems))
        for load in loads:
            core.take(self.engine, load.source, load.load_id, as_of, self.policy, self.clock)
        notes += quality.tell_strangers(self.engine, sources, self.policy, as_of)
        cohort.check_fresh(self.engine, sources, as_of)
        quality.check_known(self.engine, sources, self.policy, as_of)

    def _decide(self, as_of: date) -> None:
        cohort.decide(self.engine, self.policy, as_of, self.clock, LINKS)
        gates.pass_or_stop(self.engine, self.policy, as_of, self.clock)
        for step in self.policy.steps:
            release.release(self.engine, self.policy, as_of, step.name, self.clock())

    def _send(self, as_of: date) -> None:
        while True:
            incoming.take_replies(self.engine, self.phones, self.policy, self.clock)
            outbox.Sender(self.engine, self.phones, self.policy, self.clock).run()
            with self.engine.connect() as connection:
                pending = db.run(connection, "outbox/pending").one()
            if not pending.queued or pending.last_not_before <= self.clock():
                return
            if pending.first_not_before >= self.at(as_of + timedelta(days=1), 10):
                return
            self.clock.move_to(max(self.clock(), pending.first_not_before))

    def _texted(self, as_of: date) -> dict[str, str]:
        ids = [one.message_id for one in self.phones.taken]
        rows = self.sql(
            "SELECT contact.first_source_contact_id AS card, message.step FROM outbox.message"
            " INNER JOIN core.contact USING (contact_id)"
            " WHERE message.as_of = :as_of AND CAST(message_id AS text) = ANY(:ids)",
            as_of=as_of,
            ids=ids,
        )
        return {row.card: row.step for row in rows}

    def _decided(self, as_of: date) -> dict[str, str]:
        rows = self.sql(
            "SELECT contact.first_source_contact_id AS card, action || ' ' || reason AS what"
            " FROM cohort.decision INNER JOIN core.contact USING (contact_id)"
            " WHERE as_of = :as_of",
            as_of=as_of,
        )
        return {row.card: row.what for row in rows}


def _merged(said: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """said with changes, mapping by mapping; anything else replaces what was there."""
    return {**said} | {
        key: _merged(said[key], value)
        if isinstance(value, Mapping) and isinstance(said.get(key), Mapping)
        else value
        for key, value in changes.items()
    }


def opened(case: Path, folder: Path) -> Path:
    """A copy of a case's sources in `folder`, with an empty data folder beside them."""
    shutil.copytree(case / "sources", folder / "sources")
    (folder / "data").mkdir()
    return folder
