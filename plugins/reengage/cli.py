"""The commands of an installation: `reengage COMMAND`. `make help` explains them."""

import argparse
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from datetime import date
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from reengage.errors import ConfigurationError, ReengageError, SourceError
from reengage.settings import WAREHOUSE_VARIABLE, given, keep_private, settings

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

LOCAL_PACKAGE = "reengage_local"
LOCAL = f"{LOCAL_PACKAGE}.commands"
MOST_TRIED = 10_000  # rows of each source's newest file that a check of the policy reads
FEW_TRIED = 200  # the same of a database or an interface


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code. An error of ours is told in its own words."""
    parser = argparse.ArgumentParser(prog="reengage", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], None], *options: str, **defaults: str
    ) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
        for option in options:
            default = defaults.get(option)
            one.add_argument(f"--{option}", required=default is None, default=default)
        one.set_defaults(run=run)
        return one

    command("policy", _policy)
    command("sources", _sources, "find", find="")
    command("source-new", _source_new, "name")
    command("source-check", _source_check, "name", "rows", rows="10000")
    command("coupons", _coupons, "pool", "csv", pool="", csv="")
    command("draw", _draw, "contest")
    command("experiment", _experiment, "name", "csv", "control")
    command("why", _why, "contact", "as-of", **{"as-of": ""})
    audit = command("audit", _audit, "share", share="1")
    audit.add_argument("--repair", action="store_true")
    command("judge", _judge)
    command("migrate", _migrate)
    rotate_key = command("rotate-key", _rotate_key)
    rotate_key.add_argument("--new", action="store_true")
    rotate_key.add_argument("--lost", action="store_true")
    command(
        "web",
        _web,
        "host",
        "port",
        "workers",
        host="127.0.0.1",
        port="8000",
        workers=os.environ.get("REENGAGE_WEB_WORKERS") or "1",
    )
    if (local := _local()) is not None:
        local.add(command)
    parsed = parser.parse_args(arguments)
    try:
        if not getattr(parsed.run, "is_for_everybody", False):
            keep_private()
        parsed.run(parsed)
    except ReengageError as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _local() -> ModuleType | None:
    """What a laptop has beside: more commands, and a warehouse that is started when it is asked
    for. An installation may leave it out, and then has neither.
    """
    return importlib.import_module(LOCAL) if importlib.util.find_spec(LOCAL_PACKAGE) else None


def _warehouse() -> "Engine":
    """The warehouse of this installation, at the newest schema."""
    from reengage import db, objects

    if (local := _local()) is not None:
        engine: Engine = local.warehouse()
        return engine
    engine = db.engine()
    objects.keep_up(engine)
    return engine


def _existing_warehouse() -> "Engine | None":
    """The warehouse as it is; None where none was made yet."""
    from reengage import db

    if (local := _local()) is not None:
        engine: Engine | None = local.existing_warehouse()
        return engine
    return db.engine() if given(WAREHOUSE_VARIABLE) else None


def parse_day(text: str) -> date:
    """A day that somebody typed. Raises ReengageError."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ReengageError(
            f"{text!r} is no day: type it like make day AS_OF=1997-09-30."
        ) from error


def _draw(given: argparse.Namespace) -> None:
    """draw a contest after its close, once"""
    from reengage.policy import read_policy
    from reengage.web.draw import run_draw

    run_draw(_warehouse(), read_policy(), given.contest)


