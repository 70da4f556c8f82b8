"""What a page shows: a day from "due" to "delivered", its messages, one contact."""

from collections.abc import Callable, Sequence
from datetime import date
from math import ceil
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, Field

from reengage import db
from reengage.errors import ConfigurationError, ReengageError
from reengage.marketer import story
from reengage.marketer.words import ENDS, Words
from reengage.policy import Policy


class Missing(ReengageError):
    """What was asked for is not there: a day, a contact, a reason."""


class Cell(BaseModel):
    """A cell of the day's table: a day, and of step, action and reason those that narrow it."""

    day: date
    step: str | None = Field(None, pattern="^[a-z][a-z0-9_]*$")
    action: str | None = None
    reason: str | None = None
    after: int | None = Field(None, ge=0, lt=2**63)

    def check(self, words: Words) -> None:
        """Raises Missing for an action or reason that does not exist."""
        actions, reasons = words["cohort.action"], words["cohort.reason"]
        if self.action not in {None, *actions} or self.reason not in {None, *reasons}:
            raise Missing("There is no such action or reason. Start from Days.")

    @property
    def chosen(self) -> tuple[str | None, ...]:
        return self.step, self.action, self.reason

    @property
    def binds(self) -> dict[str, Any]:
        return {"day": self.day, "step": self.step, "action": self.action, "reason": self.reason}


class Waterfall:
    """A day from "due" down to "delivered", by step, beside the day before."""

    def __init__(self, lines: Sequence[sa.Row[Any]], ladder: list[str]) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        for line in lines:
            row = self.rows.setdefault(
                line.stage,
                {
                    "stage": line.stage,
                    "action": None,
                    "cells": {},
                    "all": 0,
                    "left": 0,
                    "before": None,
                },
            )
            row["cells"][line.step] = line.contacts
            row["action"] = line.action or row["action"]
            row["all"] += line.contacts
            row["left"] += line.left_over
            if line.previous_contacts is not None:
                row["before"] = (row["before"] or 0) + line.previous_contacts
        first = self.rows.get("dormant", {"cells": {}, "all": 0})
        self.steps = sorted(first["cells"], key=placing(ladder))
        self.due_by_step = first["cells"]
        self.due = first["all"]
        reasons = [row for stage, row in self.rows.items() if stage not in ("dormant", *ENDS)]
        # A reason of the day before stays, so that it is seen to be gone.
        self.held_rows = [row for row in reasons if row["all"] or row["before"]]
        self.absent = [row["stage"] for row in reasons if not (row["all"] or row["before"])]
        self.chosen = self._all("due")
        self.sent = self._all("sent")
        self.control = self._all("control")
        self.skipped = sum(row["all"] for row in reasons if row["action"] == "skip")
        self.held = self.due - self.chosen - self.skipped - self.control

    def _all(self, stage: str) -> int:
        return int(self.rows[stage]["all"]) if stage in self.rows else 0


class Statuses:
    """A day's messages by status and step."""

    def __init__(self, counts: Sequence[sa.Row[Any]]) -> None:
        self.rows: dict[str, dict[str, int]] = {}
        for count in counts:
            self.rows.setdefault(count.status, {})[count.step] = count.messages
        self.by_status = {status: sum(cells.values()) for status, cells in self.rows.items()}
        self.all = sum(self.by_status.values())


def latest_day(connection: sa.Connection) -> date:
    latest: date | None = db.run(connection, "marketer/days").scalars().first()
    if latest is None:
        raise Missing("No day has been decided yet.")
    return latest


def count_barely_active(connection: sa.Connection, wanted: dict[str, Any]) -> int:
    return int(db.run(connection, "marketer/count_barely_active", **wanted).scalar_one())


def reach_days(policy: Policy) -> int:
    """No contact's first step is more days away from their last sign of life than this."""
    thresholds = policy.thresholds
    days = max(behaviour.days[0] for behaviour in policy.behaviours) * thresholds.scale
    days *= max([1.0, *thresholds.lifecycle.values()])
    if thresholds.rhythm:
        days = max(days, thresholds.rhythm.at_most_days)
    return ceil(days)


def standing_of(
    connection: sa.Connection, policy: Callable[[], Policy], contact_id: int
) -> str | None:
    """Where a contact stands, as a sentence; None without a readable policy."""
    try:
        return story.standing(connection, policy(), contact_id)
    except ConfigurationError:
        return None


def bodies_of(messages: Sequence[sa.Row[Any]]) -> dict[Any, str]:
    """The texts by message, without the codes of their links."""
    found = {}
    for message in messages:
        body = message.body
        for code in message.link_codes:
            body = body.replace(code, "…")
        found[message.message_id] = body
    return found


def placing(ladder: list[str]) -> Callable[[str], tuple[int, str]]:
    """A sort key: steps as the policy orders them; those it no longer knows come last."""
    return lambda step: (ladder.index(step) if step in ladder else len(ladder), step)
