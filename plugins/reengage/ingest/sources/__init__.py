"""Where data comes from: source files (YAML) and what they say about the retailer's data."""

import codecs
import hashlib
import os
import re
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from reengage.errors import ConfigurationError
from reengage.ingest.sources import connectors, numerals
from reengage.ingest.sources.conditions import Conditions, Rule
from reengage.ingest.sources.places import (
    KEYS,
    NEEDED,
    OTHERS,
    PLACES,
    Request,
    check_path,
    is_address,
)
from reengage.policy import Kind, Policy, TimeZone
from reengage.settings import settings
from reengage.yaml_files.mistakes import explain
from reengage.yaml_files.plain_yaml import Texts, Unquoted, as_read
from reengage.yaml_files.reading import read_yaml

Entity = Literal["contact", "interaction", "consent", "product"]

ENTITIES = ("contact", "interaction", "consent", "product")  # in the order in which core takes them

# What a source may say about each entity; the names on the left side of `columns`.
COLUMNS: dict[str, tuple[str, ...]] = {
    "contact": (
        "source_contact_id",
        "phone",
        "email",
        "first_name",
        "last_name",
        "language",
        "country",
        "time_zone",
        "lifecycle_class",
        "created_at",
        "loyalty_card_id",
        "shop_account_id",
    ),
    "interaction": (
        "source_event_id",
        "source_contact_id",
        "contact_source",
        "occurred_at",
        "amount",
        "currency",
        "product_id",
        "coupon_code",
    ),
    "consent": (
        "source_contact_id",
        "contact_source",
        "channel",
        "purpose",
        "basis",
        "granted_at",
        "withdrawn_at",
        "subscribed",
        "wording",
        "language",
    ),
    "product": (
        "source_product_id",
        "name",
        "category",
        "url",
        "image_url",
        "price",
        "currency",
        "available",
    ),
}
REQUIRED: dict[str, tuple[str, ...]] = {
    "contact": ("source_contact_id",),
    "interaction": ("source_contact_id", "occurred_at"),
    "consent": ("source_contact_id",),
    "product": ("source_product_id",),
}
# What names a row of each, where one column does.
KEY = {
    "contact": "source_contact_id",
    "interaction": "source_event_id",
    "product": "source_product_id",
}

# What takes somebody out, or says what a row means: a row without it would be read as another.
GUARDING = {"withdrawn_at", "channel", "purpose", "contact_source"}
MONEY = {"amount", "price"}

# What nobody leaves empty, so that a row that ends before it is cut.
MEASURING = {"amount", "price", "phone"}


def _text(value: Any) -> Any:
    if isinstance(value, Unquoted):
        raise ValueError(as_read(value))
    return value


