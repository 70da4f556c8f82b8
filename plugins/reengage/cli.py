"""The commands behind make: `reengage COMMAND`. `make help` explains them."""

import argparse
import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from reengage.errors import ConfigurationError, ReengageError, SourceError
from reengage.settings import keep_private, settings

# What the tests need beside Python, by Debian's package: where it is, and what goes without it.
TOOLS = {
    "chromium": ("usr/bin/chromium", "The tests look at pages in a real browser"),
    "postgresql-15": (
        "usr/lib/postgresql/15/bin/initdb",
        "Without PostgreSQL 15 the tests of the oldest server are skipped",
    ),
    "redis-server": (
        "usr/bin/redis-server",
        "Without Redis the test of docker-compose.yaml's services is skipped",
    ),
}

MOST_TRIED = 10_000  # rows of each source's newest file that a check of the policy reads


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

    command("demo", _demo)
    command("day", _day, "as-of", "approve", approve="")
    command("preview", _preview, "as-of", "csv", csv="")
    command("replay", _replay, "from", "to")
    command("up", _up)
    command("down", _down)
    command("clean", _clean)
    command("dsn", _dsn)
    command("psql", _psql)
    command("pages", _pages)
    command("draw", _draw, "contest")
    command("policy", _policy)
    command("templates", _templates)
    command("coupons", _coupons, "pool", "csv", pool="", csv="")
    command("why", _why, "contact", "as-of", **{"as-of": ""})
    bench = command("bench", _bench, "only", "size", only="", size="1")
    bench.add_argument("--verbose", action="store_true")
    audit = command("audit", _audit, "share", share="1")
    audit.add_argument("--repair", action="store_true")
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
    command("judge", _judge)
    command("tools", _tools)
    parsed = parser.parse_args(arguments)
    try:
        if parsed.run is not _tools:  # what the system installs is everybody's
            keep_private()
        parsed.run(parsed)
    except ReengageError as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _demo(_: argparse.Namespace) -> None:
    """the whole job on real data"""
    from reengage.local.demo import run_demo

    run_demo()


def _day(given: argparse.Namespace) -> None:
    """one day through the real DAGs"""
    from reengage.local.day import parse_day, run_day

    run_day(parse_day(given.as_of), given.approve)


def _preview(given: argparse.Namespace) -> None:
    """what a day would come to; nothing is kept or sent"""
    from reengage.local.day import parse_day
    from reengage.local.preview import run_preview

    run_preview(parse_day(given.as_of), Path(given.csv) if given.csv else None)


def _replay(given: argparse.Namespace) -> None:
    """past days in one pass; nothing is sent"""
    from reengage.local.day import parse_day
    from reengage.local.replay import run_replay

    run_replay(parse_day(getattr(given, "from")), parse_day(given.to))


def _up(_: argparse.Namespace) -> None:
    """Airflow, the link service and the sandbox, until Ctrl-C"""
    from reengage.local.up import run_up

    run_up()


def _down(_: argparse.Namespace) -> None:
    """end what this home runs"""
    from reengage.local.up import end

    end()


def _clean(_: argparse.Namespace) -> None:
    """end what this home runs, then forget its state"""
    from reengage.local.up import end

    home = settings().home
    end()
    if not home.exists():
        return
    ours = {
        "postgres",
        "airflow",
        "logs",
        "sandbox",
        "secrets",
        "ports",
        "demo",
        "quality",
        "web",
        "pages",
        "draws",
    }
    if os.environ.get("AIRFLOW_CONN_REENGAGE_WAREHOUSE") and (home / "secrets").exists():
        # The warehouse is not this home's to forget, and its stops are found by this key alone.
        ours.remove("secrets")
        sys.stdout.write(
            f"{home / 'secrets'} stays: the warehouse is elsewhere, and needs its key.\n"
        )
    for entry in home.iterdir():
        if entry.name in ours:
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.name in ("working.lock", "up.pid", "bench.json"):
            entry.unlink()
    if not any(home.iterdir()):
        home.rmdir()


def _pages(_: argparse.Namespace) -> None:
    """every landing page, in every language and state, to look at"""
    from reengage.local.landing import run_pages

    run_pages()


def _draw(given: argparse.Namespace) -> None:
    """draw a contest after its close, once"""
    from reengage.local.landing import run_draw

    run_draw(given.contest)


def _dsn(_: argparse.Namespace) -> None:
    """print the warehouse's address, and nothing else"""
    sys.stdout.write(f"{_started()}\n")


def _psql(_: argparse.Namespace) -> None:
    """a prompt on the warehouse"""
    from reengage.local.postgres import psql

    psql(_started())


def _started() -> str:
    from reengage.local.stack import warehouse

    url = warehouse().url.set(drivername="postgresql")
    return url.render_as_string(hide_password=False)


def _policy(_: argparse.Namespace) -> None:
    """check the policy, its texts, pages, hours and words, and the sources"""
    from sqlalchemy.exc import SQLAlchemyError

    from reengage import hours, numbers, remarks, replies
    from reengage.local.stack import existing_warehouse
    from reengage.messages import Templates
    from reengage.policy import read_policy
    from reengage.sources import files, folders, read_sources
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
        if (engine := existing_warehouse()) is not None:
            with engine.connect() as connection:
                noted += remarks.of_contacts(connection, policy)
    except SQLAlchemyError as error:
        noted.append(f"the warehouse could not be asked about it ({type(error).__name__})")
    for remark in noted:
        sys.stdout.write(f"{settings().policy}: {remark}\n")
    wrong = []
    for source in read_sources():
        found = folders.find(source)
        said = f"{len(found):,} file(s)" if found else "no file there yet"
        try:
            for file in found[-1:]:
                # To the end of a small one: of JSON the keys are known when its rows are.
                deque(islice(files.read(file, source, files.Notes()), MOST_TRIED), maxlen=0)
        except SourceError as error:
            said = str(error)
            wrong.append(said)
        sys.stdout.write(f"{source.name}: {source.path}: {said}\n")
    if wrong:
        raise SourceError("Mend the sources above before a day is run.")


