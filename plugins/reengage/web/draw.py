"""`make draw`: a contest is drawn, and what anybody needs to check the draw is written down."""

import csv
import sys
from pathlib import Path

from sqlalchemy.engine import Connection, Engine

from reengage import db, spreadsheet
from reengage.journey import simulation
from reengage.policy import Policy
from reengage.settings import settings
from reengage.web import contest


def run_draw(engine: Engine, policy: Policy, name: str) -> None:
    """Draw a contest, once, and write its winners and its tickets to `$REENGAGE_HOME/draws`. Raises
    ReengageError where it cannot be drawn yet.
    """
    made = contest.make_draw(engine, policy, name, simulation.clock(engine, policy)())
    folder = settings().home / "draws"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    winners, tickets = folder / f"{name}-winners.csv", folder / f"{name}-tickets.txt"
    with engine.connect() as connection:
        _write_winners(connection, winners, made)
    tickets.write_text("".join(f"{ticket}\n" for ticket in made.tickets), encoding="utf-8")
    said = "" if made.is_new else "; it was drawn before, and stays as it was"
    sys.stdout.write(
        f"Contest {name}: {len(made.winners):,} of {len(made.tickets):,} tickets win{said}.\n"
        f"Drawn at     {made.drawn_at:%Y-%m-%d %H:%M:%S %Z}\n"
        f"Fingerprint  {made.commitment}\n"
        f"Seed         {made.seed}\n"
        f"Tickets      {tickets}\n"
        f"             SHA-256, sorted: {made.digest}\n"
        f"Winners      {winners}\n"
        "How to check it: docs/contest.md.\n"
    )


def _write_winners(connection: Connection, file: Path, made: contest.Draw) -> None:
    sources = db.run(connection, "story/id_sources").scalars().all()
    found = db.run(connection, "story/source_ids", contact_ids=[who for who, *_ in made.winners])
    ids = {row.contact_id: spreadsheet.id_cells(row.ids, sources) for row in found}
    with file.open("w", encoding="utf-8", newline="") as out:
        lines = csv.writer(out)
        lines.writerow(["contact_id", "ticket", "place", *spreadsheet.id_names(sources)])
        lines.writerows([*winner, *ids[winner[0]]] for winner in made.winners)
