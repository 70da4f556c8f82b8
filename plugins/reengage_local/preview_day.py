"""`make preview`: what a day would come to, decided on the home's warehouse and taken back."""

import os
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from reengage import db
from reengage.clock import SimulatedClock, wall_clock
from reengage.errors import ReengageError
from reengage.ingest import quality
from reengage.ingest.sources import Source, read_sources
from reengage.ingest.sources.connectors import connect
from reengage.journey import cohort, preview, simulation
from reengage.marketer.story import REHEARSAL
from reengage.policy import Policy, read_policy
from reengage.settings import LINKS_VARIABLE, settings
from reengage_local.day import SENDS_AT, after
from reengage_local.stack import warehouse

ANY_PORT = 50_000  # as long as the one that a first run will choose
ENDS = {
    "send": "a real run would send this.",
    "ask": "a real run would ask a person before it sends this.",
    "stop": "a real run would stop here and send nothing.",
}


def run_preview(as_of: date, audience: Path | None = None) -> None:
    """Show the day. audience: a CSV file for everybody who is decided. Raises ReengageError."""
    policy, engine, sources = read_policy(), warehouse(hashes=True), read_sources()
    simulation.check_step(engine, policy, as_of)
    clock = SimulatedClock(_moment(policy, as_of))
    late, unread = _late(engine, policy, sources, as_of), _unread(engine, sources)
    found = preview.preview(engine, policy, as_of, clock, _link_base(policy), audience)
    at = clock().astimezone(policy.brand.zone)
    if policy.mode == "sandbox":
        print(REHEARSAL)
    print(
        f"The day {as_of}, as if decided on {at:%Y-%m-%d at %H:%M} ({policy.brand.time_zone}), "
        "with what is loaded. Nothing is kept, nothing is sent."
    )
    end = ["", _end(found, is_late=bool(late))]
    for line in [*late, *unread, "", *preview.lines(found, policy), *end]:
        print(line)
    if audience is not None:
        print(f"Everybody who is due: {audience}")


def _end(found: preview.Plan, is_late: bool) -> str:
    """What a real run would do, in a sentence."""
    if found.done:
        return f"The day is decided already, and {found.done}: a run changes nothing of it."
    would = ENDS[found.ruling] if found.sends else "a real run would write to nobody."
    return f"Were the data all in, {would}" if is_late else would.capitalize()


def _moment(policy: Policy, as_of: date) -> datetime:
    """When the day would be decided: at 10:00 after it, as `make day` does, or now, where that is
    later on the same day. In UTC.
    """
    ten, now = after(as_of, SENDS_AT, policy), wall_clock()
    is_today = now.astimezone(policy.brand.zone).date() == as_of + timedelta(days=1)
    return max(ten, now) if is_today else ten


def _late(engine: sa.Engine, policy: Policy, sources: list[Source], as_of: date) -> list[str]:
    """What the gates of freshness and of unknown ids say; in a preview they end nothing."""
    try:
        cohort.check_fresh(engine, sources, as_of)
        quality.check_known(engine, sources, policy, as_of)
    except ReengageError as error:
        return ["", f"A real run would stop before it decides: {error}"]
    return []


def _unread(engine: sa.Engine, sources: list[Source]) -> list[str]:
    """That files are there which are not loaded as they are now."""
    with engine.connect() as connection:
        known = {
            (row.source, row.path): (row.size_bytes, row.modified_at)
            for row in db.run(connection, "raw/last_readings")
        }
    newer, now = [], wall_clock()
    for source in sources:
        connector = connect(source, ZoneInfo("UTC"))
        if connector.is_live:  # there is always more
            continue
        for part in connector.parts(None, now):
            if known.get((source.source, part.address)) != connector.stamp(part, now):
                newer.append(f"{source.name}: {part.name}")
    if not newer:
        return []
    are = "1 file is new or has" if len(newer) == 1 else f"{len(newer):,} files are new or have"
    return [
        "",
        f"{are} changed and not in this preview, for example {newer[0]}: `make day` or "
        "reengage_ingest loads that first.",
    ]


def _link_base(policy: Policy) -> str:
    """Where the links of a real run would point: their length is part of the texts'."""
    if base := policy.brand.link_domain or os.environ.get(LINKS_VARIABLE):
        return base.rstrip("/")
    file = settings().home / "ports" / "web"
    port = file.read_text(encoding="utf-8").strip() if file.exists() else ANY_PORT
    return f"http://127.0.0.1:{port}"