Text = Annotated[str, BeforeValidator(_text)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Constant(_Part):
    """A value that every row has."""

    value: Text


class Multiplied(_Part):
    """An amount that is a product, of columns and of what every row has: exact decimals."""

    multiply: tuple[Text | Constant, ...]

    @property
    def factors(self) -> tuple[str, ...]:
        """The file's columns among its factors."""
        return tuple(factor for factor in self.multiply if isinstance(factor, str))


def _named(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"value"}:
        if not isinstance(value["value"], str):
            raise ValueError("value: write one text, in quotes")
        _text(value["value"])
    elif isinstance(value, dict) and value.keys() == {"multiply"}:
        return _multiplied(value["multiply"])
    elif not isinstance(value, str | Constant | Multiplied):
        raise ValueError(
            "write the name of a column, {value: …} for what every row has, or of an amount "
            "{multiply: [Quantity, UnitPrice]}"
        )
    return _text(value)


def _multiplied(said: Any) -> Multiplied:
    if not isinstance(said, list | tuple) or len(said) < 2:
        raise ValueError("multiply: write two columns or more: {multiply: [Quantity, UnitPrice]}")
    factors = tuple(Constant(**one) if isinstance(one, dict) else _text(one) for one in said)
    for factor in factors:
        if isinstance(factor, Constant):
            try:
                numerals.amount(factor.value)
            except numerals.BadValue as error:
                raise ValueError(f"multiply: value {error}: write a number, like 0.01") from None
    return Multiplied(multiply=factors)


class KindColumn(_Part):
    """The kind of interaction is in a column. Rows of values that `map` does not name are left."""

    column: Text
    map: dict[Text, Kind]


def _delimiter(value: Any) -> Any:
    said = {"tab": "\t", "\\t": "\t"}.get(str(value).lower(), value)
    if not isinstance(said, str) or len(said) != 1 or said in '"\r\n':
        raise ValueError('write one sign in quotes, like ";" or "|", or tab')
    return said


def _encoding(name: str) -> str:
    try:
        found = codecs.lookup(name)
    except LookupError:
        found = None
    if found is None or not found._is_text_encoding or found.name in _NO_FILES:
        raise ValueError(
            "is no encoding that is known: write one like cp1250 (Windows, Central Europe), cp1251 "
            "(Cyrillic), iso-8859-2, utf-16-le, euc-kr"
        )
    return found.name


_NO_FILES = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf-7"}


def _formats(value: Any) -> Any:
    for said in value if isinstance(value, list | tuple) else [value]:
        try:
            datetime.strptime("", str(said))  # noqa: DTZ007
        except ValueError as error:
            if "directive" in str(error) or "stray" in str(error):
                raise ValueError(
                    f"{said} has a part that is none of strptime's: write it like "
                    '"%d.%m.%Y %H:%M" or "%Y-%m-%d %H:%M:%S %z"'
                ) from None
        if "%" not in str(said):
            raise ValueError(f'{said} is none of strptime\'s: write it like "%d.%m.%Y %H:%M"')
    return value


def _connector(name: str) -> str:
    known = connectors.names()
    if name not in known:
        near = get_close_matches(name, known, 1)
        meant = f"; you may mean {near[0]}" if near else ""
        raise ValueError(f"write one of {', '.join(known)}{meant}")
    return name


class Source(_Part):
    """One source YAML.

    connector: where the data lies, and with it which keys say more of that (places.KEYS).
    connection: of Airflow. by_time: the column that says when a row was written or changed last, by
    which only what is new is asked for; by_key: a number that grows with each new row; neither: all
    of it, each time. start: the day from which on it is read. overlap_hours, overlap_keys: how much
    of what was read before is read again, as some of it comes late. window_days: an interval is
    read in pieces of so many days, each of which is read once.

    time_zone: of timestamps without a zone; none given, the brand's. required: the journey waits
    for it. broken_files: whether a file of a required source that is empty, cut or without a named
    column stops the day; the good rows load either way. One of consents that lacks a name does,
    unless `warn` is written. encoding: of text files that are not UTF-8. sheet: of a workbook of
    Excel; none given, the first that is shown.
    time_format: as of strptime, where times are not ISO 8601; of several the first that fits.
    exclude: rows that are no facts, by column and conditions. identities: whose ids
    loyalty_card_id and shop_account_id are. verified: columns by which a card joins one of another
    source, and by its phone also one of its own. product_source: whose product ids an
    interaction's are, where they are another source's. guests: many of its rows are of people
    without a card, so that gates.max_unknown_share does not count them. without_id: what becomes of
    rows without a source_contact_id: they are kept as rejects that stop no day, or left out; not
    said, they are rejects like any. lines: where several rows
    of a file are one order, whether their amounts are added, or each says the order's; not said, as
    first, and different ones are told. zero: whether an order of 0 is a sign of life. decimal: the
    sign before the decimals of amounts, where it is a comma or cannot be told from thousands.
    complete_marker: a file whose content is the date through which an event feed is complete.
    deletes: how it shows that a row is deleted there: what is read is all that there is (of files,
    the newest one), so that what is not in it is gone (snapshot); the row stays, with a mark that
    `exclude` names (marked); or not at all (unseen). Not said, it is unseen, and told. sweep: where
    only what is new is read, the ids of so many days, or all, are asked for besides, and what is
    not among them is gone.
    """

    source: Text = Field(pattern=r"^[a-z][a-z0-9_]*$")
    entity: Entity
    kind: Kind | KindColumn | None = None
    connector: Annotated[Text, AfterValidator(_connector)]
    path: Text = ""
    connection: Text | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]+$")
    table: Text | None = None
    query: Text | None = None
    request: Request | None = None
    function: Text | None = Field(default=None, pattern=r"^[\w.]+:\w+$")
    options: dict[str, Any] = {}
    by_time: Text | None = None
    by_key: Text | None = None
    start: date | None = None
    overlap_hours: float = Field(default=24, ge=0, le=24 * 366)
    overlap_keys: int = Field(default=10_000, ge=0)
    window_days: int | None = Field(default=None, ge=1)
    format: Literal["csv", "jsonl", "parquet", "excel"] | None = None
    sheet: Text | None = None
    delimiter: Annotated[str | None, BeforeValidator(_delimiter)] = None
    encoding: Annotated[Text, AfterValidator(_encoding)] | None = None
    time_zone: Annotated[TimeZone, BeforeValidator(_text)] | None = None
    time_format: Annotated[Text | tuple[Text, ...], BeforeValidator(_formats)] | None = None
    required: bool = False
    broken_files: Literal["warn", "stop"] = "warn"
    complete_marker: Text | None = None
    deletes: Literal["snapshot", "marked", "unseen"] | None = None
    sweep: Annotated[int, Field(ge=1, le=3660)] | Literal["all"] | None = None
    columns: dict[Text, Annotated[Text | Constant | Multiplied, BeforeValidator(_named)]]
    exclude: dict[Text, Conditions] = {}
    identities: dict[Literal["loyalty_card_id", "shop_account_id"], str] = {
        "loyalty_card_id": "loyalty",
        "shop_account_id": "shop",
    }
    verified: tuple[Literal["phone", "email"], ...] = ()
    product_source: Text | None = None
    guests: bool = False
    without_id: Literal["keep", "leave_out"] | None = None
    lines: Literal["first", "sum"] | None = None
    zero: Literal["signal", "nothing"] = "signal"
    decimal: Literal[".", ","] | None = None
    mapping_hash: str = ""

    @model_validator(mode="after")
    def _fits_connector(self) -> "Source":
        name, said = self.connector, self.model_fields_set
        for key in sorted(said & PLACES - KEYS.get(name, OTHERS)):
            others = " and ".join(other for other in KEYS if key in KEYS[other])
            raise ValueError(f"{key}: is a key of {others}, and this connector is {name}")
        for key, what in NEEDED.get(name, {}).items():
            if not getattr(self, key):
                raise ValueError(f"{key}: the connector {name} needs it: {what}")
        if name == "files":
            check_path(self.path, has_connection=bool(self.connection))
        if name == "sql" and (self.table is None) == (self.query is None):
            raise ValueError("table: say one of table and query")
        if self.by_time and self.by_key:
            raise ValueError("by_key: say one of by_time and by_key")
        if not self.by_time and (only := said & {"start", "overlap_hours", "window_days"}):
            raise ValueError(f"{min(only)}: goes with by_time")
        if self.window_days and not self.start:
            raise ValueError("window_days: needs start, the day from which on it is read")
        if not self.by_key and "overlap_keys" in said:
            raise ValueError("overlap_keys: goes with by_key")
        if self.request and bool(self.request.since) != bool(self.by_time):
            raise ValueError(
                "by_time: the field of a record that `since` in the request is about: say both"
            )
        if self.request and self.window_days and not self.request.until:
            raise ValueError("request.until: window_days needs the parameter that says an end")
        is_new_alone = bool(self.by_time or self.by_key)
        if is_new_alone and self.entity == "interaction" and "source_event_id" not in self.columns:
            raise ValueError(
                "columns: what is read again by by_time or by_key is known by its source_event_id"
            )
        if is_new_alone and self.table and self.lines is not None:
            raise ValueError(
                "lines: of an order only the lines that changed would be read: write a query whose "
                "by_time is the order's, so that all of its lines come together"
            )
        return self

    @model_validator(mode="after")
    def _fits_entity(self) -> "Source":
        allowed = COLUMNS[self.entity]
        for name, theirs in self.columns.items():
            if name not in allowed:
                near = get_close_matches(name, allowed, 1)
                meant = f": you may mean {near[0]}" if near else ""
                raise ValueError(f"columns.{name} is none of {', '.join(allowed)}{meant}")
            if isinstance(theirs, Multiplied) and name not in MONEY:
                raise ValueError(f"columns.{name}: only an amount or a price is a product")
        for name in REQUIRED[self.entity]:
            if name not in self.columns:
                raise ValueError(f"columns: a source of {self.entity}s needs {name}")
        if self.entity == "consent" and not {"granted_at", "withdrawn_at"} & self.columns.keys():
            raise ValueError("columns: a source of consents needs granted_at or withdrawn_at")
        if (self.entity == "interaction") != (self.kind is not None):
            raise ValueError("kind: an interaction needs one, and nothing else has one")
        if self.guests and self.entity not in ("interaction", "consent"):
            raise ValueError("guests: says that rows may name nobody known, and these name nobody")
        if self.product_source is not None and "product_id" not in self.columns:
            raise ValueError("product_source: says whose product_id it is, and there is none")
        if self.lines is not None and not {"source_event_id", "amount"} <= self.columns.keys():
            raise ValueError("lines: needs a source_event_id, which the lines share, and an amount")
        if "zero" in self.model_fields_set and "amount" not in self.columns:
            raise ValueError("zero: says what an amount of 0 is, and there is no amount")
        if self.without_id is not None and self.entity == "product":
            raise ValueError("without_id: is of rows about people, and products are none")
        compared = [c for rule in self.exclude.values() for c in rule if not isinstance(c, str)]
        if self.decimal is not None and not (MONEY & self.columns.keys() or compared):
            raise ValueError("decimal: is the sign in amounts and prices, and there are none")
        return self

    @model_validator(mode="after")
    def _shows_deletions(self) -> "Source":
        if self.deletes == "snapshot" and (self.by_time or self.by_key):
            raise ValueError(
                "deletes: snapshot is of what is read whole, and by_time and by_key read only what "
                "is new: say sweep, marked or unseen"
            )
        if self.sweep is not None:
            self._check_sweep()
        says_no = self.entity == "consent" and {"withdrawn_at", "subscribed"} & self.columns.keys()
        if self.deletes == "marked" and not (self.exclude or says_no):
            raise ValueError("deletes: marked needs the mark of a deleted row in `exclude`")
        return self

    def _check_sweep(self) -> None:
        if self.deletes in ("snapshot", "unseen"):
            raise ValueError(f"sweep: finds what is deleted, and deletes says {self.deletes}")
        if not (self.by_time or self.by_key):
            raise ValueError(
                "sweep: goes with by_time or by_key; where all is read, say deletes: snapshot"
            )
        if self.sweep != "all" and not self.by_time:
            raise ValueError("sweep: a number of days goes with by_time: say all")
        if self.sweep != "all" and self.entity != "interaction":
            raise ValueError(
                f"sweep: a {self.entity} that is deleted today may be years old: say all"
            )

    @property
    def name(self) -> str:
        """What people and logs call it: shop (interaction)."""
        return f"{self.source} ({self.entity})"

    @property
    def named_columns(self) -> dict[str, str]:
        """The file's columns that the YAML names, by ours."""
        return {ours: theirs for ours, theirs in self.columns.items() if isinstance(theirs, str)}

    @property
    def products(self) -> dict[str, Multiplied]:
        """Ours that are a product of the file's columns."""
        return {
            ours: theirs for ours, theirs in self.columns.items() if isinstance(theirs, Multiplied)
        }

    @property
    def all_columns(self) -> list[str]:
        """Every column of the file that is read: what the YAML does not name stays outside."""
        kind = [self.kind.column] if isinstance(self.kind, KindColumn) else []
        factors = [name for product in self.products.values() for name in product.factors]
        named = self.named_columns.values()
        return list(dict.fromkeys([*named, *factors, *self.exclude, *kind]))

    @property
    def key_columns(self) -> list[str]:
        """The columns that say which row it is: of a consent it takes all of them."""
        name = KEY.get(self.entity)
        if name is None or name not in self.named_columns:
            return self.all_columns
        return [self.named_columns[name]]

    @property
    def value_rules(self) -> dict[str, tuple[str, ...]]:
        """What the YAML says of values, by the file's column, in its words: of `exclude`, and of
        `kind`.
        """
        rules = {column: tuple(map(str, said)) for column, said in self.exclude.items()}
        if isinstance(self.kind, KindColumn):
            column = self.kind.column
            rules[column] = (*rules.get(column, ()), *self.kind.map)
        return rules

    def rule(self, column: str) -> Rule:
        """The conditions of `exclude` for a column; none fulfils any where there are none."""
        return Rule(self.exclude.get(column, ()), self.decimal)

    @property
    def needed_columns(self) -> set[str]:
        """The file's columns without which none of its rows can be taken."""
        needed = {*REQUIRED[self.entity], "source_event_id"}
        if self.entity == "consent" and len({"granted_at", "withdrawn_at"} & {*self.columns}) == 1:
            needed |= {"granted_at", "withdrawn_at"}
        columns = {theirs for ours, theirs in self.named_columns.items() if ours in needed}
        return columns | ({self.kind.column} if isinstance(self.kind, KindColumn) else set())

    @property
    def guarding_columns(self) -> set[str]:
        """The file's columns without which a row would be read as something else."""
        named = self.named_columns.items()
        return {*self.value_rules, *(theirs for ours, theirs in named if ours in GUARDING)}

    @property
    def last_columns(self) -> set[str]:
        """The file's columns up to which each row has to say something, or delimiters."""
        amounts = {theirs for ours, theirs in self.named_columns.items() if ours in MEASURING}
        # An order without a status is one; a card, or a consent, may have been taken back.
        guards = set() if self.entity == "interaction" else self.guarding_columns
        return self.needed_columns | amounts | guards

    def uses_of(self, column: str) -> list[str]:
        """What the YAML takes a column of the file for."""
        uses = [ours for ours, theirs in self.named_columns.items() if theirs == column]
        uses += [ours for ours, product in self.products.items() if column in product.factors]
        uses += ["exclude"] if column in self.exclude else []
        return uses + (
            ["kind"] if isinstance(self.kind, KindColumn) and self.kind.column == column else []
        )


