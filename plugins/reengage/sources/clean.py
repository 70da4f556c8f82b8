"""Row by row: what a source said, as typed values, with the reason for each that cannot be one."""

import functools
import hashlib
import json
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import phonenumbers

from reengage.messages import phone_hash
from reengage.policy import Policy
from reengage.sources import Constant, KindColumn, Source, folded
from reengage.sources.files import Guessed
from reengage.sources.names import makes_sense
from reengage.sources.times import BadTime, Moment, Times

# What people type into a card's id of another source where there is none.
NO_ID = {"-", "--", "na", "none", "null", "unknown", "n.a."}
JOINING_IDS = {"loyalty_card_id", "shop_account_id"}
NOTHING = {"", "\\N", "NULL", "null", "NaN", "nan", "NaT", "None", "N/A"}
NAMES = {"first_name", "last_name", "wording"}  # in which NULL may be what somebody is called
PLAIN_AMOUNT = re.compile(r"-?\d{1,15}(\.\d{1,20})?", re.ASCII)
LONGEST_NAME = 200
LONGEST_URL = 2000
HOST = re.compile(r"([^\W_]([\w-]*[^\W_])?\.)+[^\W_]([\w-]*[^\W_])?")
NOT_IN_URL = re.compile(r"""[\s\x00-\x1f\x7f"'<>\\^`{|}]""")
YES = {"true", "t", "yes", "y", "instock", "available"}
NO = {"false", "f", "no", "n", "outofstock", "soldout", "unavailable", "discontinued"}
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


class Good(NamedTuple):
    """A row that can be loaded. record: JSON, as the source said it. record_hash: of the record and
    of the mapping it was read by; with a ~ where only case or blanks tell a value from the YAML's,
    which once were compared. record_key: the source's id; where it has none, a hash of the
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


class _Verdict(NamedTuple):
    """What a word makes of its row. is_anew: only case or blanks tell it from the YAML's."""

    is_fact: bool
    is_anew: bool
    kind: str | None


class BadValue(ValueError):
    """Why a value is not what its column wants. Never holds the value: it may be personal."""