def _coupons(given: argparse.Namespace) -> None:
    """the stock of the coupon pools; with a file, add its codes to one"""
    from reengage import coupons, past
    from reengage.local.stack import warehouse
    from reengage.policy import read_policy

    if given.csv and not given.pool:
        raise ConfigurationError("Say which pool the codes are for: make coupons POOL=spring CSV=…")
    policy, engine = read_policy(), warehouse()
    if given.csv:
        added = coupons.upload(engine, given.pool, Path(given.csv), past.clock(engine, policy)())
        sys.stdout.write("\n".join(added.lines(given.csv)) + "\n\n")
        if added.is_in_vain:
            why = "every line of it was refused" if added.rows else "there is no code in it"
            raise SourceError(f"Nothing of {given.csv} was added to the pool {given.pool}: {why}.")
    with engine.connect() as connection:
        sys.stdout.write("\n".join(coupons.lines(connection, policy, given.pool)) + "\n")


def _templates(_: argparse.Namespace) -> None:
    """each text as those it is for would get it: its length, its cost, what breaks"""
    from reengage.local.templates import run_templates

    run_templates()


def _why(given: argparse.Namespace) -> None:
    """a contact's story, and where they stand"""
    from reengage.local.day import parse_day
    from reengage.local.stack import warehouse
    from reengage.policy import read_policy
    from reengage.story import tell

    policy, as_of = read_policy(), parse_day(given.as_of) if given.as_of else None
    with warehouse().connect() as connection:
        for line in tell(connection, policy, given.contact, as_of):
            sys.stdout.write(f"{line}\n")


def _bench(given: argparse.Namespace) -> None:
    """what the pipeline costs on this machine, beside what it could cost"""
    from reengage.local.bench import run_bench

    try:
        size = float(given.size)
    except ValueError:
        raise ConfigurationError(
            f"SIZE is millions of contacts, like 1 or 0.05; {given.size!r} is not."
        ) from None
    run_bench(given.only, size, is_verbose=given.verbose)


def _audit(given: argparse.Namespace) -> None:
    """compare what the days have kept up with a full recompute"""
    from reengage import maintenance, past
    from reengage.local.stack import warehouse
    from reengage.policy import read_policy

    try:
        share = float(given.share)
    except ValueError:
        raise ConfigurationError(
            f"SHARE is of all contacts, like 0.1 or 1; {given.share!r} is not."
        ) from None
    policy, engine = read_policy(), warehouse()
    found = maintenance.audit(
        engine, policy, past.clock(engine, policy), share=share, is_repairing=given.repair
    )
    sys.stdout.write("\n".join(found.lines()) + "\n")


def _migrate(_: argparse.Namespace) -> None:
    """bring the warehouse to the newest schema"""
    from reengage import keys
    from reengage.db import engine, migrate

    migrate(engine())
    keys.check(engine())


def _rotate_key(given: argparse.Namespace) -> None:
    """take a new key of the phone numbers' hashes into use, and say which may go"""
    from reengage import keys
    from reengage.local.stack import warehouse
    from reengage.policy import read_policy
    from reengage.settings import make_phone_key

    policy, engine = read_policy(), warehouse()
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
    from reengage.web.protocol import run

    try:
        port, workers = int(given.port), int(given.workers)
    except ValueError:
        raise ConfigurationError("--port and --workers are numbers, like 8000 and 2.") from None
    run(given.host, port, workers)


def _judge(_: argparse.Namespace) -> None:
    """judge again, by the rules of today, who has clicked links, and let the outcomes follow"""
    from reengage import outcome, past
    from reengage.local.stack import warehouse
    from reengage.policy import read_policy
    from reengage.web.hits import VERSION, judge

    policy, engine = read_policy(), warehouse()
    judged, changed = judge(engine)
    sys.stdout.write(
        f"{judged:,} hits judged by version {VERSION} of the rules; {changed:,} are taken for "
        "something else than before.\n"
    )
    sys.stdout.flush()
    found = outcome.follow_verdicts(engine, policy, past.clock(engine, policy))
    sys.stdout.write("".join(f"{line}\n" for line in found.lines()))
    sys.stdout.write("What was decided and sent stays.\n")


def _tools(_: argparse.Namespace) -> None:
    """see that what the tests need beside Python is here, and install Debian's where that can be"""
    missing = {
        package: what for package, (place, what) in TOOLS.items() if not any(Path("/").glob(place))
    }
    if not missing:
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        sys.stdout.write(f"Installing {', '.join(missing)} for the tests: a few minutes, once.\n")
        sys.stdout.flush()
        for step in (
            ["update", "-qq"],
            ["install", "-y", "-qq", "--no-install-recommends", *missing],
        ):
            done = subprocess.run(
                ["apt-get", *step],
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise ReengageError(f"apt-get {step[0]} failed: {done.stderr.strip()[-500:]}")
        return
    for package, what in missing.items():
        sys.stdout.write(f"{what}: not here (Debian: apt-get install {package}).\n")
    if "chromium" in missing:
        raise ReengageError("Install chromium, and run make test again.")


if __name__ == "__main__":
    sys.exit(main())