def _policy(_: argparse.Namespace) -> None:
    """check the policy, its texts, pages, hours and words, and the sources"""
    from sqlalchemy.exc import SQLAlchemyError

    from reengage import hours
    from reengage.clock import wall_clock
    from reengage.ingest.sources import deletions, read_sources, zone_of
    from reengage.ingest.sources.connectors import connect
    from reengage.ingest.sources.records import Notes
    from reengage.phones import numbers
    from reengage.policy import read_policy, remarks
    from reengage.sending import replies
    from reengage.texts.messages import Templates
    from reengage.web.pages import Pages

    policy = read_policy()
    hours.check(policy.hours)
    replies.words()
    numbers.forms()
    Templates(policy)
    Pages(policy)
    ladder = ", ".join(f"{step.name} at {step.after_days} days" for step in policy.steps)
    sys.stdout.write(f"{settings().policy}: version {policy.version}; {ladder}\n")
    noted = remarks.of_policy(policy)
    try:
        if (engine := _existing_warehouse()) is not None:
            with engine.connect() as connection:
                noted += remarks.of_contacts(connection, policy)
    except SQLAlchemyError as error:
        noted.append(f"the warehouse could not be asked about it ({type(error).__name__})")
    for remark in noted:
        sys.stdout.write(f"{settings().policy}: {remark}\n")
    wrong = []
    for source in read_sources():
        connector = connect(source, zone_of(source, policy))
        most = FEW_TRIED if connector.is_live else MOST_TRIED
        try:
            found = connector.parts(None, wall_clock())
            said = f"{len(found):,} file(s)" if found else "no file there yet"
            for part in found[-1:]:
                # To the end of a small one: of JSON the keys are known when its rows are.
                rows = sum(1 for _ in islice(connector.read(part, Notes()), most))
            if connector.is_live:
                said = f"answers, with {rows:,} rows{' and more' if rows == most else ''}"
        except (ConfigurationError, SourceError) as error:
            said = str(error)
            wrong.append(said)
        sys.stdout.write(f"{source.name}: {connector.where}: {said}\n")
        if unseen := deletions.remark(source):
            sys.stdout.write(f"{source.name}: {unseen}\n")
    if wrong:
        raise SourceError("Mend the sources above before a day is run.")


def _sources(given: argparse.Namespace) -> None:
    """the ready sources, to copy; with a word, those that say it"""
    from reengage.ingest.sources import catalogue

    for line in catalogue.listed(given.find):
        sys.stdout.write(f"{line}\n")


def _source_new(given: argparse.Namespace) -> None:
    """copy a ready source to this installation's"""
    from reengage.ingest.sources import catalogue

    target = catalogue.copy(given.name)
    sys.stdout.write(
        f"{target} is yours to edit: write its path, and look at each line. Then make policy, and"
        " make source-check NAME=… with its source.\n"
    )


def _source_check(given: argparse.Namespace) -> None:
    """what a source would come to, column by column; nothing is loaded"""
    from sqlalchemy.exc import SQLAlchemyError

    from reengage.clock import wall_clock
    from reengage.ingest.sources import read_sources, trial, zone_of
    from reengage.ingest.sources.connectors import connect
    from reengage.policy import read_policy

    policy, sources = read_policy(), read_sources()
    wanted = [source for source in sources if given.name in (source.source, source.entity)]
    if not wanted:
        names = ", ".join(dict.fromkeys(source.source for source in sources))
        raise ConfigurationError(
            f"There is no source {given.name or 'without a name'}: make source-check NAME=… with "
            f"one of {names}."
        )
    if not given.rows.isdecimal():
        raise ConfigurationError(f"ROWS is a whole number, like 10000, not {given.rows!r}.")
    longest = max(step.after_days for step in policy.steps)
    engine = _existing_warehouse()
    for source in wanted:
        connector = connect(source, zone_of(source, policy))
        tried = trial.Trial(connector, policy, wall_clock(), int(given.rows))
        unknown = None
        if engine is not None and tried.named:
            try:
                with engine.connect() as connection:
                    unknown = tried.unknown(connection)
            except SQLAlchemyError as error:
                why = f"the warehouse could not be asked who is known ({type(error).__name__})"
                tried.told.append(why)
        for line in trial.report(tried, unknown, longest):
            sys.stdout.write(f"{line}\n")


def _coupons(given: argparse.Namespace) -> None:
    """the stock of the coupon pools; with a file, add its codes to one"""
    from reengage.journey import simulation
    from reengage.policy import read_policy
    from reengage.texts import coupons, uploads

    if given.csv and not given.pool:
        raise ConfigurationError("Say which pool the codes are for: make coupons POOL=spring CSV=…")
    policy, engine = read_policy(), _warehouse()
    if given.csv:
        added = uploads.upload(
            engine, given.pool, Path(given.csv), simulation.clock(engine, policy)()
        )
        sys.stdout.write("\n".join(added.lines(given.csv)) + "\n\n")
        if added.is_in_vain:
            why = "every line of it was refused" if added.rows else "there is no code in it"
            raise SourceError(f"Nothing of {given.csv} was added to the pool {given.pool}: {why}.")
    with engine.connect() as connection:
        sys.stdout.write("\n".join(coupons.lines(connection, policy, given.pool)) + "\n")