def zone_of(source: Source, policy: Policy) -> ZoneInfo:
    """Of times that name none: the source's, or the brand's."""
    return ZoneInfo(source.time_zone) if source.time_zone else policy.brand.zone


def expand(text: str, where: str) -> str:
    """The text with ${NAME} filled in from the environment; REENGAGE_HOME is always known.

    Raises ConfigurationError where a variable is not set.
    """
    known = {**os.environ, "REENGAGE_HOME": str(settings().home)}
    for name in re.findall(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", text):
        if name not in known:
            raise ConfigurationError(
                f"{where} uses ${{{name}}}, but {name} is not set: export {name}=… first."
            )
    return re.sub(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", lambda m: known[m.group(1)], text)


def read_source(file: Path) -> Source:
    """One source YAML. Raises ConfigurationError: the file, the key, what is allowed."""
    text, content = read_yaml(file, "source", Texts)
    if not isinstance(content, dict):
        raise ConfigurationError(f"The source {file} is no YAML mapping.")
    try:
        source = Source.model_validate(
            {**content, "mapping_hash": hashlib.sha256(text.encode()).hexdigest()[:16]}
        )
    except ValidationError as error:
        raise ConfigurationError(f"The source {file} {explain(error, text, Source)}") from error
    path = expand(source.path, str(file))
    try:
        check_path(path, has_connection=bool(source.connection and source.path))
    except ValueError as error:
        raise ConfigurationError(f"The source {file}: {error}.") from None
    if path and not is_address(path):
        path = str(file.parent / path)  # relative to the YAML, wherever the command is typed
    marker = source.complete_marker and expand(source.complete_marker, str(file))
    return source.model_copy(
        update={"path": path, "complete_marker": marker and str(file.parent / marker)}
    )


def read_sources(folder: Path | None = None) -> list[Source]:
    """All sources of this installation, contacts first (they say whose ids the others use).

    Raises ConfigurationError for a folder without sources, and for two of one name and entity.
    """
    folder = folder or settings().sources
    files = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    if not files:
        raise ConfigurationError(
            f"No source in {folder}: put a YAML file there (see the *.yaml.example files in "
            "include/sources), or set REENGAGE_SOURCES to the folder that has them."
        )
    sources = [read_source(file) for file in files]
    seen: dict[str, Path] = {}
    for source, file in zip(sources, files, strict=True):
        if source.name in seen:
            raise ConfigurationError(
                f"{file} and {seen[source.name]} are both called {source.name}: rename one."
            )
        seen[source.name] = file
    return sorted(sources, key=lambda s: ENTITIES.index(s.entity))
