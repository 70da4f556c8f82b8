"""Row by row: what a source said, as typed values, with the reason for each that cannot be one."""

import functools
import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import phonenumbers

from reengage.messages import phone_hash
from reengage.policy import Policy
from reengage.sources import Constant, KindColumn, Source
from reengage.sources.ids import normal_id

# What people type into a card's id of another source where there is none.
NO_ID = {"-", "--", "na", "none", "null", "unknown", "n.a."}
NOTHING = {"", "\\N", "NULL", "null", "NaN", "nan", "NaT", "None", "N/A"}
NAMES = {"first_name", "last_name", "wording"}  # in which NULL may be what somebody is called
DATE = re.compile(r"(\d{4})[-/.]?(\d{2})[-/.]?(\d{2})", re.ASCII)
PLAIN_AMOUNT = re.compile(r"-?\d{1,15}(\.\d{1,20})?", re.ASCII)
LONGEST_NAME = 200
LONGEST_URL = 2000
HOST = re.compile(r"([^\W_]([\w-]*[^\W_])?\.)+[^\W_]([\w-]*[^\W_])?")
NOT_IN_URL = re.compile(r"""[\s\x00-\x1f\x7f"'<>\\^`{|}]""")
YES = {"true", "t", "yes", "y", "on"}
NO = {"false", "f", "no", "n", "off"}
IN_STOCK = {"instock", "available"}
OUT_OF_STOCK = {"outofstock", "soldout", "unavailable", "discontinued"}
AGREED = {"1", "1.0", "subscribed", "optin", "optedin", "accepted", "granted"}
REFUSED = {"0", "0.0", "unsubscribed", "optout", "optedout", "declined", "withdrawn", "revoked"}
# Dates that databases write where there is none: the year 0 or 9999, in any order of its parts, or
# nothing but zeros.
NO_DAY = re.compile(
    r"(?:[^\W_]{1,9}[-./, ]+){0,2}(?:0000|9999)(?:\d{4})?(?:\D.*)?|0+(?:\.0+)?"
    r"|25340[23]\d{6}(?:\d{3})?",
    re.ASCII | re.DOTALL,
)
NOT_WITHDRAWN = "is no day (the year 0 or 9999, or no): read as not withdrawn"
# Another word here has all files of consents read again: their rows mean something else now.
CONSENTS_READ = "refusals and days that are none are heard"
UNREADABLE = "cannot be read: read as withdrawn"
LONGEST_ID = 200  # of what names a row: longer ones are no ids, and no index holds them
quoted = json.encoder.encode_basestring_ascii
ZONES = frozenset(available_timezones())

# The typed columns of raw.<entity> that come after the common ones, in the order of `typed`.
TYPED: dict[str, tuple[str, ...]] = {
    "contact": (
        "source_contact_id", "phone", "phone_hash", "email", "first_name", "last_name",
        "language", "country", "time_zone", "lifecycle_class", "created_on", "loyalty_card_id",
        "shop_account_id",
    ),
    "interaction": (
        "contact_source", "source_contact_id", "kind", "occurred_at", "amount", "currency",
        "product_id", "coupon_code",
    ),
    "consent": (
        "contact_source", "source_contact_id", "channel", "purpose", "basis", "granted_at",
        "withdrawn_at", "wording", "language",
    ),
    "product": (
        "source_product_id", "name", "category", "url", "image_url", "price", "currency",
        "available",
    ),
}  # fmt: skip


class Moment(NamedTuple):
    """A time, and the brand's day it falls on."""

    at: datetime
    on: date


class Good(NamedTuple):
    """A row that can be loaded. record: JSON, as the source said it. record_hash: of the record and
    of the mapping it was read by. record_key: the source's id; where it has none, a hash of the
    record that ends in #1, until raw/key_rows counts its likes.
    """

    record_key: str
    record_hash: str
    dated_on: date | None
    is_excluded: bool
    problems: dict[str, str]
    record: str
    typed: tuple[Any, ...]


class Bad(NamedTuple):
    """A row that cannot be loaded, and why. record: JSON."""

    reason: str
    record: str


