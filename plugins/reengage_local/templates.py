"""`make templates`: every text as those it is for would get it, what it costs, and what breaks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

import sqlalchemy as sa

from reengage import db
from reengage.clock import wall_clock
from reengage.errors import ConfigurationError, TextError
from reengage.policy import Policy, Step, read_policy
from reengage.settings import WAREHOUSE_VARIABLE, given, settings
from reengage.texts.countries import countries
from reengage.texts.messages import Templates
from reengage.texts.recipients import Recipient
from reengage.texts.segments import GSM_BASIC, Encoding, segments
from reengage.texts.wording import ITEM_LENGTH, NAME_LENGTH, first_name
from reengage_local.stack import warehouse

# What a template must be able to hold where no contact says more.
_TYPICAL, _LONGEST, _OUTSIDE = "Jessica", "Maximiliana-Alexandr", "Łucja"
_ITEM = "Hand-woven blanket, large grey"
_LINK_CODE = "AAAAAAAAA"
_LETTERS = "^[[:alpha:] .'’-]+$"
# What GSM-7 does not hold, of letters and of what may stand between them in a name.
_OUTSIDE_GSM = f"[^{''.join(sorted(c for c in GSM_BASIC if c.isalpha()))} .'’-]"
_COLUMNS = (
    "template",
    "language",
    "country",
    "encoding",
    "characters",
    "segments",
    "limit",
    "per 1,000",
    "left out to fit",
)


@dataclass(frozen=True)
class Names:
    """The first names of those in a language and a country who can be texted; of a sample, where
    contacts is 0. outside: how many of them GSM-7 does not hold.
    """

    contacts: int = 0
    outside: int = 0
    typical: str = _TYPICAL
    longest: str = _LONGEST
    longest_outside: str | None = _OUTSIDE


@dataclass
class Line:
    """What a template comes to for one language and country. characters, encoding, cost (of 1,000
    texts, in the brand's currency): of a typical contact; worst: segments of the longest text that
    is sent. dropped: what is left out to fit, and for whom.
    """

    step: str
    variant: str
    file: str
    language: str
    country: str
    limit: int
    encoding: Encoding = "GSM-7"
    characters: int = 0
    typical: int = 0
    worst: int = 0
    cost: float = 0
    dropped: list[str] = field(default_factory=list)
    breaks: list[str] = field(default_factory=list)


def run_templates() -> None:
    """Print the table. Raises ConfigurationError where a text breaks: for whom, and what to do."""
    policy = read_policy()
    engine = _engine()
    found = read_names(engine) if engine else {}
    lines, broken = lint(policy, found, wall_clock(), read_codes(engine) if engine else {})
    told = sum(names.contacts for names in found.values())
    whom = f"of those who can be texted ({told:,})" if told else "of a sample: nobody is loaded"
    print(f"The texts of {settings().policy}, against the names {whom}.\n")
    for line in table(lines, policy):
        print(line)
    if broken:
        raise ConfigurationError("\n".join(["These texts would not be sent:", *broken]))
    print("\nEvery text can be sent.")


def _engine() -> sa.Engine | None:
    """The warehouse; None where this home has none yet: to read nothing, none is made."""
    has_one = given(WAREHOUSE_VARIABLE)
    return warehouse() if has_one or (settings().home / "postgres").exists() else None


def read_codes(engine: sa.Engine) -> dict[str, int]:
    """The characters of the longest code of each pool."""
    with engine.connect() as connection:
        rows = db.run(connection, "outbox/longest_codes").all()
    return {row.pool: row.longest for row in rows}


def read_names(engine: sa.Engine) -> dict[tuple[str, str], Names]:
    """The first names of those who can be texted, by language and country ("": not known)."""
    with engine.connect() as connection:
        rows = db.run(
            connection,
            "outbox/names_by_place",
            letters=_LETTERS,
            outside=_OUTSIDE_GSM,
            longest_name=NAME_LENGTH,
        ).all()
    return {
        (row.language or "", row.country or ""): Names(
            row.contacts,
            row.outside_gsm,
            "A" + "n" * (max(row.typical_length, 1) - 1) if row.typical_length else _TYPICAL,
            first_name(row.longest_name) or _TYPICAL,
            first_name(row.longest_outside),
        )
        for row in rows
    }


def lint(
    policy: Policy,
    names: Mapping[tuple[str, str], Names],
    now: datetime,
    codes: Mapping[str, int] = MappingProxyType({}),
) -> tuple[list[Line], list[str]]:
    """Every template for every language and country that it is for, and what breaks of it.

    names: of the contacts, by language and country. now: aware; the day on which coupons are made.
    codes: the characters of the longest code of each pool.
    """
    templates = Templates(policy, is_checked=False)
    broken, lines = [], []
    for step in policy.texts:
        for language in templates.languages(step):
            try:
                templates.check(step, language)
            except ConfigurationError as error:
                broken.append(str(error))
                continue
            pool = step.coupon.pool if step.coupon else None
            code = "X" * codes[pool] if pool in codes and pool else None
            lines += [
                _line(templates, policy, step, language, country, of, now, code)
                for country, of in _places(policy, templates, step, language, names)
            ]
    broken += [f"{line.file}: {said}" for line in lines for said in line.breaks]
    return lines, list(dict.fromkeys(broken))


def _places(
    policy: Policy,
    templates: Templates,
    step: Step,
    language: str,
    names: Mapping[tuple[str, str], Names],
) -> Iterator[tuple[str, Names]]:
    """The countries that a template is for: where contacts get it, where it is the language, and,
    of the brand's own, the brand's country and all that have rules.
    """
    rules = countries().rules
    here: dict[str, Names] = {}
    for (told, country), of in names.items():
        contact = Recipient(0, language=told or None, country=country or None)
        if templates.language(step, contact) == language:
            place = country or policy.brand.country
            here[place] = _together(here[place], of) if place in here else of
    own = [policy.brand.country, *rules] if language == policy.brand.language else []
    theirs = [country for country, rule in rules.items() if rule.language == language]
    for country in dict.fromkeys((*here, *own, *theirs)) or [policy.brand.country]:
        yield country, here.get(country, Names())


def _together(one: Names, other: Names) -> Names:
    """The names of two groups that get the same text."""
    outside = max(one.longest_outside or "", other.longest_outside or "", key=len)
    return Names(
        one.contacts + other.contacts,
        one.outside + other.outside,
        max(one, other, key=lambda names: names.contacts).typical,
        max(one.longest, other.longest, key=len),
        outside or None,
    )


def _line(
    templates: Templates,
    policy: Policy,
    step: Step,
    language: str,
    country: str,
    names: Names,
    now: datetime,
    code: str | None,
) -> Line:
    base = Recipient(0, language=language, country=country)
    file = templates.file(step, language).name
    line = Line(step.name, step.variant, file, language, country, templates.limit(step, base))
    link = f"{policy.brand.link_domain or 'https://go.example.com'}/{_LINK_CODE}"
    for whose, contact in _cases(base, names):
        for moment in _moments(step, now):
            coupon, at = templates.sample_coupon(step, moment, code)
            try:
                made = templates.fit(step, contact, link, coupon, at)
            except TextError as error:
                said = str(error).replace("contact 0", f"a contact in {country} ({whose})")
                line.breaks.append(said)
                continue
            line.worst = max(line.worst, made.text.segments)
            if made.dropped:
                # Of one month in twelve is enough: somebody gets it without.
                line.dropped.append(f"{' and '.join(made.dropped)} ({whose})")
            if whose == "typical" and moment == now:
                size = segments(made.text.body)
                line.encoding, line.typical, line.characters = (
                    size.encoding,
                    size.segments,
                    size.units,
                )
                line.cost = 1000 * size.segments * policy.price(country)
    line.dropped = list(dict.fromkeys(line.dropped))
    return line


def _cases(base: Recipient, names: Names) -> Iterator[tuple[str, Recipient]]:
    """Those whose text is the typical one, or the hardest to fit, and who they are."""
    item = _ITEM[:ITEM_LENGTH]
    yield "no name", base
    yield "typical", replace(base, first_name=names.typical)
    yield "longest name", replace(base, first_name=names.longest)
    if names.longest_outside:
        many = f", {names.outside:,} of {names.contacts:,}" if names.contacts else ""
        yield f"name outside of GSM-7{many}", replace(base, first_name=names.longest_outside)
    viewed = replace(base, first_name=names.typical, item=item, item_kind="viewed")
    yield "longest item", viewed
    yield "longest item", replace(viewed, item_kind="bought", together=(item,))


def _moments(step: Step, now: datetime) -> list[datetime]:
    """Now; and for a coupon's date, a day in each month: their names differ in length."""
    if step.coupon is None or step.coupon.sale:
        return [now]
    return [now + timedelta(days=31 * months) for months in range(12)]


def table(lines: Sequence[Line], policy: Policy) -> Iterator[str]:
    """The lines as text; countries that come to the same share one."""
    rows: list[tuple[str, ...]] = [
        (*_COLUMNS[:7], f"{_COLUMNS[7]}, {policy.brand.currency}", _COLUMNS[8])
    ]
    shared: dict[tuple[str, ...], list[str]] = {}
    for line in lines:
        span = f"{line.typical}" if line.typical == line.worst else f"{line.typical}-{line.worst}"
        rest = (
            f"{line.file}, version {line.variant}" if line.variant else line.file,
            line.language,
            line.encoding,
            f"{line.characters}",
            "BREAKS" if line.breaks else span,
            f"{line.limit}",
            f"{line.cost:,.2f}",
            "; ".join(line.dropped) or "nothing",
        )
        shared.setdefault(rest, []).append(line.country)
    rows += [(*rest[:2], " ".join(places), *rest[2:]) for rest, places in shared.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(_cells(row, widths)).rstrip()


def _cells(row: Iterable[str], widths: Sequence[int]) -> Iterator[str]:
    for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
        # Numbers to the right.
        yield cell.rjust(width) if 4 <= place <= 7 else cell.ljust(width)
