"""The policy: include/journey.yaml, read, checked, and asked questions."""

import functools
import hashlib
import json
import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from reengage.errors import ConfigurationError
from reengage.settings import settings
from reengage.yaml_files.mistakes import clock_time, explain, explain_yaml
from reengage.yaml_files.plain_yaml import LONGEST, Loader, Misread

Kind = Literal["purchase", "visit", "loyalty", "email_open", "email_click", "reply", "login"]


def _shaped(pattern: str, hint: str) -> AfterValidator:
    """A text of one form, refused in words."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"write {hint}")
        return value

    return AfterValidator(check)


# The examples are what a message tells people to write.
Days = Annotated[int, Field(ge=1, le=3650, examples=[30])]
Share = Annotated[float, Field(ge=0, le=1, examples=["0.10"])]
Country = Annotated[
    str, _shaped("[A-Z]{2}", "the country as two capital letters, like US"), Field(examples=["US"])
]
Language = Annotated[
    str, _shaped("[a-z]{2}", "the language as two small letters, like en"), Field(examples=["en"])
]
Currency = Annotated[
    str,
    _shaped("[A-Z]{3}", "the currency as three capital letters, like USD"),
    Field(examples=["USD"]),
]
Name = Annotated[
    str,
    _shaped(
        "[a-z][a-z0-9_]*",
        "a name in small letters, digits and _, beginning with a letter: spring_survey",
    ),
    Field(examples=["spring_survey"]),
]


def _zone(value: str) -> str:
    zones = available_timezones()
    if value not in zones:
        city = value.strip().replace(" ", "_").lower()
        near = sorted(zone for zone in zones if city in (zone.lower(), zone.lower().split("/")[-1]))
        meant = f"you may mean {near[0]}" if near else "write one like America/New_York"
        raise ValueError(f"{value} is no time zone; {meant}")
    return value


TimeZone = Annotated[str, AfterValidator(_zone), Field(examples=["America/New_York"])]


def _quoted(value: Any) -> Any:
    # YAML reads an unquoted 20:00 as the number 1200.
    if isinstance(value, int | float) and not isinstance(value, bool):
        is_whole = isinstance(value, int) and value > 24
        meant = f"{value // 60}:{value % 60:02}" if is_whole else f"{value:.2f}"
        raise ValueError(f'write the hour in quotes: "{clock_time(meant) or "20:00"}"')
    if isinstance(value, str) and not re.fullmatch(r"\d{2}:\d{2}(:\d{2})?", value):
        raise ValueError(f'write the hour in quotes, like "{clock_time(value) or "20:00"}"')
    return value


Hour = Annotated[time, BeforeValidator(_quoted), Field(examples=['"20:00"'])]


def _not_a_number(value: Any) -> Any:
    # A date would take it for seconds since 1970.
    if isinstance(value, int | float):
        raise ValueError("write a day, like 2027-12-31")
    return value


Day = Annotated[date, BeforeValidator(_not_a_number), Field(examples=["2027-12-31"])]
Moment = Annotated[datetime, BeforeValidator(_not_a_number), Field(examples=["2026-11-27 00:00"])]


def _is_https(value: str) -> bool:
    """Whether a browser may be sent to exactly this address."""
    try:
        parts = urlsplit(value)
        is_fine = parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        is_fine = False
    return is_fine and len(value) <= 2000 and bool(re.fullmatch(r"https://[!-~]+", value))


def _address(value: str) -> str:
    if not _is_https(value):
        raise ValueError(f"write an address that begins with https://, like {_SHOP}")
    return value


_SHOP = "https://shop.example"
Address = Annotated[str, AfterValidator(_address), Field(examples=[_SHOP])]


def _grows(days: dict[str, int]) -> None:
    """Raises ValueError where a step does not come after the one before it. days: by step."""
    for (earlier, before), (later, after) in pairwise(days.items()):
        if after <= before:
            raise ValueError(
                f"{later} comes at {after} days, and {earlier} before it at {before}: the days "
                "must grow from step to step"
            )


def _once(names: list[str], what: str) -> None:
    """Raises ValueError where a name is there twice."""
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"two {what} have one name, {twice}: each needs a name of its own")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_yes(cls, value: Any, info: ValidationInfo) -> Any:
        """YAML reads yes, no, on and off as true and false, which would pass for 1 and 0."""
        annotation = cls.model_fields[info.field_name or ""].annotation
        is_dict = get_origin(annotation) is dict and isinstance(value, dict)
        given = value.values() if is_dict else (value,)
        takes_it = bool in (annotation, *get_args(annotation))
        if not takes_it and any(isinstance(one, bool) for one in given):
            raise PydanticCustomError("yes_no", "YAML takes this for true or false")
        return value


def _words(value: Any) -> Any:
    if not isinstance(value, str | dict):
        raise ValueError("write some words, in quotes, or those of each language: {en: …, ko: …}")
    return {"": value} if isinstance(value, str) else value


def _some(words: dict[str, str]) -> dict[str, str]:
    if not words or not all(text.strip() for text in words.values()):
        raise ValueError("write some words, or the words of each language: {en: …, ko: …}")
    return words


# What a page says, by language; "" is the brand's.
Words = Annotated[
    dict[Annotated[str, _shaped("([a-z]{2})?", "languages as two small letters, like en")], str],
    BeforeValidator(_words),
    AfterValidator(_some),
    Field(examples=['"The words"']),
]
Colour = Annotated[
    str, _shaped("#[0-9a-f]{6}", 'the colour as # and six of 0-9 and a-f, in quotes: "#1f5a43"')
]

READABLE = 4.5  # the least contrast of text: WCAG 2.2, 1.4.3


def contrast(one: str, other: str) -> float:
    """How far two colours (#rrggbb) are apart, from 1 to 21, as WCAG 2.2 measures it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


class Palette(_Part):
    """The colours of the landing pages, #rrggbb. paper: behind all; card: behind what is set off;
    ink and soft: text, and text beside the point; line: hairlines; accent: buttons, links and
    headings; on_accent: text on a button; error: what is to be put right; sun: a dash of colour.
    """

    paper: Colour = "#f5f0e6"
    card: Colour = "#fffdf8"
    ink: Colour = "#1d2b26"
    soft: Colour = "#55625b"
    line: Colour = "#d9d0bf"
    accent: Colour = "#1f5a43"
    on_accent: Colour = "#fffdf8"
    error: Colour = "#a3261b"
    sun: Colour = "#e8a83a"

    @model_validator(mode="after")
    def _readable(self) -> "Palette":
        pairs = [
            (text, on) for text in ("ink", "soft", "accent", "error") for on in ("paper", "card")
        ]
        for text, ground in [*pairs, ("on_accent", "accent")]:
            one, other = getattr(self, text), getattr(self, ground)
            if (found := contrast(one, other)) < READABLE:
                raise ValueError(
                    f"{text} {one} cannot be read on {ground} {other}: their contrast is "
                    f"{found:.1f}, and {READABLE} is the least"
                )
        return self


class DarkPalette(Palette):
    """The colours on a phone that is set to dark."""

    paper: Colour = "#121a17"
    card: Colour = "#1b2622"
    ink: Colour = "#f1ede3"
    soft: Colour = "#b3bdb5"
    line: Colour = "#35443d"
    accent: Colour = "#9ed8ba"
    on_accent: Colour = "#10251c"
    error: Colour = "#ffb4a8"
    sun: Colour = "#e8b85c"


class Colours(_Part):
    light: Palette = Palette()
    dark: DarkPalette = DarkPalette()


class Company(_Part):
    """Who stands behind the brand, as the pages' foot says it."""

    name: str = Field(examples=['"Larkfield Stores Inc."'])
    address: str | None = None


class Brand(_Part):
    """Who writes. link_domain None: links point to the local link service. logo: a file beside the
    policy, png, svg, jpg or webp, at most 40 KB; None: the name's first letter. shop_url: where the
    pages' button leads; None: they have none.
    """

    name: str = Field(examples=["Larkfield"])
    time_zone: TimeZone
    country: Country
    language: Language
    currency: Currency
    link_domain: str | None = None
    shop_url: Address | None = None
    privacy_url: Address | None = None
    company: Company | None = None
    sender: str = Field(examples=['"+12125550100"'])
    support: str = Field(examples=["help@shop.example"])
    logo: str | None = None
    colours: Colours = Colours()

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class Sale(_Part):
    """When a coupon is good, whatever the day it was sent on: [from, to), in the brand's time."""

    from_: Moment = Field(alias="from")
    to: Moment

    @model_validator(mode="after")
    def _ordered(self) -> "Sale":
        if self.from_.tzinfo or self.to.tzinfo:
            raise ValueError("write the brand's own time, without a zone: 2026-11-27 00:00")
        if self.from_ >= self.to:
            raise ValueError("`from` must be before `to`")
        return self


class CouponOffer(_Part):
    """What a coupon is worth, in percent or in the brand's currency, and how long it is good: for
    valid_days (to the end of the last), for valid_hours, or while a sale is on.

    minimum: what an order must come to, in the brand's currency. pool: the name of uploaded codes
    that are given out; None: codes of our own.
    """

    kind: Literal["percent", "value"]
    value: float = Field(gt=0, examples=[15])
    minimum: float | None = Field(default=None, gt=0)
    valid_days: Days | None = None
    valid_hours: int | None = Field(default=None, ge=1, le=24 * 365)
    sale: Sale | None = None
    pool: Name | None = None
    where: Words | None = None

    @model_validator(mode="after")
    def _ends(self) -> "CouponOffer":
        if (self.valid_days, self.valid_hours, self.sale).count(None) != 2:
            raise ValueError("write one of valid_days, valid_hours and sale")
        if self.kind == "percent" and self.value > 100:
            raise ValueError(
                f"{self.value:g} is more than 100 percent: for fifteen percent write value: 15"
            )
        return self


class Question(_Part):
    """A question of a survey's page.

    kind: choice (one of options), choices (any of them), scale (0 to 10), yes_no, or text (of at
    most max_length characters). low and high: what the ends of a scale mean. attribute: the name
    under which the answer is known of the contact afterwards; a text is never one, as it may hold
    anything.
    """

    name: Name
    kind: Literal["choice", "choices", "scale", "yes_no", "text"]
    label: Words
    required: bool = False
    options: dict[Name, Words] = {}
    low: Words | None = None
    high: Words | None = None
    max_length: int = Field(default=500, ge=1, le=2000)
    attribute: Name | None = None

    @model_validator(mode="after")
    def _fits(self) -> "Question":
        if self.kind in ("choice", "choices"):
            if len(self.options) < 2:
                raise ValueError("write two options or more: {price: The prices, range: …}")
        elif self.options:
            raise ValueError(f"a question of kind {self.kind} has no options")
        if self.kind != "scale" and (self.low or self.high):
            raise ValueError("only a scale has low and high")
        if self.kind == "text" and self.attribute:
            raise ValueError("a text cannot be an attribute: it may hold anything")
        return self


class Contest(_Part):
    """A draw that the step's page invites to, open on the brand's days opens_on to closes_on.

    minimum_age: entrants confirm it. countries: whose customers may enter; (): all. winners: how
    many tickets are drawn (make draw), after closes_on.
    """

    name: Name
    prize: Words
    opens_on: Day | None = None
    closes_on: Day
    winners: int = Field(default=1, ge=1, le=10_000)
    terms: Words | None = None
    terms_url: (
        Annotated[str, _shaped(r"https://[^\s<>\"']+", f"an address like {_SHOP}/terms")] | None
    ) = None
    minimum_age: int | None = Field(default=None, ge=1, le=120)
    countries: tuple[Country, ...] = ()

    @model_validator(mode="after")
    def _ordered(self) -> "Contest":
        if self.opens_on and self.opens_on > self.closes_on:
            raise ValueError("opens_on must not be after closes_on")
        return self


def _landing(value: str) -> str:
    """Raises ValueError for what is neither a page's name nor an address that a browser may be sent
    to. It is sent to exactly this address.
    """
    if re.fullmatch("[a-z][a-z0-9_]*", value):
        return value
    if not _is_https(value):
        raise ValueError(f"{value} is neither the name of a page nor an address like {_SHOP}/hello")
    return value


Landing = Annotated[str, AfterValidator(_landing)]


class Step(_Part):
    """One rung of the ladder: reached after `after_days` without a signal.

    template: the text, in include/templates/sms; landing: the page its link opens, in
    include/templates/landing, without .html, or the https address of a page of the brand's own;
    coupon: in the text; incentive: a coupon for whoever finishes the page; questions: what the page
    asks; contest: what the page invites to.
    """

    name: Name
    after_days: Days
    template: str = Field(examples=["survey.txt"])
    # The page is named like the step, unless the step says another.
    landing: Landing = Field(default_factory=lambda said: said.get("name", ""))
    coupon: CouponOffer | None = None
    incentive: CouponOffer | None = None
    questions: tuple[Question, ...] = ()
    contest: Contest | None = None

    @model_validator(mode="after")
    def _one_page(self) -> "Step":
        if self.questions and self.contest:
            raise ValueError("a step's page is a survey (questions) or a contest, not both")
        _once([question.name for question in self.questions], "questions")
        return self

    @property
    def words(self) -> Iterator[Words]:
        """All that the step's pages say in words of the policy."""
        for question in self.questions:
            yield question.label
            yield from question.options.values()
            yield from filter(None, (question.low, question.high))
        if self.contest:
            yield from filter(None, (self.contest.prize, self.contest.terms))
        for offer in filter(None, (self.coupon, self.incentive)):
            yield from filter(None, (offer.where,))


class Behaviour(_Part):
    """A clock of its own: these signals stop it, and it reaches the steps after these days."""

    name: Name
    signals: tuple[Kind, ...] = Field(min_length=1)
    days: tuple[Days, ...] = Field(min_length=1)


class Rhythm(_Part):
    """The first step at a quantile of the contact's own gaps between purchases, in bounds.

    purchases: days with a purchase that a contact needs, or the ladder's own days hold.
    """

    quantile: float = Field(gt=0, le=1, examples=[0.9])
    purchases: int = Field(ge=3, le=1000, examples=[4])
    at_least_days: Days
    at_most_days: Days

    @model_validator(mode="after")
    def _ordered(self) -> "Rhythm":
        if self.at_least_days > self.at_most_days:
            raise ValueError("at_least_days must not be above at_most_days")
        return self


class Thresholds(_Part):
    """How the ladder's days bend to the sending frequency, the lifecycle and the behaviour."""

    frequency: str = "daily"
    frequencies: dict[str, Annotated[float, Field(gt=0, le=50)]] = {"daily": 1}
    lifecycle: dict[str, Annotated[float, Field(gt=0, le=50)]] = {}
    rhythm: Rhythm | None = None
    behaviours: tuple[Behaviour, ...] = ()

    @model_validator(mode="after")
    def _known(self) -> "Thresholds":
        if self.frequency not in self.frequencies:
            raise ValueError(f"frequency {self.frequency} is none of {', '.join(self.frequencies)}")
        _once([behaviour.name for behaviour in self.behaviours], "behaviours")
        return self

    @property
    def scale(self) -> float:
        """What every day of the ladder is multiplied by, for the chosen frequency."""
        return self.frequencies[self.frequency]


class ConsentClock(_Part):
    """After how many days a consent of a country, or of a basis in it, must be given anew."""

    country: Country
    basis: str | None = None
    after_days: Days


class ConsentRule(_Part):
    purpose: str = Field(examples=["marketing"])
    channel: Literal["sms"]
    expires_after_days: Days | None = None
    clocks: tuple[ConsentClock, ...] = ()


class Control(_Part):
    share: float = Field(ge=0, lt=1, examples=["0.10"])
    salt: str = Field(examples=["spring"])


class WarmUp(_Part):
    """The ramp of a new base or number: first_day texts, then `growth` times as many each day."""

    first_day: int = Field(ge=1, examples=[500])
    growth: float = Field(ge=1, le=10, examples=[1.5])
    days: int = Field(ge=1, le=365, examples=[14])
    since: Day | None = None


class Caps(_Part):
    """How many may be written to in a day; None: all who are due.

    order: whom the caps let through: the most recently active first; who has been due longest
    first; or of each step its share of those due, the most recently active first within it.
    """

    per_day: int | None = Field(default=None, ge=1)
    order: Literal["recent", "waiting", "shared"] = "recent"
    warm_up: WarmUp | None = None


class PlaceHours(_Part):
    """When a phone may ring in a place: [from, to), on Sundays from sunday_from on.

    sunday_from None: not on Sundays; on_holidays False: not on public holidays.
    """

    from_: Hour = Field(alias="from")
    to: Hour
    sunday_from: Hour | None
    on_holidays: bool = True

    @model_validator(mode="after")
    def _ordered(self) -> "PlaceHours":
        if not (self.from_ < self.to and (self.sunday_from is None or self.sunday_from < self.to)):
            raise ValueError("`from` and `sunday_from` must be before `to`")
        return self


class Hours(PlaceHours):
    """The brand's own hours, which hold beside those of the recipient's place.

    places: a country (IT) or a state of one (US-FL) whose rules in include/hours.yaml are
    replaced.
    """

    window_hours: int = Field(ge=1, le=168, examples=[48])
    places: dict[
        Annotated[str, _shaped("[A-Z]{2}(-[A-Z0-9]{1,3})?", "a country or a state: IT, US-FL")],
        PlaceHours,
    ] = {}


class Sending(_Part):
    """max_segments: how long a text may be, by the recipient's country (KR) or the text's language
    (ko), and `default`.
    """

    max_segments: dict[
        Annotated[
            str, _shaped("default|[A-Z]{2}|[a-z]{2}", "default, a country (KR) or a language (ko)")
        ],
        Annotated[int, Field(ge=1, le=4)],
    ] = {"default": 1}
    batch_size: int = Field(ge=1, le=1000, examples=[500])
    timeout_seconds: float = Field(gt=0, examples=[15])
    settle_seconds: float = Field(ge=0, examples=[30])
    max_attempts: int = Field(ge=1, examples=[5])
    max_age_days: Days

    @field_validator("max_segments", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if isinstance(value, int):
            return {"default": value}
        if not isinstance(value, dict):
            raise ValueError("write a number, or several by place: {default: 1, KR: 3}")
        return {"default": 1, **value}

    def segments_for(self, country: str | None, language: str) -> int:
        """The most segments of a text in that language to that country."""
        limits = self.max_segments
        named = [limits[key] for key in (country, language) if key in limits]
        return max(named, default=limits["default"])


class Replies(_Part):
    """hold_days: after so many days a reply that nobody has read counts as a stop."""

    hold_days: int = Field(default=7, ge=1, le=10)


class Links(_Part):
    valid_days: Days


class SizeGate(_Part):
    """A cohort may be max_growth times the median of the days that went out in the last over_days,
    once there are history_days of them; under at_least contacts nothing is asked. at_most holds
    from the first day on.
    """

    max_growth: float = Field(default=3, gt=1)
    over_days: Days = 28
    history_days: int = Field(default=7, ge=1)
    at_least: int = Field(default=500, ge=0)
    at_most: int | None = Field(default=None, ge=1)


class UnsubscribeGate(_Part):
    """max_opt_out_share: of the texts accepted in the last over_days, from at_least texts on.
    max_given_up_share: of all contacts, given up without a click within close_after_days.
    """

    max_opt_out_share: Share = 0.1
    over_days: Days = 7
    at_least: int = Field(default=200, ge=1)
    max_given_up_share: Share = 0.5


class Spend(_Part):
    segments: int | None = Field(default=None, ge=0)
    money: float | None = Field(default=None, ge=0)


class Budget(_Part):
    """What may be spent on texts: in segments, and in the brand's currency."""

    day: Spend = Spend()
    month: Spend = Spend()


class Gates(_Part):
    max_rejected_share: Share
    max_unknown_share: Share = 0.2
    size: SizeGate = SizeGate()
    unsubscribes: UnsubscribeGate = UnsubscribeGate()
    budget: Budget = Budget()


class Policy(_Part):
    """Everything a marketer decides. `version` names the text it was read from.

    mode: sandbox texts nobody, and is refused beside a real provider; live is refused beside the
    sandbox, which would take customers for texted who were not. unsubscribe_after_texts: who got
    so many in a quiet spell and clicked none is given up; who got fewer keeps their status.
    """

    version: str
    mode: Literal["sandbox", "live"] = "sandbox"
    brand: Brand
    signals: tuple[Kind, ...] = Field(min_length=1, examples=["[purchase, visit, loyalty]"])
    steps: tuple[Step, ...] = Field(min_length=1)
    entry: Literal["by_days", "in_order"] = "by_days"
    thresholds: Thresholds = Thresholds()
    barely_active_after_days: Days = 14
    close_after_days: Days
    unsubscribe_after_texts: int = Field(default=1, ge=1)
    cooldown_days: Days
    repeat_after_days: Days
    gap_days: int = Field(ge=0, examples=[7])
    consent: ConsentRule
    control: Control
    caps: Caps = Caps()
    hours: Hours
    sending: Sending
    prices: dict[str, Annotated[float, Field(ge=0)]] = {"default": 0}
    replies: Replies = Replies()
    links: Links
    attribution_days: Days
    gates: Gates
    approval: Literal["always", "anomaly", "never"] = "never"
    approval_hours: float = Field(default=12, gt=0, le=24)  # the next day waits for the answer

    @field_validator("steps")
    @classmethod
    def _ascending(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        _once([step.name for step in steps], "steps")
        _grows({step.name: step.after_days for step in steps})
        return steps

    @field_validator("prices")
    @classmethod
    def _has_default(cls, prices: dict[str, float]) -> dict[str, float]:
        if "default" not in prices:
            raise ValueError("a price named `default` is needed, for the countries not named")
        return prices

    @model_validator(mode="after")
    def _fits(self) -> "Policy":
        for behaviour in self.thresholds.behaviours:
            if len(behaviour.days) != len(self.steps):
                raise ValueError(
                    f"thresholds.behaviours: {behaviour.name} needs {len(self.steps)} days, one a "
                    f"step, but has {len(behaviour.days)}"
                )
            try:
                _grows({s.name: d for s, d in zip(self.steps, behaviour.days, strict=True)})
            except ValueError as error:
                raise ValueError(f"thresholds.behaviours: {behaviour.name}: {error}") from error
        for step in self.steps:
            for words in step.words:
                if not {"", self.brand.language} & words.keys():
                    raise ValueError(
                        f"steps: {step.name} says “{next(iter(words.values()))}” in "
                        f"{', '.join(words)}, but not in the brand's language "
                        f"({self.brand.language}), which is shown where another is missing"
                    )
        try:
            _once([step.contest.name for step in self.steps if step.contest], "contests")
        except ValueError as error:
            raise ValueError(f"steps: {error}") from error
        if self.approval != "never" and self.approval_hours >= self.hours.window_hours:
            raise ValueError(
                f"approval_hours ({self.approval_hours:g}) must be below hours.window_hours "
                f"({self.hours.window_hours}): a text approved later could not be sent any more"
            )
        return self

    def step(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)

    @property
    def behaviours(self) -> tuple[Behaviour, ...]:
        """The clocks that run for every contact: those of the policy, or one of all signals."""
        days = tuple(step.after_days for step in self.steps)
        return self.thresholds.behaviours or (
            Behaviour(name="any", signals=self.signals, days=days),
        )

    @property
    def ladder(self) -> str:
        """The steps as a bind for SQL: a JSON array of rungs {behaviour, step, position, days},
        days as the policy says them, for the chosen frequency, before a contact's own pace.
        """
        return json.dumps(
            [
                {
                    "behaviour": behaviour.name,
                    "step": step.name,
                    "position": position,
                    "days": days * self.thresholds.scale,
                }
                for behaviour in self.behaviours
                for position, (step, days) in enumerate(
                    zip(self.steps, behaviour.days, strict=True), 1
                )
            ]
        )

    @property
    def climb(self) -> dict[str, Any]:
        """How the ladder is climbed, as binds: ladder, and is_in_order (all from its foot)."""
        return {"ladder": self.ladder, "is_in_order": self.entry == "in_order"}

    @property
    def plain_ladder(self) -> dict[str, list[Any]]:
        """The steps of the first clock as binds: step_names and their step_days, lowest first."""
        scale = self.thresholds.scale
        return {
            "step_names": [step.name for step in self.steps],
            "step_days": [max(1, round(days * scale)) for days in self.behaviours[0].days],
        }

    @property
    def clocks(self) -> str:
        """The behaviours as a bind for SQL: a JSON array of {behaviour, signals, days, place}, days
        those of the first step.
        """
        return json.dumps(
            [
                {
                    "behaviour": behaviour.name,
                    "signals": behaviour.signals,
                    "days": behaviour.days[0] * self.thresholds.scale,
                    "place": place,
                }
                for place, behaviour in enumerate(self.behaviours, 1)
            ]
        )

    @property
    def pace(self) -> str:
        """What bends a contact's ladder, as a bind: {lifecycle: {class: factor}, rhythm}."""
        rhythm = self.thresholds.rhythm
        return json.dumps(
            {
                "lifecycle": self.thresholds.lifecycle,
                "rhythm": rhythm.model_dump() if rhythm else None,
            }
        )

    @property
    def remarks(self) -> list[str]:
        """What is allowed, and is hardly meant: sentences for whoever checks the policy."""
        said = []
        longest = max(behaviour.days[-1] for behaviour in self.behaviours) * self.thresholds.scale
        ends = round(longest) + self.close_after_days
        if self.links.valid_days <= ends:
            said.append(
                f"links.valid_days ({self.links.valid_days}) ends before the journey does, {ends} "
                "days after somebody went quiet: who opens a link late finds a page that says so, "
                "and nothing to answer"
            )
        if self.unsubscribe_after_texts > len(self.steps):
            said.append(
                f"unsubscribe_after_texts ({self.unsubscribe_after_texts}) is more than the ladder "
                f"has steps ({len(self.steps)}): nobody gets so many texts in a quiet spell, so "
                "nobody is ever left to rest, however few they click"
            )
        return said

    def price(self, country: str | None) -> float:
        """Of one segment to a country, in the brand's currency, as the policy expects it."""
        return self.prices.get(country or self.brand.country, self.prices["default"])

    def end_of(self, day: date) -> datetime:
        """The first instant after a brand day: midnight in the brand's zone. Aware."""
        return datetime.combine(day + timedelta(days=1), time.min, self.brand.zone)


def read_policy(path: Path | None = None) -> Policy:
    """The policy of this installation, or of the file given.

    Raises ConfigurationError: the file, the line, what is wrong and what is allowed.
    """
    path = path or settings().policy
    return _policy(path, _read(path, "policy"))


@functools.lru_cache(maxsize=8)
def _policy(path: Path, text: str) -> Policy:
    """What a policy's text says. Kept, as every task reads the policy and few are changed."""
    content = _yaml(path, text, "policy", Loader)
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"The policy {path} says nothing in `key: value`: see include/journey.yaml."
        )
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    try:
        return Policy.model_validate({"version": version, **content})
    except ValidationError as error:
        raise ConfigurationError(f"The policy {path} {explain(error, text, Policy)}") from error


def read_yaml(path: Path, what: str, loader: type[Loader] = Loader) -> tuple[str, Any]:
    """The text of a YAML file, and what it says. what: for people, "policy".

    Raises ConfigurationError for one that cannot be read, is no YAML, or says what YAML would read
    otherwise (plain_yaml).
    """
    text = _read(path, what)
    return text, _yaml(path, text, what, loader)


def _read(path: Path, what: str) -> str:
    try:
        if (size := path.stat().st_size) > LONGEST:
            raise Misread(f"it has {size:,} bytes, and such a file has at most {LONGEST:,}")
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # ValueError: Misread, or no UTF-8
        raise _unreadable(path, what, error) from error


def _yaml(path: Path, text: str, what: str, loader: type[Loader]) -> Any:
    try:
        return yaml.load(text, loader)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: Misread
        raise _unreadable(path, what, error) from error


def _unreadable(path: Path, what: str, error: Exception) -> ConfigurationError:
    return ConfigurationError(f"The {what} {path} cannot be read: {explain_yaml(error, path)}.")
