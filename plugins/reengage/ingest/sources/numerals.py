"""Numbers as people, shops and spreadsheets write them: what is certain is read, nothing else.

Amounts of money with points and commas, telephone numbers that went through a spreadsheet, and what
kind of number a telephone number is.
"""

import math
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation, localcontext
from functools import lru_cache
from typing import Literal, NamedTuple

import phonenumbers
from babel.core import get_global
from babel.numbers import get_currency_precision
from phonenumbers import PhoneNumberType

from reengage.phones import numbers

Decimals = Literal[".", ","]

# How core.phone_kind calls what phonenumbers knows of a number.
_KINDS = {
    PhoneNumberType.FIXED_LINE: "fixed_line",
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "fixed_line_or_mobile",
    PhoneNumberType.TOLL_FREE: "toll_free",
    PhoneNumberType.PREMIUM_RATE: "premium_rate",
    PhoneNumberType.SHARED_COST: "shared_cost",
    PhoneNumberType.VOIP: "voip",
    PhoneNumberType.PERSONAL_NUMBER: "personal_number",
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "uan",
    PhoneNumberType.VOICEMAIL: "voicemail",
}
LONGEST_NUMBER = 60
EITHER = 'could be thousands or decimals: say `decimal: ","` or `decimal: "."` in the source'

# A number in a spreadsheet's or a program's floating point: 3.93E+11, 393401234567.0 or
# 393,401,234,567.00. Between the digits of the last there is one sign, and another one after them.
_HAS_POWER = re.compile(r"\d[Ee][+-]?\d", re.ASCII)
_POWER = re.compile(r"(\+?)(\d+)(?:[.,](\d+))?[Ee]\+?(\d{1,3})", re.ASCII)
_FLOAT = re.compile(r"(\+?\d{4,15})[.,](\d+)", re.ASCII)
_GROUPED_FLOAT = re.compile(
    r"(\+?\d{1,3}(?:,\d{3})+)\.(\d{1,6})|(\+?\d{1,3}(?:\.\d{3})+),(\d{1,6})", re.ASCII
)

