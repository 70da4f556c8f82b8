"""Row by row: what a source said, as typed values, with the reason for each that cannot be one."""

import functools
import hashlib
import json
import re
import sys
from collections.abc import Callable, Sequence
from datetime import date
from itertools import chain
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from reengage.ingest.sources import (
    KEY,
    MONEY,
    Constant,
    KindColumn,
    Multiplied,
    Source,
    flags,
    numerals,
    territories,
    times,
    zone_of,
)
from reengage.ingest.sources.codes import spelled_out
from reengage.ingest.sources.conditions import LONGEST_WORD, NOTHING, begins_anew, folded
from reengage.ingest.sources.flags import is_no, is_yes
from reengage.ingest.sources.ids import is_email, normal_id
from reengage.ingest.sources.names import makes_sense
from reengage.ingest.sources.numerals import BadValue, Money
from reengage.ingest.sources.placeholders import is_no_email, is_no_id, joins_nobody
from reengage.ingest.sources.records import Guessed
from reengage.ingest.sources.times import (
    LAST_YEAR,
    BadTime,
    Moment,
    Times,
    UnreadableTime,
    how_to_read,
    impossible,
)
from reengage.phones.hashes import PhoneKey
from reengage.policy import Policy, time_zone
from reengage.spreadsheet import unquoted

NAMES = {"first_name", "last_name", "wording"}  # in which NULL may be what somebody is called
WHOLE_OR_DECIMAL = re.compile(r"-?\d{1,15}(\.\d{1,20})?", re.ASCII)
# Characters of a field, before anything looks at what it says: an index holds no more, a text shows
# none of it, and a pattern may take the square of its length. 200 where nothing else is said.
LONGEST_FIELD = 200
LONGEST = {"email": 254, "url": 2000, "image_url": 2000, "coupon_code": 500, "wording": 4000}
# What rejects its row, where it is too long, instead of being emptied.
REJECTING = {
    "source_contact_id",
    "contact_source",
    "source_event_id",
    "source_product_id",
    "channel",
    "purpose",
    "occurred_at",
    "granted_at",
    "withdrawn_at",
    "subscribed",
    "created_at",
}
# Counted on where other rules than before read the same card: its files are read again.
RULES = {"contact": "6"}
# The same of orders and products, of which many more are read: their files are read again, and of
# their rows those taken anew that say what the rules are about (`Cleaner._reads_anew`).
ROW_RULES = {"interaction": "rows3", "product": "rows3"}
# Under which name the currencies are kept that stand beside the factors of a product.
BESIDE = "currencies beside"
# Why a row that names nobody is rejected.
WITHOUT_ID = "source_contact_id is missing"
# Why one is that does not say whether anything is agreed to: many people were never asked.
SAYS_NOTHING = "says neither yes nor a day: nothing is granted by it"
# Nor is anything granted by one of another word, or none, beside a date.
UNKNOWN_FLAG = "subscribed is neither yes nor no: who had said yes is taken to have withdrawn"
NO_FLAG = "subscribed is missing: who had said yes is taken to have withdrawn"
TAKES_BACK = (SAYS_NOTHING, UNKNOWN_FLAG, NO_FLAG)
UNDATED = "says no date, so since when it is granted is not known"
HOST = re.compile(r"([^\W_]([\w-]*[^\W_])?\.)+[^\W_]([\w-]*[^\W_])?")
NOT_IN_URL = re.compile(r"""[\s\x00-\x1f\x7f"'<>\\^`{|}]""")
# Dates that databases write where there is none: the year 0 or 9999, in any order of its parts, or
# nothing but zeros.
NO_DAY = re.compile(
    r"(?:[^\W_]{1,9}[-./, ]+){0,2}(?:0000|9999)(?:\d{4})?(?:\D.*)?|0+(?:\.0+)?"
    r"|25340[23]\d{6}(?:\d{3})?",
    re.ASCII | re.DOTALL,
)
UNKNOWN_DAYS = {date(1900, 1, 1), date(1970, 1, 1)}
NOT_WITHDRAWN = "is no day (the year 0 or 9999, or no): read as not withdrawn"
# Another word here has all files of consents read again: their rows mean something else now.
CONSENTS_READ = (
    "refusals, days that are none, marked cells, flags, channels, purposes, dated refusals heard"
)
UNKNOWN_CHANNEL = "is no channel that is known: what is taken back is taken back for texts, too"
UNKNOWN_PURPOSE = "is no purpose that is known: what is taken back is taken back for ours, too"
UNREADABLE = "cannot be read: read as withdrawn"
MARKS = ("=", "'", '"')  # with which a spreadsheet says that a cell is text
IDS = {"source_event_id", "source_contact_id", "source_product_id", "product_id"}
LONGEST_ID = 200  # of what names a row: longer ones are no ids, and no index holds them
quoted = json.encoder.encode_basestring_ascii

