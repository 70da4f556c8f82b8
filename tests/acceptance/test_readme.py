"""What README and CONTRIBUTING tell people to type, open and write is there and works: on a home
that holds what the demo left.
"""

import csv
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pytest
import yaml
from typist import Typist

import homes
from reengage.clock import wall_clock
from reengage.ingest.sources import read_source
from reengage.settings import PROJECT
from reengage_local import demo
from reengage_local.demo_data import MARKER, VERSION
from reengage_local.postgres import EmbeddedServer

DOCUMENTS = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", PROJECT / "docs" / "history.md"]


def fenced(document: Path, language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", document.read_text(encoding="utf-8"), re.S)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.stem)
def test_every_make_target_named_exists_and_is_in_make_help(document: Path) -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    text = document.read_text(encoding="utf-8")
    named = set(re.findall(r"^make ([a-z-]+)", "\n".join(fenced(document, "sh")), re.M))
    named |= set(re.findall(r"`make ([a-z-]+)[^`]*`", text))
    assert named
    for target in named:
        assert re.search(rf"^{target}:.*## ", makefile, re.M), f"make {target}"


def test_every_target_is_explained() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    phony = re.findall(r"^\.PHONY: ([a-z-]+)$", makefile, re.M)
    assert phony == re.findall(r"^([a-z-]+):.*## ", makefile, re.M)


@pytest.mark.parametrize(
    "document", [*DOCUMENTS, PROJECT / "docs" / "deploy.md"], ids=lambda d: d.stem
)
def test_every_file_linked_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (PROJECT / target).exists() or (document.parent / target).exists(), target
    for path in re.findall(r"`((?:include|plugins|dags|tests)/[\w./-]*)`", text):
        assert (PROJECT / path).exists(), path


def test_the_dags_of_the_table_are_the_dags(tmp_path: Path) -> None:
    named = set(re.findall(r"^\| `(reengage_\w+)`", DOCUMENTS[0].read_text(encoding="utf-8"), re.M))
    files = {f"reengage_{file.stem}" for file in (PROJECT / "dags").glob("*.py")}
    assert named == files


def test_the_source_of_the_readme_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA", str(tmp_path))
    (block,) = fenced(DOCUMENTS[0], "yaml")
    file = tmp_path / "shop.yaml"
    file.write_text(block, encoding="utf-8")
    source = read_source(file)
    assert yaml.safe_load(block)["source"] == source.source
    assert source.path == f"{tmp_path}/orders/*.csv"


# --- on what the demo left -----------------------------------------------------------------------

# What is not typed here, and why.
ELSEWHERE = {
    "demo": "the fixture",
    "test": "this is it",
    "lint": "of the code",
    "format": "of the code",
    "schema": "of the code",
    "requirements": "asks a package index",
    "bench": "tests of its own",
    "simulate": "tests of its own: a thousand worlds take many minutes",
    "source-new": "tests of its own: it writes into the checkout",
    "psql": "waits for a person",
    "help": "no command of ours",
    "down": "the fixture",
}
CARDS = 1_200


@dataclass
class Line:
    """A line that a document has people type. target: of make; arguments: what make runs for it."""

    text: str
    target: str
    arguments: list[str]

    @property
    def is_of_another_home(self) -> bool:
        """Whether it is about files of one's own: a day of the present."""
        return bool(re.search(r"AS_OF=2\d{3}", self.text))


def typed() -> list[Line]:
    """Every make command of both documents that can be typed as it stands, in their order."""
    found = {}
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        commands = re.findall(r"^make [a-z].*", "\n".join(fenced(document, "sh")), re.M)
        commands += re.findall(r"`(make [a-z][^`]*)`", text)
        for command in commands:
            command = " ".join(command.partition("#")[0].split())
            if "…" not in command:
                found[command] = document
    # A bare `make why` in the text names what is typed with its arguments elsewhere.
    whole = {command.split()[1] for command in found if "=" in command}
    lines = []
    for command in found:
        target = command.split()[1]
        if target in ELSEWHERE or (target in whole and "=" not in command):
            continue
        shown = subprocess.run(
            ["make", "--dry-run", *shlex.split(command)[1:]],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        ours = [line for line in shown.splitlines() if line.startswith(".venv/bin/reengage ")]
        assert len(ours) == 1, f"{command} runs {ours}"
        lines.append(Line(command, target, shlex.split(ours[0])[1:]))
    return lines


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with files like the demo's, but fewer; the demo takes them as its own."""
    home = tmp_path_factory.mktemp("first") / "home"
    homes.with_airflow(home)
    folder = home / "demo"
    folder.mkdir(parents=True)
    ids = range(1, CARDS + 1)
    last = demo.DAYS[-1]
    pd.DataFrame(
        {
            "crm_id": [f"C{n:05}" for n in ids],
            "first_name": "Ada",
            "last_name": "Lovelace",
            "email": [f"ada{n}@inbox.example" for n in ids],
            "mobile": [f"+1{212 if n % 2 else 312}555{n:04}" for n in ids],
            "language": "en",
            "time_zone": "",
            "shop_account_id": [f"{n:05}" for n in ids],
            "loyalty_card_id": [str(n) if n % 3 == 0 else "" for n in ids],
            "created_at": "1996-12-24T10:00:00Z",
            "segment": "new",
        }
    ).to_csv(folder / "contacts.csv", index=False)
    pd.DataFrame(
        {
            "crm_id": [f"C{n:05}" for n in ids[700:]],
            "channel": "sms",
            "purpose": "marketing",
            "basis": "opt_in",
            "granted_at": "1996-12-24T10:00:00Z",
            "withdrawn_at": "",
            "wording": "I agree.",
            "language": "en",
        }
    ).to_csv(folder / "consents.csv", index=False)
    # Quiet for a month to three on the last day; and somebody buys each day, later ones too.
    bought = [(n, last - timedelta(days=25 + n % 80)) for n in ids if n > 100]
    bought += [(n, last - timedelta(days=40 - n)) for n in range(1, 60)]
    pd.DataFrame(
        {
            "customer_id": [f"{n:05}" for n, _ in bought],
            "order_date": [day for _, day in bought],
            "cds": 1,
            "dollars": "11.77",
        }
    ).to_csv(folder / "orders.csv", index=False)
    pd.DataFrame(
        {
            "household_id": 3,
            "basket_id": range(60),
            "amount": 5.0,
            "store_id": 1,
            "started_at": [
                pd.Timestamp(last) + pd.Timedelta(days=d - 40, hours=11) for d in range(60)
            ],
        }
    ).to_parquet(folder / "loyalty.parquet")
    (folder / MARKER).write_text(f"version {VERSION}, seed larkfield\n", encoding="utf-8")
    yield home
    EmbeddedServer(home).forget()


@pytest.fixture(scope="module")
def told(home: Path) -> dict[str, dict[str, Any]]:
    """What the demo and then each line came to, typed one after the other: code and said."""
    lines = typed()
    with (home.parent / "codes.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["code"], ["SPRING-0001"]])
    with (home.parent / "mails.csv").open("w", encoding="utf-8", newline="") as file:
        units = [
            (f"u{n}", "mail" if n % 2 else "control", "2026-01-05", int(n % 5 == 0), 0.5 * (n % 7))
            for n in range(200)
        ]
        csv.writer(file).writerows([["unit", "arm", "eligible_on", "returned", "revenue"], *units])
    program = str(Path(__file__).with_name("first_hour.py"))
    typist = Typist(homes.environment(home), home.parent, program, *map(str, demo.DAYS[-2:]))
    try:
        came = {"make demo": typist.type("demo")}
        came |= {line.text: typist.type(*line.arguments) for line in lines}
    finally:
        typist.leave()
    return {text: {"code": code, "said": said} for text, (code, said) in came.items()}


def test_the_demo_leaves_a_home_whose_next_day_is_the_readmes(told: dict[str, Any]) -> None:
    left = told["make demo"]
    assert left["code"] == 0, left["said"]
    following = demo.DAYS[-1] + timedelta(days=1)
    assert f"make day AS_OF={following}" in left["said"]
    assert f"`make day AS_OF={following}`" in DOCUMENTS[0].read_text(encoding="utf-8")
    story = left["said"].partition("One contact's story")[2].partition("Next:")[0]
    assert re.search("Answered the questions|Entered the contest|Used the coupon", story), story


@pytest.mark.parametrize("line", typed(), ids=lambda line: line.text)
def test_what_is_typed_works_on_what_the_demo_left(line: Line, told: dict[str, Any]) -> None:
    came = told[line.text]
    assert "Traceback" not in came["said"]
    if line.is_of_another_home:
        # The demo's home is not ended by it, and says where it belongs.
        assert came["code"] == 1
        assert "This home plays the past" in came["said"] and "REENGAGE_HOME" in came["said"]
        (day,) = re.findall(r"AS_OF=(\S+)", line.text)
        assert date.fromisoformat(day) < wall_clock().date()
    else:
        assert came["code"] == 0, came["said"]


def test_a_policy_that_was_not_lived_is_compared_with_the_one_that_was(
    told: dict[str, Any], home: Path
) -> None:
    said = told["make compare A=default B=45-75-120 CSV=missed.csv"]["said"]
    texts, money = (
        [float(number.replace(",", "")) for number in re.findall(r"[\d,.]+", line)]
        for line in re.findall(r"^  (?:texts|cost \(USD\)) +(.*)$", said, re.M)
    )
    assert texts[0] > texts[1] > 0 and money[0] > money[1] > 0
    assert "Left out:" in said and "both    default only" in said
    (overlap,) = re.findall(r"^  all +(\d+) +(\d+) +(\d+)$", said, re.M)
    kept = (home.parent / "missed.csv").read_text(encoding="utf-8")
    missed = list(csv.DictReader(kept.splitlines()))
    assert int(overlap[0]) > 0 and len(missed) == sum(map(int, overlap[1:]))


def test_up_keeps_the_past_and_its_links_alive(told: dict[str, Any]) -> None:
    came = told["make up"]["said"]
    assert came.startswith("This home plays the past: it is ")
    assert "The link answers 200." in came
    assert "no DAG runs on today's clock" in came


def test_the_stories_and_figures_of_the_readme_are_there(told: dict[str, Any], home: Path) -> None:
    assert "Rehearsal: nobody is texted." in told["make why CONTACT=1099"]["said"]
    assert "Text of the " in told["make why CONTACT=1099"]["said"]
    blocks = fenced(DOCUMENTS[0], "sql")
    statements = [part for block in blocks for part in block.split(";") if "SELECT" in part]
    assert statements
    with psycopg.connect(EmbeddedServer(home).dsn("warehouse")) as connection:
        for statement in statements:
            assert connection.execute(statement).fetchall(), statement
        # People did what the pages ask for, and it can be read in somebody's story.
        kinds = connection.execute(
            "SELECT DISTINCT kind FROM cohort.contact_story WHERE kind IN ('answer', 'entry')"
        ).fetchall()
    assert {kind for (kind,) in kinds} == {"answer", "entry"}
