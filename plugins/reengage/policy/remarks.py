"""What a policy says that is allowed, and is hardly meant: sentences for whoever checks it."""

import re
from collections.abc import Iterator
from difflib import get_close_matches

from sqlalchemy.engine import Connection

from reengage import db
from reengage.policy import Policy, Step, Words

# How money is written in prizes and offers, and whose money that may be.
_DOLLARS = "USD CAD AUD NZD SGD HKD TWD MXN CLP COP ARS"
_SIGNS = {
    r"US\s?\$": "USD",
    r"(?:CA|C)\s?\$": "CAD",
    r"(?:AU|A)\s?\$": "AUD",
    r"NZ\s?\$": "NZD",
    r"R\$": "BRL",
    r"HK\s?\$": "HKD",
    r"S\$": "SGD",
    r"(?<![A-Z])\$": _DOLLARS,
    "€": "EUR",
    "£": "GBP EGP",
    "¥": "JPY CNY",
    "₩": "KRW",
    r"Rp\.?": "IDR",
    "₹": "INR",
    "₺": "TRY",
    "₽": "RUB",
    "₫": "VND",
    "฿": "THB",
    "₱": "PHP",
    "₪": "ILS",
    "₴": "UAH",
    "zł": "PLN",
    "Kč": "CZK",
    r"kr\.?": "SEK NOK DKK ISK",
    "Ft": "HUF",
    "RM": "MYR",
}
_WORDS = {  # behind the number alone: who won 3 prizes won no money
    "[Dd]ollar[si]?|[Dd]olar|달러": _DOLLARS,
    "[Ee]uros?|유로": "EUR",
    "엔|円": "JPY",
    "元|위안": "CNY",
    "[Pp]ounds?|[Ss]terline|파운드": "GBP EGP",
    "[Ww]on|원": "KRW",
    "[Rr]upiah|루피아": "IDR",
    "[Rr]upees?": "INR",
    "[Bb]aht": "THB",
    "[Ff]rancs?|[Ff]ranchi": "CHF XOF XAF",
}
_CODES = (
    "USD CAD AUD NZD EUR GBP JPY CNY KRW IDR INR CHF SEK NOK DKK PLN CZK HUF BRL MXN SGD HKD TWD "
    "THB PHP MYR VND TRY ZAR AED SAR ILS RUB UAH"
)
_NUMBER = r"\d(?:[\d.,' \u00a0\u202f]*\d)?"


def of_policy(policy: Policy) -> list[str]:
    """What the policy shows by itself."""
    return [*policy.remarks, *_foreign_money(policy), *_tiny_percents(policy)]


def of_contacts(connection: Connection, policy: Policy) -> list[str]:
    """What shows beside the contacts that the warehouse holds; nothing where it holds none."""
    named = policy.thresholds.lifecycle
    if not named:
        return []
    rows = db.run(connection, "core/lifecycle_classes").all()
    if not rows:
        return []
    known = {row.lifecycle_class: row.contacts for row in rows if row.lifecycle_class is not None}
    most = ", ".join(f"{name} ({contacts:,})" for name, contacts in list(known.items())[:5])
    have = f"contacts have {most}" if most else "no contact has a class"
    found = []
    for name in (name for name in named if name not in known):
        near = get_close_matches(name.lower(), [one.lower() for one in known], 1)
        meant = next((one for one in known if near and one.lower() == near[0]), None)
        found.append(
            f"thresholds.lifecycle: nobody has the class {name}, so its factor bends nothing; "
            + have
            + (f". You may mean {meant}" if meant else "")
        )
    return found


def _foreign_money(policy: Policy) -> Iterator[str]:
    own = policy.brand.currency
    for step in policy.steps:
        for place, words in _promises(step):
            said = {
                amount: None
                for text in words.values()
                for amount, currencies in _amounts(text)
                if own not in currencies
            }
            if said:
                yield (
                    f"steps.{step.name}.{place} promises {', '.join(said)}, and the brand's "
                    f"currency is {own}: write it in {own}, or change brand.currency"
                )


def _promises(step: Step) -> Iterator[tuple[str, Words]]:
    """Where a step's words promise something."""
    if step.contest:
        yield "contest.prize", step.contest.prize
    for name, offer in step.offers:
        if offer.where:
            yield f"{name}.where", offer.where


def _amounts(text: str) -> Iterator[tuple[str, list[str]]]:
    """The sums of money in a text as they are written, and the currencies that each may be in. Of
    two readings that begin alike, the one that says more.
    """
    found: dict[int, tuple[str, list[str]]] = {}
    signs = {**_SIGNS, **{code: code for code in _CODES.split()}}
    for sign, currencies in [*signs.items(), *_WORDS.items()]:
        behind = rf"{_NUMBER}\s?(?:{sign})(?![A-Za-z])"
        before = rf"(?<![A-Za-z])(?:{sign})\s?{_NUMBER}|" if sign in signs else ""
        for match in re.finditer(before + behind, text):
            at = re.search(r"\d", match[0])
            start = match.start() + (at.start() if at else 0)
            if len(match[0].strip()) > len(found.get(start, ("", []))[0]):
                found[start] = match[0].strip(), currencies.split()
    yield from found.values()


def _tiny_percents(policy: Policy) -> Iterator[str]:
    for step in policy.steps:
        for name, offer in step.offers:
            if offer.kind == "percent" and offer.value < 1:
                yield (
                    f"steps.{step.name}.{name}.value is {offer.value:g} percent, less than one: "
                    f"for {offer.value * 100:g} percent write {offer.value * 100:g}"
                )