_PLAIN = re.compile(r"-?\d{1,15}(\.\d{1,20})?", re.ASCII)
_SCIENTIFIC = re.compile(r"-?\d{1,20}(\.\d{1,20})?[Ee][+-]?\d{1,20}", re.ASCII)
# Signs that people and ledgers put before, after or around a number: −5, 5-, (5).
_SIGNED = re.compile(
    r"(?P<open>\()?(?P<before>[+-])?(?P<digits>[^()+-]+)(?P<after>-)?(?P<close>\))?"
)
_BLANKS = re.compile(r"[\s'’\u00a0\u202f]")
# 100,- and 5.– have no decimals.
_NO_DECIMALS = re.compile(r"(?<=\d)[.,][-–—]{1,2}$")
# A currency's sign or code before the number, after it, or both: -$5, 12,50 €, $12.50 USD, kr. 100.
_CURRENCY = r"[^\d\s()+\-–—.,']{1,8}\.?"
_WITH_CURRENCY = re.compile(
    rf"(?P<lead>[(+\- ]*)(?P<before>{_CURRENCY})?"
    rf"(?P<number>[ .,+(\-]*\d[\d .,()\-–—]*?) ?(?P<after>{_CURRENCY})?(?P<tail>[)\- ]*)"
)
# What people write for a currency, beside its code; of several, which is meant is said elsewhere.
_SIGNS = {
    "$": "USD CAD AUD NZD MXN ARS CLP COP SGD HKD TWD UYU",
    "us$": "USD",
    "c$": "CAD",
    "ca$": "CAD",
    "a$": "AUD",
    "au$": "AUD",
    "nz$": "NZD",
    "hk$": "HKD",
    "s$": "SGD",
    "nt$": "TWD",
    "mx$": "MXN",
    "r$": "BRL",
    "€": "EUR",
    "euro": "EUR",
    "euros": "EUR",
    "£": "GBP",
    "¥": "JPY CNY",
    "円": "JPY",
    "元": "CNY",
    "rmb": "CNY",
    "₹": "INR",
    "rs": "INR PKR LKR NPR MUR",
    "₩": "KRW",
    "원": "KRW",
    "zł": "PLN",
    "kč": "CZK",
    "ft": "HUF",
    "kr": "SEK NOK DKK ISK",
    "fr": "CHF",
    "sfr": "CHF",
    "lei": "RON MDL",
    "лв": "BGN",
    "₽": "RUB",
    "руб": "RUB",
    "₴": "UAH",
    "грн": "UAH",
    "₺": "TRY",
    "tl": "TRY",
    "₪": "ILS",
    "฿": "THB",
    "₫": "VND",
    "₱": "PHP",
    "rm": "MYR",
    "rp": "IDR",
    "r": "ZAR",
    "₦": "NGN",
    "ksh": "KES",
    "s/": "PEN",
    "₸": "KZT",
}
_CODES = frozenset(get_global("all_currencies"))
# Of which no price has three decimals, so that 50.000 is fifty thousand: those without a smaller
# unit (Unicode CLDR), and three more whose smaller unit buys nothing and stands on no bill.
_WHOLE = frozenset(
    {code for code in _CODES if get_currency_precision(code) == 0} | {"COP", "HUF", "IDR"}
)
_THREE = re.compile(r"-?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)


class BadValue(ValueError):
    """Why a value is not what its column wants. Never holds the value: it may be personal."""


# ------------------------------------------------------------------------------- telephone numbers


# How an extension is written, which is no part of the number.
_EXTENSION = re.compile(
    r"[\s,;]*(?:ext(?:ension|n)?|x|#|int|interno|poste|durchwahl|dw|;ext=|,,?)[\s.:=]*\d{1,7}#?\s*$",
    re.IGNORECASE,
)
# A letter among the digits may stand for one (O for 0), what follows a ; is another number. So are
# a few digits behind a lone / or -: the last ones of it.
_LETTER_WITHIN = re.compile(r"\d.*[^\W\d_]|\d\s*;", re.DOTALL)
_OTHER_END = re.compile(r"([^/-]+)(?:/\s*\d{1,3}|-\s*\d)\s*")


def phone(value: str, country: str | None) -> tuple[str, str]:
    """A telephone number as E.164 and its kind, one of core.phone_kind. country: of a number
    without a country code; None: whose it would be is not known.

    Digits that a spreadsheet has turned into a float are restored where all of them are still
    there. Raises BadValue where they are not, and for what is no valid number.
    """
    if len(value) > LONGEST_NUMBER:
        raise BadValue(f"is longer than {LONGEST_NUMBER} characters")
    written = _without_float(value)
    alone = _EXTENSION.sub("", written)
    end = _OTHER_END.fullmatch(alone)
    if _LETTER_WITHIN.search(alone) or (end and sum(map(str.isdigit, end[1])) >= 8):
        raise BadValue("holds letters or a second number among its digits")
    number = _parsed(written, country)
    if number is None and country is None and _parsed(written, "US"):
        raise BadValue("has no country's code, and which country it is of is not known")
    if number is None:
        raise BadValue("is no phone number")
    number = _of_today(number)
    if not phonenumbers.is_valid_number(number):
        raise BadValue("is no valid phone number")
    code = str(number.country_code)
    if written != value and written.startswith(code):
        # 4915123456789.0: a number of Germany that begins with 49, or one that has lost its +.
        other = _parsed(f"+{written}", country)
        if other is not None and other != number and phonenumbers.is_valid_number(other):
            raise BadValue("could be two numbers: write it with + and the country's code")
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    kind = _kind(number, e164)
    # What is answered by an exchange is no mobile phone.
    return e164, "fixed_line" if number.extension and kind == "fixed_line_or_mobile" else kind


def _kind(number: phonenumbers.PhoneNumber, e164: str) -> str:
    kind = _KINDS.get(phonenumbers.number_type(number), "unknown")
    if kind != "fixed_line":
        return kind
    # +54 11 2345 6789 may be written without the 9 of a mobile.
    others = (_parsed(other) for other in numbers.forms().of(e164)[1:])
    is_mobile = any(o and phonenumbers.number_type(o) == PhoneNumberType.MOBILE for o in others)
    return "fixed_line_or_mobile" if is_mobile else kind


def _parsed(text: str, country: str | None = None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None


def _of_today(number: phonenumbers.PhoneNumber) -> phonenumbers.PhoneNumber:
    """The number as it is dialled today, where it is written by an older plan: +52 1 55 …"""
    if not phonenumbers.is_valid_number(number):
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        for other in map(_parsed, numbers.forms().of(e164)[1:]):
            if other is not None and phonenumbers.is_valid_number(other):
                return other
    return number


def country_of(value: str, country: str) -> str | None:
    """Whose country's a telephone number is; None where it is none. country: as of `phone`."""
    try:
        e164, _ = phone(value, country)
    except BadValue:
        return None
    number = _parsed(e164)
    return phonenumbers.region_code_for_number(number) if number else None


def phone_kind(e164: str) -> str:
    """What kind of number it is: one of core.phone_kind; `unknown` where nothing is certain."""
    number = _parsed(e164)
    return "unknown" if number is None else _kind(number, e164)


def _without_float(value: str) -> str:
    """The number's own digits, where a float has kept them all."""
    # No group of digits is a single 0: 340.1234567.0 went through a float, too.
    bare = re.sub(r"(?<=\d)[.,]0$", ".0", re.sub(r"[\s()/'’]", "", value))
    if _HAS_POWER.search(bare):
        power = _POWER.fullmatch(bare)
        sign, whole, fraction, exponent = power.groups(default="") if power else ("", "", "", "99")
        # 3.93E+11: the digits that are not written were rounded away. A whole part of more than one
        # digit is as good: 39.3401234567E10.
        missing = int(exponent) - len(fraction)
        if missing > 0 or fraction[int(exponent) :].strip("0"):
            raise BadValue("was shortened by a spreadsheet: its last digits are lost")
        return (sign + whole + fraction)[: len(sign + whole) + int(exponent)]
    if match := _FLOAT.fullmatch(bare.replace("-", "")):
        digits, fraction = match.groups()
    elif match := _GROUPED_FLOAT.fullmatch(bare):
        digits, fraction = (part for part in match.groups() if part is not None)
    else:
        return bare.removesuffix(".0") if bare.endswith(".0") else value
    if not fraction.strip("0"):
        return re.sub(r"[.,]", "", digits)
    if len(fraction) <= 2:
        raise BadValue("has a fraction, as a spreadsheet writes a number that is no text")
    return value


# ----------------------------------------------------------------------------------------- amounts


class Money(NamedTuple):
    """An amount as PostgreSQL takes it, and the currencies that the sign beside it may mean."""

    amount: str
    currencies: tuple[str, ...] = ()


def money(value: str, decimal: Decimals | None = None, currency: str | None = None) -> Money:
    """An amount of money: 1.234,56 is 1234.56, (5.00) is -5.00, 100,- € is 100 of EUR.

    decimal: the sign of the source's decimals. Without it a lone point is one, and a comma where it
    can be nothing else; 1,234 may be either. currency: which it is of, where that is known: of one
    that has no smaller unit, 50.000 and 50,000 are thousands. Raises BadValue.
    """
    if decimal != "," and _PLAIN.fullmatch(value) and not may_be_thousands(value, currency):
        return Money(value)
    return _money(value, decimal, currency)


def amount(value: str, decimal: Decimals | None = None, currency: str | None = None) -> str:
    """The amount in `money`."""
    return money(value, decimal, currency).amount


def is_plain(value: str) -> bool:
    """Whether it is digits with no more than a point and a minus."""
    return bool(_PLAIN.fullmatch(value))


def currencies_beside(value: str) -> tuple[str, ...]:
    """The currencies that a sign or code beside an amount may mean; none where there is none, and
    where it is no amount.
    """
    if _PLAIN.fullmatch(value) or len(value) > LONGEST_NUMBER:
        return ()
    try:
        return _without_currency(_spelled(value))[1]
    except BadValue:
        return ()


def may_be_thousands(value: str, currency: str | None) -> bool:
    """Whether it is written like 50.000, of a currency in which nothing has three decimals."""
    return currency in _WHOLE and bool(_THREE.fullmatch(value))


@lru_cache(1000)
def currencies(said: str) -> tuple[str, ...]:
    """The currencies that a code or a sign may mean. Raises BadValue."""
    if re.fullmatch("[A-Za-z]{3}", said):
        return (said.upper(),)
    found = _SIGNS.get(said.strip(" .").casefold())
    if not found:
        raise BadValue("is no currency code like USD")
    return tuple(found.split())


@lru_cache(4096)
def _money(value: str, decimal: Decimals | None, currency: str | None) -> Money:
    if len(value) > LONGEST_NUMBER:
        raise BadValue("is no amount of money")
    if decimal != "," and _SCIENTIFIC.fullmatch(value):
        return Money(_written(value, is_negative=False))
    text, meant = _without_currency(_spelled(value))
    signed = _SIGNED.fullmatch(_NO_DECIMALS.sub("", text))
    if not signed or bool(signed["open"]) != bool(signed["close"]):
        raise BadValue("is no number")
    minuses = [signed["open"] is not None, signed["before"] == "-", signed["after"] is not None]
    if sum(minuses) > 1:
        raise BadValue("is no number")
    said = signed["digits"].strip()
    if decimal is None and may_be_thousands(said, currency):
        said = said.replace(".", "").replace(",", "")
    digits = _digits(said, decimal)
    return Money(_written(digits, is_negative=any(minuses)), meant)


def _spelled(value: str) -> str:
    """With one kind of blank and of minus."""
    return _BLANKS.sub(" ", value.replace("\u2212", "-")).strip()


def _without_currency(text: str) -> tuple[str, tuple[str, ...]]:
    """A number without the currency before or after it, and what that may be."""
    found = _WITH_CURRENCY.fullmatch(text)
    said = [found[part].strip() for part in ("before", "after") if found[part]] if found else []
    if not found or not said:
        return text, ()
    try:
        meant = [currencies(one) for one in said]
    except BadValue:
        raise BadValue("is no number") from None
    both = tuple(one for one in meant[0] if one in meant[-1])
    if not both or not {*both} <= _CODES:
        raise BadValue("is no number")
    return (found["lead"] + found["number"] + found["tail"]).strip(), both


def _digits(text: str, decimal: Decimals | None) -> str:
    """A number without a sign, with a point before its decimals and nothing between the others."""
    mark = decimal or _decimal_mark(text)
    whole, _, fraction = text.partition(mark) if mark else (text, "", "")
    groups = re.split(r"[., ]", whole)
    marks = set(re.findall(r"[., ]", whole))
    # By thousands; in India what is above them by hundreds: 1,23,456.
    sizes = {len(group) for group in groups[1:-1]}
    is_grouped = 1 <= len(groups[0]) <= 3 and len(groups[-1]) == 3 and sizes in ({2}, {3}, set())
    if len(marks) > 1 or (marks and not is_grouped):
        raise BadValue("is no number" + (f" with decimals after {decimal!r}" if decimal else ""))
    return "".join(groups) + (f".{fraction}" if fraction else "")


def _decimal_mark(text: str) -> str | None:
    """The sign before the decimals, where only one can be it; None where there are none."""
    points, commas = text.count("."), text.count(",")
    if points and commas:
        last = max(".,", key=text.rfind)
        return last if text.count(last) == 1 else None
    if points == 1:
        return "."
    if commas != 1:
        return None
    whole, _, fraction = text.partition(",")
    if len(fraction) != 3 or not 1 <= len(whole) <= 3 or whole.startswith("0"):
        return ","
    if " " in whole:
        return ","
    raise BadValue(EITHER)


def product(amounts: Sequence[str]) -> str:
    """The product of amounts as `amount` gives them, to the last decimal; less than one thing at no
    price is -0. Raises BadValue.
    """
    with localcontext(prec=40 * len(amounts)):
        return _bounded(math.prod(map(Decimal, amounts), start=Decimal(1)))


def _written(text: str, is_negative: bool) -> str:
    try:
        number = Decimal(text) if text.isascii() and "_" not in text and " " not in text else None
    except InvalidOperation:
        number = None
    if number is None:
        raise BadValue("is no number")
    return _bounded(-number if is_negative else number)


def _bounded(number: Decimal) -> str:
    if not number.is_finite() or (number and not -20 < number.adjusted() < 15):
        raise BadValue("is no amount of money")
    return f"{number:f}"
