"""The commands of a laptop, beside those of every installation (reengage.cli): a home of its own,
days in one process, the demo, the benchmarks.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from reengage.errors import ConfigurationError, ReengageError
from reengage.settings import settings

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

# What the tests need beside Python, by Debian's package: where it is, and what goes without it.
TOOLS = {
    "chromium": ("usr/bin/chromium", "The tests look at pages in a real browser"),
    "postgresql-15": (
        "usr/lib/postgresql/15/bin/initdb",
        "Without PostgreSQL 15 the tests of the oldest server are skipped",
    ),
    "redis-server": (
        "usr/bin/redis-server",
        "Without Redis and PostgreSQL 15 docker-compose.yaml's services are not started",
    ),
}


YES = ("1", "yes", "true")


class Command(Protocol):
    """Adds a command that runs a function, with its options; those without a default are needed."""

    def __call__(
        self, name: str, run: Any, *options: str, **defaults: str
    ) -> argparse.ArgumentParser: ...


def add(command: Command) -> None:
    """Add the commands of a laptop."""
    command("demo", _demo)
    command("day", _day, "as-of", "approve", approve="")
    command("preview", _preview, "as-of", "csv", csv="")
    replay = command("replay", _replay, "from", "to")
    for option in ("policy", "days", "begin", "known", "audience"):
        replay.add_argument(f"--{option}", default="")
    replay.add_argument("--name", default="")
    compare = command("compare", _compare, "b")
    for option in ("a", "from", "to", "csv"):
        compare.add_argument(f"--{option}", default="")
    command("up", _up)
    command("down", _down)
    command("clean", _clean)
    command("dsn", _dsn)
    command("psql", _psql)
    command("pages", _pages)
    command("templates", _templates)
    bench = command("bench", _bench, "only", "size", only="", size="1")
    bench.add_argument("--verbose", action="store_true")
    command("simulate", _simulate, "worlds", worlds="1000")
    command("schema", _schema)
    command("tools", _tools)


def warehouse() -> "Engine":
    """The warehouse of this home: stack.warehouse, which starts it."""
    from reengage_local import stack

    return stack.warehouse()


def existing_warehouse() -> "Engine | None":
    """The warehouse of this home as it is: stack.existing_warehouse."""
    from reengage_local import stack

    return stack.existing_warehouse()


def _demo(_: argparse.Namespace) -> None:
    """the whole job on real data"""
    from reengage_local.demo import run_demo

    run_demo()


def _day(given: argparse.Namespace) -> None:
    """one day through the real DAGs"""
    from reengage.cli import parse_day
    from reengage_local.day import run_day

    run_day(parse_day(given.as_of), given.approve)


def _preview(given: argparse.Namespace) -> None:
    """what a day would come to; nothing is kept or sent"""
    from reengage.cli import parse_day
    from reengage_local.preview_day import run_preview

    run_preview(parse_day(given.as_of), Path(given.csv) if given.csv else None)


def _replay(given: argparse.Namespace) -> None:
    """whom a policy would have written to on past days; nothing is sent"""
    from reengage.cli import parse_day
    from reengage_local.replay import run_replay

    run_replay(
        parse_day(getattr(given, "from")),
        parse_day(given.to),
        file=Path(given.policy) if given.policy else None,
        steps=given.days or None,
        name=given.name or None,
        begin=parse_day(given.begin) if given.begin else None,
        is_known=given.known.lower() in YES,
        with_audience=given.audience.lower() in YES,
    )


def _compare(given: argparse.Namespace) -> None:
    """replayed scenarios beside each other"""
    from reengage.cli import parse_day
    from reengage.history import compare
    from reengage.history.replays import DEFAULT_SCENARIO
    from reengage.policy import read_policy

    first, last = (parse_day(text) if text else None for text in (getattr(given, "from"), given.to))
    others = [name.strip() for name in given.b.split(",") if name.strip()]
    names = [given.a or DEFAULT_SCENARIO, *others]
    engine = warehouse()
    print("\n".join(compare.lines(engine, read_policy(), names, first, last)))
    if given.csv:
        file = Path(given.csv)
        found = compare.write_alone(engine, names[0], names[1], first, last, file)
        print(f"\n{found:,} contacts to whom only one of {names[0]} and {names[1]} writes: {file}")


def _up(_: argparse.Namespace) -> None:
    """Airflow, the link service and the sandbox, until Ctrl-C"""
    from reengage_local.up import run_up

    run_up()


def _down(_: argparse.Namespace) -> None:
    """end what this home runs"""
    from reengage_local.up import end

    end()


def _clean(_: argparse.Namespace) -> None:
    """end what this home runs, then forget its state"""
    from reengage_local.up import end

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
    from reengage_local.landing import run_pages

    run_pages()


def _dsn(_: argparse.Namespace) -> None:
    """print the warehouse's address, and nothing else"""
    sys.stdout.write(f"{_started()}\n")


def _psql(_: argparse.Namespace) -> None:
    """a prompt on the warehouse"""
    from reengage_local.postgres import psql

    psql(_started())


def _started() -> str:
    from reengage_local.stack import warehouse

    url = warehouse().url.set(drivername="postgresql")
    return url.render_as_string(hide_password=False)


def _templates(_: argparse.Namespace) -> None:
    """each text as those it is for would get it: its length, its cost, what breaks"""
    from reengage_local.templates import run_templates

    run_templates()


def _bench(given: argparse.Namespace) -> None:
    """what the pipeline costs on this machine, beside what it could cost"""
    from reengage_local.bench import run_bench

    try:
        size = float(given.size)
    except ValueError:
        raise ConfigurationError(
            f"SIZE is millions of contacts, like 1 or 0.05; {given.size!r} is not."
        ) from None
    run_bench(given.only, size, is_verbose=given.verbose)


def _simulate(given: argparse.Namespace) -> None:
    """is what is said of an effect true as often as it says, in worlds of known effect"""
    from reengage_local.simulate import run_simulation

    if not given.worlds.isdigit():
        raise ConfigurationError(f"WORLDS is a number, like 1000; {given.worlds!r} is not.")
    run_simulation(int(given.worlds))


def _schema(_: argparse.Namespace) -> None:
    """write include/sql/schema.sql, today's tables, from a migrated database"""
    from reengage_local.schema import write_schema

    write_schema()


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


# What the system installs is everybody's.
_tools.is_for_everybody = True  # type: ignore[attr-defined]