class Cleaner:
    """Turns the records of one source into typed rows."""

    def __init__(self, source: Source, policy: Policy, hash_key: str) -> None:
        self.source = source
        self.brand = policy.brand
        self.zone = ZoneInfo(source.time_zone) if source.time_zone else policy.brand.zone
        self.times = Times(source.time_format, self.zone, policy.brand.zone)
        self.hash_key = hash_key
        self._moments: dict[str, Moment | BadValue] = {}
        self._clean: Callable[[dict[str, str | None], dict[str, str]], tuple[Any, ...]] = getattr(
            self, f"_{source.entity}"
        )
        self._named = list(source.named_columns.items())
        self._names = [n for n in ("first_name", "last_name") if n in source.columns]
        self._kind = source.kind if isinstance(source.kind, str) else None
        self._kind_column = source.kind.column if isinstance(source.kind, KindColumn) else None
        kinds = source.kind.map if isinstance(source.kind, KindColumn) else {}
        self._kinds = {**{folded(value): kind for value, kind in kinds.items()}, **kinds}
        self._json = [(name, f"{quoted(name)}: ") for name in source.all_columns]
        self._has_event_id = "source_event_id" in source.columns
        self.meaning = _meaning(source, policy)
        # What the values of a column mean that the YAML has words for, as they come.
        self._verdicts: dict[str, dict[str | None, _Verdict]] = {
            column: {} for column in source.value_rules
        }
        self._constants = {
            ours: str(theirs.value)
            for ours, theirs in source.columns.items()
            if isinstance(theirs, Constant)
        }

    def __call__(self, record: dict[str, str | None]) -> Good | Bad | None:
        """One record as a Good or a Bad row; None where it is no fact and cannot be one either,
        such as a cancelled order without a date. Never raises for what is in the record.
        """
        said, is_guess = self._said(record), isinstance(record, Guessed)
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
            if ours in JOINING_IDS and value and (value.lower() in NO_ID or not value.strip("0-")):
                values[ours] = None
        is_fact, is_anew = True, False
        for column, known in self._verdicts.items():
            word = record[column]
            verdict = known.get(word) or self._judge(column, word, known)
            is_fact &= verdict.is_fact
            is_anew |= verdict.is_anew
            if column == self._kind_column:
                values["kind"] = verdict.kind
        problems: dict[str, str] = {}
        if self._names:
            self._drop_odd_names(values, problems, is_guess=is_guess)
        digest = hashlib.md5(said.encode(), usedforsecurity=False).hexdigest()
        try:
            key, dated_on, typed = self._clean(values, problems)
        except BadValue as error:
            return Bad(str(error), said) if is_fact else None
        return Good(
            key or f"{digest}#1", self.meaning + digest + "~" * is_anew, dated_on, not is_fact,
            problems, said, typed,
        )  # fmt: skip

    def _said(self, record: dict[str, str | None]) -> str:
        """The record as JSON, about twice as fast as json.dumps."""
        said = [
            name + ("null" if (value := record[column]) is None else quoted(value))
            for column, name in self._json
        ]
        return "{" + ", ".join(said) + "}"

    def _judge(
        self, column: str, value: str | None, known: dict[str | None, "_Verdict"]
    ) -> "_Verdict":
        """What a value of a column means by the words of the YAML, whatever its case and blanks."""
        exact, word = (value or "").strip(), folded(value)
        words = self.source.value_rules[column]
        kind, is_fact = None, True
        if column == self._kind_column:
            kind = self._kinds.get(exact) or self._kinds.get(word)
            is_fact = kind is not None
        unwanted = self.source.exclude.get(column, ())
        is_fact = is_fact and word not in map(folded, unwanted)
        is_anew = exact not in words and word in map(folded, words)
        if len(known) > 10_000:
            known.clear()
        known[value] = _Verdict(is_fact, is_anew, kind)
        return known[value]

    def _drop_odd_names(
        self, values: dict[str, str | None], problems: dict[str, str], *, is_guess: bool
    ) -> None:
        """Nobody is greeted by letters that are not theirs."""
        for name in self._names:
            value = values[name]
            if value is None or value.isascii():
                continue
            country = (values.get("country") or self.brand.country).upper()
            if not makes_sense(value, country, is_guess=is_guess):
                values[name] = None
                problems[name] = "holds letters that make no sense: say the file's `encoding`"

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
            self._field("loyalty_card_id", get("loyalty_card_id"), problems, _id),
            self._field("shop_account_id", get("shop_account_id"), problems, _id),
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
            get("product_id"),
            get("coupon_code"),
        )
        return event_id, moment.on, typed

    def _consent(self, values: dict[str, str | None], problems: dict[str, str]) -> tuple[Any, ...]:
        get = values.get
        contact_id = self._id(values, "source_contact_id")
        granted = self._moment(value, "granted_at") if (value := get("granted_at")) else None
        withdrawn = self._field("withdrawn_at", get("withdrawn_at"), problems, self._moment)
        if get("withdrawn_at") and not withdrawn:
            # Withdrawn, nobody knows when: from the first, then, rather than not at all.
            withdrawn = granted
        first = granted or withdrawn
        if first is None:
            raise BadValue("neither granted_at nor withdrawn_at is there")
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
        at = first.at.isoformat()
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
            self._field("available", get("available"), problems, _yes_or_no),
        )
        return product_id, None, typed

    # --- values -----------------------------------------------------------------------------------

    def _id(self, values: dict[str, str | None], name: str) -> str:
        value = values.get(name)
        if value is None:
            raise BadValue(f"{name} is missing")
        if len(value) > LONGEST_ID:
            raise BadValue(f"{name} is longer than {LONGEST_ID} characters")
        return value

    def _contact_source(self, values: dict[str, str | None]) -> str:
        if values.get("contact_source") is None:
            return self.source.source
        return self._id(values, "contact_source")

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
        try:
            return self.times(value)
        except BadTime as error:
            raise BadValue(str(error)) from None

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
    if "%Z" in str(source.time_format):
        said += "the zone counts"
    brand = policy.brand
    said += f"{brand.time_zone}{brand.country}{brand.currency}"
    return hashlib.md5(said.encode(), usedforsecurity=False).hexdigest()[:8]


def _id(value: str) -> str:
    if len(value) > LONGEST_ID:
        raise BadValue(f"is longer than {LONGEST_ID} characters")
    return value


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


def _yes_or_no(value: str) -> bool:
    """As shops write it, as product feeds do (in_stock, "out of stock"), or how many there are."""
    if PLAIN_AMOUNT.fullmatch(value):
        return float(value) > 0
    said = re.sub(r"[\s_-]", "", value).lower()
    if said not in YES | NO:
        raise BadValue("is neither yes nor no")
    return said in YES


def _storable(record: dict[str, str | None]) -> tuple[dict[str, str | None], bool]:
    """The record without what PostgreSQL cannot hold, and whether a NUL was in it."""
    has_nul = any(value and "\x00" in value for value in record.values())
    return {
        name: value.replace("\x00", "�").encode("utf-8", "replace").decode() if value else value
        for name, value in record.items()
    }, has_nul