class BadValue(ValueError):
    """Why a value is not what its column wants. Never holds the value: it may be personal."""


class Cleaner:
    """Turns the records of one source into typed rows."""

    def __init__(self, source: Source, policy: Policy, hash_key: str) -> None:
        self.source = source
        self.brand = policy.brand
        self.zone = ZoneInfo(source.time_zone) if source.time_zone else policy.brand.zone
        self.hash_key = hash_key
        self._moments: dict[str, Moment | BadValue] = {}
        self._clean: Callable[[dict[str, str | None], dict[str, str]], tuple[Any, ...]] = getattr(
            self, f"_{source.entity}"
        )
        # What no fact means: of a consent, that it is refused.
        self._clean_excluded = self._refusal if source.entity == "consent" else self._clean
        self._named = list(source.named_columns.items())
        self._kind = source.kind if isinstance(source.kind, str) else None
        self._kind_column = source.kind.column if isinstance(source.kind, KindColumn) else None
        self._kinds = source.kind.map if isinstance(source.kind, KindColumn) else {}
        self._json = [(name, f"{quoted(name)}: ") for name in source.all_columns]
        self._has_event_id = "source_event_id" in source.columns
        self.meaning = _meaning(source, policy)
        self._exclude = [(name, frozenset(values)) for name, values in source.exclude.items()]
        self._constants = {
            ours: str(theirs.value)
            for ours, theirs in source.columns.items()
            if isinstance(theirs, Constant)
        }

    def __call__(self, record: dict[str, str | None]) -> Good | Bad | None:
        """One record as a Good or a Bad row; None where it is no fact and cannot be one either,
        such as a cancelled order without a date. Never raises for what is in the record.
        """
        said = self._said(record)
        if "\\u0000" in said or "\\ud" in said:  # NUL; half a character, or an emoji
            record, has_nul = _storable(record)
            said = self._said(record)
            if has_nul:
                return Bad("holds NUL bytes", said)
        values: dict[str, str | None] = dict(self._constants)
        for ours, theirs in self._named:
            value = record[theirs]
            if value:
                value = value.strip()
            values[ours] = None if not value or (value in NOTHING and ours not in NAMES) else value
        is_fact = True
        if self._kind_column:
            said_kind = (record[self._kind_column] or "").strip()
            values["kind"] = self._kinds.get(said_kind)
            is_fact = values["kind"] is not None
        for name, unwanted in self._exclude:
            is_fact = is_fact and (record[name] or "").strip() not in unwanted
        problems: dict[str, str] = {}
        digest = hashlib.md5(said.encode(), usedforsecurity=False).hexdigest()
        try:
            is_fact = is_fact and not _says_no(values.get("subscribed"))
            clean = self._clean if is_fact else self._clean_excluded
            key, dated_on, typed = clean(values, problems)
        except BadValue as error:
            return Bad(str(error), said) if is_fact else None
        return Good(
            key or f"{digest}#1", self.meaning + digest, dated_on, not is_fact, problems, said,
            typed,
        )  # fmt: skip

    def _said(self, record: dict[str, str | None]) -> str:
        """The record as JSON, about twice as fast as json.dumps."""
        said = [
            name + ("null" if (value := record[column]) is None else quoted(value))
            for column, name in self._json
        ]
        return "{" + ", ".join(said) + "}"

    # --- the entities: (record_key, dated_on, typed values) ---------------------------------------

    def _contact(self, values: dict[str, str | None], problems: dict[str, str]) -> tuple[Any, ...]:
        get = values.get
        contact_id = self._id(values, "source_contact_id")
        country = self._field("country", get("country"), problems, _country)
        phone = self._field("phone", get("phone"), problems, lambda v: self._phone(v, country))
        created = self._field("created_at", get("created_at"), problems, self._moment)
        typed = (
            contact_id,
            phone,
            phone_hash(phone, self.hash_key) if phone else None,
            self._field("email", get("email"), problems, _email),
            get("first_name"),
            get("last_name"),
            self._field("language", get("language"), problems, _language),
            country,
            self._field("time_zone", get("time_zone"), problems, _time_zone),
            get("lifecycle_class"),
            created and created.on,
            self._field("loyalty_card_id", get("loyalty_card_id"), problems, _joining_id),
            self._field("shop_account_id", get("shop_account_id"), problems, _joining_id),
        )
        return contact_id, created and created.on, typed

    def _interaction(
        self, values: dict[str, str | None], problems: dict[str, str]
    ) -> tuple[Any, ...]:
        get = values.get
        contact_id = self._id(values, "source_contact_id")
        event_id = self._id(values, "source_event_id") if self._has_event_id else None
        occurred = get("occurred_at")
        if occurred is None:
            raise BadValue("occurred_at is missing")
        moment = self._moment(occurred, "occurred_at")
        typed = (
            self._contact_source(values),
            contact_id,
            self._kind or get("kind") or "none",
            moment.at,
            self._field("amount", get("amount"), problems, _amount),
            self._field("currency", get("currency"), problems, _currency) or self.brand.currency,
            self._field("product_id", get("product_id"), problems, _id),
            get("coupon_code"),
        )
        return event_id, moment.on, typed

    def _consent(self, values: dict[str, str | None], problems: dict[str, str]) -> tuple[Any, ...]:
        is_withdrawn, withdrawn = self._withdrawal(values, problems)
        try:
            granted = self._grant(values)
        except BadValue as error:
            if not is_withdrawn:
                raise
            # A withdrawal is heard, whatever is wrong with the grant.
            granted, problems["granted_at"] = None, str(error)
        if granted is None and not is_withdrawn:
            raise BadValue("neither granted_at nor withdrawn_at is there")
        if is_withdrawn and withdrawn is None:
            # Nobody knows when: from the first, then, rather than not at all. Without a grant, it
            # is from the load on.
            withdrawn = granted
        return self._of_consent(values, problems, granted, withdrawn)

    def _refusal(self, values: dict[str, str | None], problems: dict[str, str]) -> tuple[Any, ...]:
        """A row that is excluded, or says no: it is heard, whatever can be read of its dates."""
        granted = self._field("granted_at", values.get("granted_at"), problems, self._moment)
        _, withdrawn = self._withdrawal(values, problems)
        key, _, typed = self._of_consent(values, problems, granted, withdrawn)
        return key, None, typed

    def _grant(self, values: dict[str, str | None]) -> Moment | None:
        """When it was given. Raises BadValue where that, or whether it was, cannot be told."""
        if "subscribed" in self.source.columns:
            if (said := values.get("subscribed")) is None:
                raise BadValue("subscribed is missing")
            _yes_or_no(said, AGREED, REFUSED, "subscribed ")
        value = values.get("granted_at")
        return self._moment(value, "granted_at") if value else None

    def _withdrawal(
        self, values: dict[str, str | None], problems: dict[str, str]
    ) -> tuple[bool, Moment | None]:
        """Whether it was withdrawn, and when, if that can be read."""
        value = values.get("withdrawn_at")
        if value is None:
            return False, None
        try:
            return True, self._moment(value)
        except BadValue:
            is_none = bool(NO_DAY.fullmatch(value)) or value.lower() in NO
            problems["withdrawn_at"] = NOT_WITHDRAWN if is_none else UNREADABLE
            return not is_none, None

    def _of_consent(
        self,
        values: dict[str, str | None],
        problems: dict[str, str],
        granted: Moment | None,
        withdrawn: Moment | None,
    ) -> tuple[Any, ...]:
        get = values.get
        contact_id = self._id(values, "source_contact_id")
        channel = (get("channel") or "sms").lower()
        purpose = (get("purpose") or "marketing").lower()
        typed = (
            self._contact_source(values),
            contact_id,
            channel,
            purpose,
            get("basis"),
            granted and granted.at,
            withdrawn and withdrawn.at,
            get("wording"),
            self._field("language", get("language"), problems, _language),
        )
        if max(len(channel), len(purpose)) > LONGEST_ID:
            raise BadValue(f"channel or purpose is longer than {LONGEST_ID} characters")
        first = granted or withdrawn
        at = first.at.isoformat() if first else "undated"
        # A bare withdrawal does not wait for its day: it is to be heard before the next sending,
        # and whoever asks compares its time.
        day = granted.on if granted else None
        return f"{typed[0]}/{contact_id}/{channel}/{purpose}/{at}", day, typed

    def _product(self, values: dict[str, str | None], problems: dict[str, str]) -> tuple[Any, ...]:
        get = values.get
        product_id = self._id(values, "source_product_id")
        typed = (
            product_id,
            self._field("name", get("name"), problems, _name),
            self._field("category", get("category"), problems, _name),
            self._field("url", get("url"), problems, _url),
            self._field("image_url", get("image_url"), problems, _url),
            self._field("price", get("price"), problems, _amount),
            self._field("currency", get("currency"), problems, _currency) or self.brand.currency,
            self._field("available", get("available"), problems, _is_in_stock),
        )
        return product_id, None, typed

    # --- values -----------------------------------------------------------------------------------

    def _id(self, values: dict[str, str | None], name: str) -> str:
        value = values.get(name)
        try:
            found = _id(value) if value else ""
        except BadValue as error:
            raise BadValue(f"{name} {error}") from None
        if not found:
            raise BadValue(f"{name} is missing")
        return found

    def _contact_source(self, values: dict[str, str | None]) -> str:
        # Sources are named in small letters.
        if values.get("contact_source") is None:
            return self.source.source
        return self._id(values, "contact_source").lower()

    def _field(
        self,
        name: str,
        value: str | None,
        problems: dict[str, str],
        convert: Callable[[str], Any],
    ) -> Any:
        if value is None:
            return None
        try:
            return convert(value)
        except BadValue as error:
            problems[name] = str(error)
            return None

    def _moment(self, value: str, name: str = "it") -> Moment:
        """A time as the source writes it. A date alone is the brand's and is not shifted."""
        known = self._moments.get(value)
        if known is None:
            if len(self._moments) > 100_000:
                self._moments.clear()
            try:
                known = self._parse(value)
            except BadValue as error:
                known = error
            self._moments[value] = known
        if isinstance(known, BadValue):
            raise BadValue(f"{name} {known}")
        return known

    def _parse(self, value: str) -> Moment:
        brand = self.brand.zone
        try:
            if self.source.time_format:
                at = datetime.strptime(value, self.source.time_format)  # noqa: DTZ007
                alone = not re.search("%[HIMSscXpf]", self.source.time_format)
            elif match := DATE.fullmatch(value):
                year, month, day = map(int, match.groups())
                at = datetime(year, month, day)  # noqa: DTZ001
                alone = True
            elif re.fullmatch(r"\d{10}(\d{3})?", value):  # seconds or milliseconds since 1970
                at = datetime.fromtimestamp(int(value) / (1000 if len(value) == 13 else 1), UTC)
                alone = False
            else:
                at = datetime.fromisoformat(re.sub(r" (?=[+-]\d\d:?\d\d$)| UTC$", "", value))
                if value.endswith(" UTC"):
                    at = at.replace(tzinfo=UTC)
                alone = False
        except (ValueError, OverflowError):
            raise BadValue("is no time that can be read") from None
        if not 1900 <= at.year <= 9000:
            raise BadValue(f"is no time that can be true (year {at.year})")
        if alone:
            midnight = datetime.combine(at.date(), time.min, brand)
            return Moment(midnight.astimezone(UTC), at.date())
        if at.tzinfo is None:
            at = at.replace(tzinfo=self.zone)
        return Moment(at.astimezone(UTC), at.astimezone(brand).date())

    def _phone(self, value: str, country: str | None) -> str:
        try:
            number = phonenumbers.parse(value, country or self.brand.country)
        except phonenumbers.NumberParseException:
            raise BadValue("is no phone number") from None
        if not phonenumbers.is_valid_number(number):
            raise BadValue("is no valid phone number")
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _meaning(source: Source, policy: Policy) -> str:
    """A short hash of all that turns a record into values: where it changes, so may the values."""
    said = source.model_dump_json(
        include={"kind", "columns", "exclude", "time_zone", "time_format"}
    )
    brand = policy.brand
    if source.entity == "consent":
        said += CONSENTS_READ
    said += f"{brand.time_zone}{brand.country}{brand.currency}"
    return hashlib.md5(said.encode(), usedforsecurity=False).hexdigest()[:8]