def _experiment(given: argparse.Namespace) -> None:
    """load an experiment from a file and compare its groups"""
    from reengage.journey import simulation
    from reengage.outcome import experiments
    from reengage.policy import read_policy

    if not given.name or not given.csv:
        raise ConfigurationError(
            "Say how it is called and where it is: make experiment NAME=spring_mails CSV=mails.csv"
        )
    policy, engine = read_policy(), _warehouse()
    now = simulation.clock(engine, policy)()
    told = experiments.load(
        engine, policy, given.name, Path(given.csv), given.control or "control", now
    )
    sys.stdout.write("".join(f"{line}\n" for line in told))


def _why(given: argparse.Namespace) -> None:
    """a contact's story, and where they stand"""
    from reengage.marketer.story import tell
    from reengage.policy import read_policy

    policy, as_of = read_policy(), parse_day(given.as_of) if given.as_of else None
    with _warehouse().connect() as connection:
        for line in tell(connection, policy, given.contact, as_of):
            sys.stdout.write(f"{line}\n")


def _audit(given: argparse.Namespace) -> None:
    """compare what the days have kept up with a full recompute"""
    from reengage.journey import simulation
    from reengage.maintenance import audits
    from reengage.policy import read_policy

    try:
        share = float(given.share)
    except ValueError:
        raise ConfigurationError(
            f"SHARE is of all contacts, like 0.1 or 1; {given.share!r} is not."
        ) from None
    policy, engine = read_policy(), _warehouse()
    found = audits.audit(
        engine, policy, simulation.clock(engine, policy), share=share, is_repairing=given.repair
    )
    sys.stdout.write("\n".join(found.lines()) + "\n")


def _migrate(_: argparse.Namespace) -> None:
    """bring the warehouse to the newest schema"""
    from reengage.db import engine, migrate
    from reengage.phones import keys

    migrate(engine())
    keys.check(engine())


def _rotate_key(given: argparse.Namespace) -> None:
    """take a new key of the phone numbers' hashes into use, and say which may go"""
    from reengage.phones import keys
    from reengage.policy import read_policy
    from reengage.settings import make_phone_key

    policy, engine = read_policy(), _warehouse()
    # One that is under way is ended first: who was interrupted types the same again.
    if given.new and not keys.is_under_way(engine):
        make_phone_key()
    rotation = keys.rotate(engine, policy, is_lost=given.lost, say=_say_over)
    _say_over("")
    sys.stdout.write("".join(f"{line}\n" for line in rotation.lines()))


def _say_over(text: str) -> None:
    """How far something is, on a terminal: the next takes its place."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def _web(given: argparse.Namespace) -> None:
    """the public link service alone"""
    from reengage.web.http_server import run

    try:
        port, workers = int(given.port), int(given.workers)
    except ValueError:
        raise ConfigurationError("--port and --workers are numbers, like 8000 and 2.") from None
    run(given.host, port, workers)


def _judge(_: argparse.Namespace) -> None:
    """judge again, by the rules of today, who has clicked links, and let the outcomes follow"""
    from reengage.journey import simulation
    from reengage.outcome import outcomes
    from reengage.policy import read_policy
    from reengage.web.machines import VERSION, judge

    policy, engine = read_policy(), _warehouse()
    judged, changed = judge(engine)
    sys.stdout.write(
        f"{judged:,} hits judged by version {VERSION} of the rules; {changed:,} are taken for "
        "something else than before.\n"
    )
    sys.stdout.flush()
    found = outcomes.follow_verdicts(engine, policy, simulation.clock(engine, policy))
    sys.stdout.write("".join(f"{line}\n" for line in found.lines()))
    sys.stdout.write("What was decided and sent stays.\n")


if __name__ == "__main__":
    sys.exit(main())