# The typed columns of raw.<entity> that come after the common ones, in the order of `typed`.
TYPED: dict[str, tuple[str, ...]] = {
    "contact": (
        "source_contact_id",
        "phone",
        "phone_hash",
        "phone_kind",
        "email",
        "first_name",
        "last_name",
        "language",
        "country",
        "time_zone",
        "lifecycle_class",
        "created_on",
        "loyalty_card_id",
        "shop_account_id",
    ),
    "interaction": (
        "contact_source",
        "source_contact_id",
        "kind",
        "occurred_at",
        "amount",
        "currency",
        "product_id",
        "coupon_code",
    ),
    "consent": (
        "contact_source",
        "source_contact_id",
        "channel",
        "purpose",
        "basis",
        "granted_at",
        "withdrawn_at",
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


class Good(NamedTuple):
    """A row that can be loaded. record: JSON, as the source said it. record_hash: of the record and
    of the mapping it was read by; with a ~ for each rule that once read it otherwise. record_key:
    the source's id; where it has none, a hash of the record that ends in #1, until raw/key_rows
    counts its likes. lacks: what a line of an order does not say itself, so that it is rejected
    unless another line of the order does. has_status: whether a column that may exclude it says
    anything. also: another row that it comes to.
    """

    record_key: str
    record_hash: str
    dated_on: date | None
    is_excluded: bool
    problems: dict[str, str]
    record: str
    typed: tuple[Any, ...]
    lacks: str | None = None
    has_status: bool = False
    also: "Good | None" = None


class Bad(NamedTuple):
    """A row that cannot be loaded, and why. record: JSON. refusal: what it takes back all the same,
    if its source had said yes of this person. key: the record_key of what it is about, if that can
    be read: it is there, and not deleted.
    """

    reason: str
    record: str
    refusal: Good | None = None
    key: str | None = None


class _Verdict(NamedTuple):
    """What a word makes of its row. is_anew: only case or blanks tell it from the YAML's. problem:
    why it cannot be compared.
    """

    is_fact: bool
    is_anew: bool
    kind: str | None
    problem: str | None


class Cleaner:
    """Turns the records of one source into typed rows."""

    def __init__(self, source: Source, policy: Policy, hash_key: PhoneKey) -> None:
        self.source = source
        self.brand = policy.brand
        self.consent = policy.consent
        self.zone = zone_of(source, policy)
        self.times = Times(source.time_format, self.zone, policy.brand.zone)
        self.hash_key = hash_key
        self._moments: dict[str, Moment | BadTime] = {}
        # How times that cannot be read are written, by the first of them, of each of ours.
        self._hints: dict[str, str] = {}
        self._clean: Callable[[dict[str, str | None], dict[str, str]], tuple[Any, ...]] = getattr(
            self, f"_{source.entity}"
        )
        # What no fact means: of a consent, that it is refused.
        self._clean_excluded = self._refusal if source.entity == "consent" else self._clean
        self._named = [
            (ours, theirs, sys.maxsize if ours in REJECTING else LONGEST.get(ours, LONGEST_FIELD))
            for ours, theirs in source.named_columns.items()
        ]
        self._ids = [ours for ours, _, _ in self._named if ours in IDS]
        self._names = [n for n in ("first_name", "last_name") if n in source.columns]
        self._kind = source.kind if isinstance(source.kind, str) else None
        self._kind_column = source.kind.column if isinstance(source.kind, KindColumn) else None
        kinds = source.kind.map if isinstance(source.kind, KindColumn) else {}
        self._kinds = {**{folded(value): kind for value, kind in kinds.items()}, **kinds}
        self._json = [(name, f"{quoted(name)}: ") for name in source.all_columns]
        # With an id of its own, an order may stand in several rows.
        self._has_event_id = "source_event_id" in source.columns
        is_order = source.entity == "interaction" and self._has_event_id
        self._fillable = ("source_contact_id", "occurred_at") if is_order else ()
        self._statuses = [*source.exclude, *([self._kind_column] if self._kind_column else [])]
        # What the currency is where nothing is said: of an order, what its other lines say.
        says_currency = is_order and isinstance(source.columns.get("currency"), str)
        self._no_currency = None if says_currency else self.brand.currency
        self.meaning = _meaning(source, policy)
        # What the values of a column mean that the YAML has words for, as they come.
        self._verdicts: dict[str, dict[str | None, _Verdict]] = {
            column: {} for column in source.value_rules
        }
        self._rules = {column: source.rule(column) for column in source.value_rules}
        self._products = source.products
        # The file's columns that hold money, or what it is a product of.
        self._amounts = [
            name
            for ours, theirs in source.columns.items()
            if ours in MONEY
            for name in (theirs.factors if isinstance(theirs, Multiplied) else [theirs])
            if isinstance(name, str)
        ]
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
        problems: dict[str, str] = {}
        is_marked = False
        for ours, theirs, longest in self._named:
            value = record[theirs]
            if value:
                value = value.strip()
                if value[:1] in MARKS:
                    value, is_marked = unquoted(value), True
                if len(value) > longest:
                    problems[ours] = f"is longer than {longest:,} characters"
                    value = None
            values[ours] = None if not value or (value in NOTHING and ours not in NAMES) else value
        is_fact, is_anew = True, False
        for column, known in self._verdicts.items():
            word = record[column]
            verdict = known.get(word) or self._judge(column, word, known)
            is_fact &= verdict.is_fact
            is_anew |= verdict.is_anew
            if column == self._kind_column:
                values["kind"] = verdict.kind
            if verdict.problem:
                problems[column] = verdict.problem
        times_anew = is_anew + self._reads_anew(values, record)
        times_anew += self._is_marked(values, is_marked=is_marked)
        for ours, product in self._products.items():
            found = self._multiplied(ours, product, record, problems, self._currency_of(values))
            values[ours] = found and found.amount
            values[BESIDE] = " ".join(found.currencies) if found else None
        if self._names:
            self._drop_odd_names(values, problems, is_guess=is_guess)
        if self._fillable and (named := values["source_contact_id"]) and is_no_id(named):
            values["source_contact_id"] = None
        lacks = next((f"{name} is missing" for name in self._fillable if not values[name]), None)
        digest = hashlib.md5(said.encode(), usedforsecurity=False).hexdigest()
        has_status = any((record[name] or "").strip() not in NOTHING for name in self._statuses)

        def good(key: str | None, dated_on: date | None, typed: tuple[Any, ...]) -> Good:
            return Good(
                key or f"{digest}#1",
                self.meaning + digest + "~" * times_anew,
                dated_on,
                not is_fact,
                problems,
                said,
                typed,
                lacks,
                has_status,
            )

        try:
            is_fact = is_fact and not _says_no(values.get("subscribed"))
            row = good(*(self._clean if is_fact else self._clean_excluded)(values, problems))
            if not is_fact and self.source.entity == "consent":
                row = row._replace(also=self._bare_withdrawal(row))
            return row
        except BadValue as error:
            if not is_fact:
                return None
            reason = UNDATED if has_status and str(error) == SAYS_NOTHING else str(error)
        if reason not in TAKES_BACK:
            return Bad(reason, said, key=self._key(values))
        is_fact = False
        return Bad(reason, said, good(*self._refusal(values, problems)))

    def keys(self, record: dict[str, str | None]) -> list[str]:
        """The record_keys of a record of which the source's `key_columns` are known; none, where
        they cannot be told.
        """
        name = KEY.get(self.source.entity)
        theirs = self.source.named_columns.get(name) if name else None
        if theirs is None:
            row = self(record)
            if isinstance(row, Bad) and row.key:
                return [row.key]
            row = row.refusal if isinstance(row, Bad) else row
            return [one.record_key for one in (row, row and row.also) if one]
        value = (record[theirs] or "").strip()
        value = unquoted(value) if value[:1] in MARKS else value
        key = self._key({str(name): None if value in NOTHING else value})
        return [key] if key else []

    def _said(self, record: dict[str, str | None]) -> str:
        """The record as JSON, about twice as fast as json.dumps."""
        said = [
            name + ("null" if (value := record[column]) is None else quoted(value))
            for column, name in self._json
        ]
        return "{" + ", ".join(said) + "}"

    def _reads_anew(self, values: dict[str, str | None], record: dict[str, str | None]) -> bool:
        """Whether a row may mean something else since `ROW_RULES` are others."""
        if self.source.entity not in ROW_RULES:
            return False
        if (code := values.get("coupon_code")) and spelled_out(code) != code:
            return True
        currency = self._currency_of(values) if self._amounts else None
        said = ((record[name] or "").strip() for name in self._amounts)
        return any(
            value not in NOTHING
            and (not numerals.is_plain(value) or numerals.may_be_thousands(value, currency))
            for value in said
        )

    def _is_marked(self, values: dict[str, str | None], *, is_marked: bool) -> bool:
        """Whether a row of `ROW_RULES` says a text or an id as only spreadsheets do."""
        if self.source.entity not in ROW_RULES:
            return False
        for ours in self._ids:
            if (value := values[ours]) and ("," in value or value[-1] == "."):
                return True
        return is_marked

    def _judge(
        self, column: str, value: str | None, known: dict[str | None, "_Verdict"]
    ) -> "_Verdict":
        """What a value of a column means by the words of the YAML, whatever its case and blanks."""
        exact, word = unquoted((value or "").strip()), folded(value)
        words = self.source.value_rules[column]
        kind, is_fact, problem = None, True, None
        if column == self._kind_column:
            kind = self._kinds.get(exact) or self._kinds.get(word)
            is_fact = kind is not None
        try:
            is_fact = is_fact and not self._rules[column](exact[:LONGEST_WORD])
        except BadValue as error:
            problem = f"{error}, and `exclude` compares it"
        is_anew = exact not in words and word in map(folded, words)
        found = _Verdict(is_fact, is_anew, kind, problem)
        if len(value or "") <= LONGEST_WORD:
            if len(known) > 10_000:
                known.clear()
            known[value] = found
        return found

    def _drop_odd_names(
        self, values: dict[str, str | None], problems: dict[str, str], *, is_guess: bool
    ) -> None:
        """Nobody is greeted by letters that are not theirs."""
        for name in self._names:
            value = values[name]
            if value is None or value.isascii():
                continue
            country = self._country_of(values.get("country"))
            theirs = {country, numerals.country_of(values.get("phone") or "", country) or country}
            if not all(makes_sense(value, one, is_guess=is_guess) for one in theirs):
                values[name] = None
                problems[name] = "holds letters that make no sense: say the file's `encoding`"

    def _country_of(self, said: str | None) -> str:
        """The country that a card names, or the brand's."""
        try:
            return territories.country(said) if said else self.brand.country
        except BadValue:
            return self.brand.country

    # --- the entities: (record_key, dated_on, typed values) ---------------------------------------

    def _contact(self, values: dict[str, str | None], problems: dict[str, str]) -> tuple[Any, ...]:
        get = values.get
        contact_id = self._contact_id(values)
        country = self._field("country", get("country"), problems, territories.country)
        # A number within a country that cannot be read is nobody's: in another it is another's.
        within = None if "country" in problems else country or self.brand.country
        phone, phone_kind = self._field(
            "phone", get("phone"), problems, lambda said: numerals.phone(said, within)
        ) or (None, None)
        created = self._field("created_at", get("created_at"), problems, self._creation)
        typed = (
            contact_id,
            phone,
            self.hash_key.hash(phone) if phone else None,
            phone_kind,
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
        event_id = self._id(values, "source_event_id") if self._has_event_id else None
        # What another line of the order may say is missed when they are put together.
        may_lack = event_id is not None
        has_contact = not may_lack or get("source_contact_id") is not None
        contact_id = self._contact_id(values) if has_contact else None
        occurred, moment = get("occurred_at"), None
        if occurred is not None:
            moment = self._fact(occurred, "occurred_at")
        elif not may_lack:
            raise BadValue("occurred_at is missing")
        amount, currency = self._money(values, "amount", problems, self._no_currency)
        kind = self._kind or get("kind") or "none"
        if "amount" in self._products and amount and amount[0] == "-" and not amount.strip("-0."):
            # Less than one at no price: something came back that had cost nothing.
            kind = "refund" if kind in ("purchase", "loyalty") else kind
        typed = (
            self._contact_source(values),
            contact_id,
            kind,
            moment and moment.at,
            amount,
            currency,
            self._field("product_id", get("product_id"), problems, _id),
            self._field("coupon_code", get("coupon_code"), problems, spelled_out),
        )
        return event_id, moment and moment.on, typed

    def _consent(self, values: dict[str, str | None], problems: dict[str, str]) -> tuple[Any, ...]:
        is_withdrawn, withdrawn = self._withdrawal(values, problems)
        is_said = values.get("granted_at") or values.get("subscribed")
        if not is_said and not is_withdrawn:
            raise BadValue(SAYS_NOTHING)
        try:
            granted = self._grant(values)
        except BadValue as error:
            if not is_withdrawn:
                raise
            # A withdrawal is heard, whatever is wrong with the grant.
            granted, problems["granted_at"] = None, str(error)
        if granted is None and not is_withdrawn:
            raise BadValue(UNDATED)
        if granted and withdrawn and granted.on == withdrawn.on and self._is_day(withdrawn):
            # Of that day no hour is said: it was taken back after it was given.
            withdrawn = max(granted, withdrawn)
        if is_withdrawn and withdrawn is None:
            # Nobody knows when: from the first, then, rather than not at all. Without a grant, it
            # is from the load on.
            withdrawn = granted
        return self._of_consent(values, problems, granted, withdrawn, is_refusal=is_withdrawn)

    def _bare_withdrawal(self, refusal: Good) -> Good | None:
        """What a refusal that names the day of its withdrawal says as any other row does: it counts
        against what other sources have granted, too.
        """
        place = TYPED["consent"].index("granted_at")
        withdrawn = refusal.typed[place + 1]
        if withdrawn is None:
            return None
        typed = (*refusal.typed[:place], None, withdrawn, *refusal.typed[place + 2 :])
        key = f"{refusal.record_key}/{withdrawn.isoformat()}/withdrawn"
        return refusal._replace(record_key=key, is_excluded=False, typed=typed, problems={})

    def _is_day(self, moment: Moment) -> bool:
        """Whether it is the beginning of a day of the brand's, as of a date without a time."""
        local = moment.at.astimezone(self.brand.zone)
        return local.date() == moment.on and not any((local.hour, local.minute, local.second))

    def _refusal(self, values: dict[str, str | None], problems: dict[str, str]) -> tuple[Any, ...]:
        """A row that is excluded, or says no: it is heard, whatever can be read of its dates."""
        granted = self._field("granted_at", values.get("granted_at"), problems, self._moment)
        _, withdrawn = self._withdrawal(values, problems)
        key, _, typed = self._of_consent(values, problems, granted, withdrawn, is_refusal=True)
        return key, None, typed

    def _grant(self, values: dict[str, str | None]) -> Moment | None:
        """When it was given. Raises BadValue where that, or whether it was, cannot be told."""
        if "subscribed" in self.source.columns:
            if (said := values.get("subscribed")) is None:
                raise BadValue(NO_FLAG)
            try:
                is_yes(said, "consent")
            except BadValue:
                raise BadValue(UNKNOWN_FLAG) from None
        value = values.get("granted_at")
        try:
            return self._fact(value, "granted_at") if value else None
        except BadValue:
            if value and (NO_DAY.fullmatch(value[:LONGEST_FIELD]) or _says_no(value)):
                raise BadValue(SAYS_NOTHING) from None
            raise

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
            said = value[:LONGEST_FIELD]
            is_none = bool(NO_DAY.fullmatch(said)) or is_no(said)
            problems["withdrawn_at"] = NOT_WITHDRAWN if is_none else UNREADABLE
            return not is_none, None

    def _of_consent(
        self,
        values: dict[str, str | None],
        problems: dict[str, str],
        granted: Moment | None,
        withdrawn: Moment | None,
        *,
        is_refusal: bool,
    ) -> tuple[Any, ...]:
        get = values.get
        whose = self._whose(values, problems, is_refusal=is_refusal)
        typed = (
            *whose,
            get("basis"),
            granted and granted.at,
            withdrawn and withdrawn.at,
            get("wording"),
            self._field("language", get("language"), problems, _language),
        )
        first = granted or withdrawn
        at = first.at.isoformat() if first else "undated"
        # A bare withdrawal does not wait for its day: it is to be heard before the next sending,
        # and whoever asks compares its time.
        day = granted.on if granted else None
        return f"{'/'.join(whose)}/{at}", day, typed

    def _whose(
        self, values: dict[str, str | None], problems: dict[str, str], *, is_refusal: bool
    ) -> tuple[str, str, str, str]:
        """Whom a consent is of, by source and id, and which one: by channel and purpose."""
        get = values.get
        # What was taken under such an id before may be taken back.
        contact_id = self._contact_id(values, may_be_none=is_refusal)
        channel, purpose = (
            (get("channel") or "sms").lower(),
            (get("purpose") or "marketing").lower(),
        )
        if max(len(channel), len(purpose)) > LONGEST_ID:
            raise BadValue(f"channel or purpose is longer than {LONGEST_ID} characters")
        channel = self._channel(channel, problems, is_refusal=is_refusal)
        purpose = self._purpose(purpose, problems, is_refusal=is_refusal)
        return self._contact_source(values), contact_id, channel, purpose

    def _channel(self, said: str, problems: dict[str, str], *, is_refusal: bool) -> str:
        """Which channel a consent is of. Where that cannot be told, a refusal is one of texts."""
        if flags.is_of_texts(said) is True or (is_refusal and flags.names_texts(said)):
            return "sms"
        if is_refusal and flags.is_of_texts(said) is None:
            problems["channel"] = UNKNOWN_CHANNEL
            return "sms"
        return said

    def _purpose(self, said: str, problems: dict[str, str], *, is_refusal: bool) -> str:
        """What a consent is for. Where that cannot be told, a refusal is of what we ask for."""
        ours = self.consent.purpose
        if flags.is_all(said):
            return ours
        if said == ours or not is_refusal:
            return said
        is_marketing = flags.is_of_marketing(said)
        if is_marketing is None:
            problems["purpose"] = UNKNOWN_PURPOSE
        return ours if is_marketing is None or (is_marketing and ours == "marketing") else said

    def _product(self, values: dict[str, str | None], problems: dict[str, str]) -> tuple[Any, ...]:
        get = values.get
        product_id = self._id(values, "source_product_id")
        price, currency = self._money(values, "price", problems, self.brand.currency)
        typed = (
            product_id,
            self._field("name", get("name"), problems, _name),
            self._field("category", get("category"), problems, _name),
            self._field("url", get("url"), problems, _url),
            self._field("image_url", get("image_url"), problems, _url),
            price,
            currency or self.brand.currency,
            self._field("available", get("available"), problems, _is_in_stock),
        )
        return product_id, None, typed

    # --- values -----------------------------------------------------------------------------------

    def _key(self, values: dict[str, str | None]) -> str | None:
        """The id of a row of its own, if it has one that can be read. Of a consent, which has none:
        what those of the same person, channel and purpose begin with.
        """
        try:
            if self.source.entity == "consent":
                return f"{'/'.join(self._whose(values, {}, is_refusal=False))}/"
            name = KEY.get(self.source.entity)
            return self._id(values, name) if name in values else None
        except BadValue:
            return None

    def _id(self, values: dict[str, str | None], name: str) -> str:
        value = values.get(name)
        try:
            found = _id(value) if value else ""
        except BadValue as error:
            raise BadValue(f"{name} {error}") from None
        if not found:
            raise BadValue(f"{name} is missing")
        return found

    def _contact_id(self, values: dict[str, str | None], *, may_be_none: bool = False) -> str:
        """The id of a person. may_be_none: a word for none is one, too."""
        found = self._id(values, "source_contact_id")
        if not may_be_none and is_no_id(found):
            raise BadValue(WITHOUT_ID)
        return found

    def _contact_source(self, values: dict[str, str | None]) -> str:
        # Sources are named in small letters.
        if values.get("contact_source") is None:
            return self.source.source
        return self._id(values, "contact_source").lower()

    def _field(
        self, name: str, value: str | None, problems: dict[str, str], convert: Callable[[str], Any]
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
        if len(value) > LONGEST_FIELD:
            raise BadValue(f"{name} is no time that can be read")
        known = self._moments.get(value)
        if known is None:
            if len(self._moments) > 100_000:
                self._moments.clear()
            try:
                known = self.times(value)
            except BadTime as error:
                known = error
            self._moments[value] = known
        if isinstance(known, UnreadableTime):
            if name not in self._hints:
                self._hints[name] = how_to_read(value)
            raise BadValue(f"{name} {known}{self._hints[name]}")
        if isinstance(known, BadTime):
            raise BadValue(f"{name} {known}")
        return known

    def _fact(self, value: str, name: str = "it") -> Moment:
        """When something came about. Raises BadValue where no clock will ever say so: it would wait
        for its day for good.
        """
        found = self._moment(value, name)
        if found.on.year > LAST_YEAR:
            raise BadValue(f"{name} {impossible(found.on.year)}")
        return found

    def _creation(self, value: str) -> Moment:
        """When a card was made. Raises BadValue for what programs write where nobody knows."""
        found = self._fact(value)
        if found.on in UNKNOWN_DAYS or not found.at.timestamp():
            raise BadValue("is no day (1900-01-01 or 1970-01-01), so nobody is quiet since")
        return found

    def _money(
        self,
        values: dict[str, str | None],
        name: str,
        problems: dict[str, str],
        default: str | None,
    ) -> tuple[str | None, str | None]:
        """An amount, and its currency: of its column, of the sign beside the amount, or default."""
        get = values.get
        said = self._field("currency", get("currency"), problems, numerals.currencies)
        value, decimal = get(name), self.source.decimal
        if name in self._products:
            beside = tuple((get(BESIDE) or "").split())
        else:
            beside = numerals.currencies_beside(value) if value else ()
        meant = [one for one in said or beside if not beside or one in beside]
        if said and not meant:
            problems["currency"] = f"is another than the {name} names"
        elif len(meant) > 1 and self.brand.currency not in meant:
            problems["currency"] = "may be one of several: write its code"
        # Where there is something wrong with it, it may be any.
        currency = None if "currency" in problems else self._one_of(meant) if meant else default
        if name not in self._products:
            value = self._field(
                name, value, problems, lambda value: numerals.amount(value, decimal, currency)
            )
        return value, currency

    def _currency_of(self, values: dict[str, str | None]) -> str | None:
        """What a row says its currency is, or the brand's where no row says one."""
        said = values.get("currency")
        try:
            return self._one_of(numerals.currencies(said)) if said else self._no_currency
        except BadValue:
            return None

    def _one_of(self, meant: Sequence[str]) -> str | None:
        """The currency of those that is meant, where it can be told."""
        if len(meant) == 1:
            return meant[0]
        return self.brand.currency if self.brand.currency in meant else None

    def _multiplied(
        self,
        ours: str,
        product: Multiplied,
        record: dict[str, str | None],
        problems: dict[str, str],
        currency: str | None,
    ) -> Money | None:
        """What the columns of a product make, in the currency beside any of them; None where none
        of them says anything, or one is no number. currency: of the row.
        """
        said = {name: (record[name] or "").strip() for name in product.factors}
        empty = [name for name, value in said.items() if value in NOTHING]
        if len(empty) == len(said):
            return None
        if empty:
            problems[ours] = f"is a product, and {empty[0]} is empty"
            return None
        factors = [one.value for one in product.multiply if isinstance(one, Constant)]
        meant: set[str] = set()
        decimal = self.source.decimal
        for name, value in said.items():
            try:
                beside = numerals.currencies_beside(value)
                if not beside and not decimal and numerals.may_be_thousands(value, currency):
                    # Two of a thing, or two thousand: which factor is the price is not known.
                    raise BadValue(numerals.EITHER)
                factor = numerals.money(value, decimal, self._one_of(beside))
            except BadValue as error:
                problems[ours] = f"is a product, and {name} {error}"
                return None
            factors.append(factor.amount)
            if meant and factor.currencies and not meant & {*factor.currencies}:
                problems[ours] = "is a product of amounts in several currencies"
                return None
            meant = meant & {*factor.currencies} or meant or {*factor.currencies}
        try:
            return Money(numerals.product(factors), tuple(sorted(meant)))
        except BadValue as error:
            problems[ours] = str(error)
            return None


def _meaning(source: Source, policy: Policy) -> str:
    """A short hash of all that turns a record into values: where it changes, so may the values."""
    said = source.model_dump_json(
        include={"kind", "columns", "exclude", "time_zone", "time_format"}
    )
    # Where they are not said, a source means what it meant before there were such keys.
    added = {"lines", "zero", "decimal"}
    said += source.model_dump_json(include=added, exclude_defaults=True).strip("{}")
    said += RULES.get(source.entity, "")
    if any(map(begins_anew, chain.from_iterable(source.exclude.values()))):
        said += "beginnings are as written"
    if times.names_zone(source.time_format):
        said += "the zone counts"
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
    """The id of another source; None where somebody has typed that there is none."""
    found = _id(value)
    return None if joins_nobody(found) else found


def _email(value: str) -> str:
    if not is_email(value):
        raise BadValue("is no email address")
    if is_no_email(value):
        raise BadValue("is typed where there is no address, and nobody's")
    return value.lower()


@functools.lru_cache(1000)
def _language(value: str) -> str:
    match = re.fullmatch(r"([A-Za-z]{2})([-_].*)?", value)
    if not match:
        raise BadValue("is no language code like en")
    return match.group(1).lower()


def _time_zone(value: str) -> str:
    try:
        return time_zone(value)
    except ValueError:
        raise BadValue("is no time zone like America/New_York") from None


def _name(value: str) -> str:
    """A name in one line, as a text or a page can show it."""
    name = " ".join(value.split())
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
    if "@" in parts.netloc or NOT_IN_URL.search(value):
        raise BadValue("is no web address that can be linked to")
    return value


def _says_no(value: str | None) -> bool:
    """Whether it is plainly no."""
    try:
        return value is not None and not is_yes(value, "consent")
    except BadValue:
        return False


def _is_in_stock(value: str) -> bool:
    """Also as product feeds say it (in_stock, "out of stock"), or by how many there are."""
    if WHOLE_OR_DECIMAL.fullmatch(value):
        return float(value) > 0
    return is_yes(value, "stock")


def _storable(record: dict[str, str | None]) -> tuple[dict[str, str | None], bool]:
    """The record without what PostgreSQL cannot hold, and whether a NUL was in it."""
    has_nul = any(value and "\x00" in value for value in record.values())
    return {
        name: value.replace("\x00", "�").encode("utf-8", "replace").decode() if value else value
        for name, value in record.items()
    }, has_nul