def _id(value: str) -> str:
    try:
        found = normal_id(value)
    except ValueError as error:
        raise BadValue(str(error)) from None
    if len(found) > LONGEST_ID:
        raise BadValue(f"is longer than {LONGEST_ID} characters")
    return found


def _joining_id(value: str) -> str | None:
    """A card's id of another source; None where somebody has typed that there is none."""
    found = _id(value)
    return None if found.lower() in NO_ID or not found.strip("0-") else found


def _email(value: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
        raise BadValue("is no email address")
    return value.lower()


@functools.lru_cache(1000)
def _language(value: str) -> str:
    match = re.fullmatch(r"([A-Za-z]{2})([-_].*)?", value)
    if not match:
        raise BadValue("is no language code like en")
    return match.group(1).lower()


@functools.lru_cache(1000)
def _country(value: str) -> str:
    if value.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise BadValue("is no country code like US")
    return value.upper()


def _time_zone(value: str) -> str:
    if value not in ZONES:
        raise BadValue("is no time zone like America/New_York")
    return value


def _amount(value: str) -> str:
    """As PostgreSQL takes it: a plain number."""
    if PLAIN_AMOUNT.fullmatch(value):
        return value
    try:
        amount = Decimal(value) if value.isascii() and "_" not in value else None
    except InvalidOperation:
        amount = None
    if amount is None:
        raise BadValue("is no number")
    if not amount.is_finite() or len(value) > 60 or (amount and not -20 < amount.adjusted() < 15):
        raise BadValue("is no amount of money")
    return f"{amount:f}"


@functools.lru_cache(1000)
def _currency(value: str) -> str:
    if not re.fullmatch("[A-Za-z]{3}", value):
        raise BadValue("is no currency code like USD")
    return value.upper()


def _name(value: str) -> str:
    """A name in one line, as a text or a page can show it."""
    name = " ".join(value.split())
    if len(name) > LONGEST_NAME:
        raise BadValue(f"is longer than {LONGEST_NAME} characters")
    if not name.isprintable():
        raise BadValue("holds characters that cannot be shown")
    return name


def _url(value: str) -> str:
    """An address that may be shown to customers as a link: https, of a host, nobody's password."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BadValue("is no web address") from None
    if parts.scheme != "https" or not host or not HOST.fullmatch(host):
        raise BadValue("is no https address")
    if "@" in parts.netloc or NOT_IN_URL.search(value) or len(value) > LONGEST_URL:
        raise BadValue("is no web address that can be linked to")
    return value


def _yes_or_no(value: str, yes: set[str], no: set[str], name: str = "") -> bool:
    """As people write it; yes, no: what else means so here."""
    said = value if PLAIN_AMOUNT.fullmatch(value) else re.sub(r"[\s_-]", "", value).lower()
    if said not in YES | NO | yes | no:
        raise BadValue(f"{name}is neither yes nor no")
    return said in YES | yes


def _says_no(value: str | None) -> bool:
    """Whether it is plainly no."""
    try:
        return value is not None and not _yes_or_no(value, AGREED, REFUSED)
    except BadValue:
        return False


def _is_in_stock(value: str) -> bool:
    """Also as product feeds say it (in_stock, "out of stock"), or by how many there are."""
    if PLAIN_AMOUNT.fullmatch(value):
        return float(value) > 0
    return _yes_or_no(value, IN_STOCK, OUT_OF_STOCK)


def _storable(record: dict[str, str | None]) -> tuple[dict[str, str | None], bool]:
    """The record without what PostgreSQL cannot hold, and whether a NUL was in it."""
    has_nul = any(value and "\x00" in value for value in record.values())
    return {
        name: value.replace("\x00", "�").encode("utf-8", "replace").decode() if value else value
        for name, value in record.items()
    }, has_nul
