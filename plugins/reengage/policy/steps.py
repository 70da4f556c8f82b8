"""The rungs of the ladder, and what their pages hold: coupons, questions, contests."""

import math
import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from reengage.policy.values import (
    SHOP,
    Country,
    Day,
    Days,
    Moment,
    Name,
    Part,
    Words,
    check_single,
    is_https,
    shaped,
)


class Sale(Part):
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


class CouponOffer(Part):
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


class Question(Part):
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
    options: dict[Name, Words] = Field(default={})
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


class Contest(Part):
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
        Annotated[str, shaped(r"https://[^\s<>\"']+", f"an address like {SHOP}/terms")] | None
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
    if not is_https(value):
        raise ValueError(f"{value} is neither the name of a page nor an address like {SHOP}/hello")
    return value


Landing = Annotated[str, AfterValidator(_landing)]


def _file(value: str) -> str:
    """A text's file: survey is survey.txt."""
    return value if PurePath(value).suffix else f"{value}.txt"


class Variant(Part):
    """One of the two texts or offers of a step that are held against each other.

    share: of the contacts; None: what the other leaves, half where neither says. coupon: in this
    text; None: the step's.
    """

    template: Annotated[str, AfterValidator(_file)] = Field(examples=["survey_short.txt"])
    share: Annotated[float, Field(gt=0, lt=1, examples=["0.5"])] | None = None
    coupon: CouponOffer | None = None

    @model_validator(mode="after")
    def _one_page(self) -> "Variant":
        if self.coupon and self.coupon.where:
            raise ValueError("the step has one page: write `where` in the step's own coupon")
        return self


def _variants(value: Any) -> Any:
    if isinstance(value, str):
        return {"": {"template": value}}
    if not isinstance(value, dict):
        raise ValueError("write a text's name, like survey.txt, or two: {a: …, b: …}")
    return {
        name: {"template": said} if isinstance(said, str) else said for name, said in value.items()
    }


def _shared(variants: dict[str, Variant]) -> dict[str, Variant]:
    if variants.keys() == {""}:
        return variants
    if len(variants) != 2 or "" in variants:
        raise ValueError(
            "write one text, like survey.txt, or two that are held against each other, each with "
            "a name: {a: survey.txt, b: survey_short.txt}"
        )
    told = {name: one.share for name, one in variants.items()}
    (first, one), (second, other) = told.items()
    if one is None and other is None:
        one = other = 0.5
    elif one is None or other is None:
        one, other = (one, 1 - one) if one is not None else (1 - (other or 0), other)
    if not math.isclose((one or 0) + (other or 0), 1, abs_tol=1e-9):
        raise ValueError(f"the shares of {first} and {second} must come to 1: write one of them")
    return {
        name: variant.model_copy(update={"share": share})
        for (name, variant), share in zip(variants.items(), (one, other), strict=True)
    }


class Step(Part):
    """One rung of the ladder: reached after `after_days` without a signal.

    template: the text, in include/templates/sms, or two, by the name of each variant ("": the only
    one); landing: the page its link opens, in include/templates/landing, without .html, or the
    https address of a page of the brand's own; coupon: in the text; incentive: a coupon for whoever
    finishes the page; questions: what the page asks; contest: what the page invites to.
    """

    name: Name
    after_days: Days
    template: Annotated[
        dict[
            Annotated[
                str, shaped("([a-z][a-z0-9_]*)?", "a name in small letters, digits and _, like b")
            ],
            Variant,
        ],
        BeforeValidator(_variants),
        AfterValidator(_shared),
    ] = Field(examples=["survey.txt"])
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
        check_single([question.name for question in self.questions], "questions")
        return self

    @property
    def texts(self) -> "tuple[Step, ...]":
        """The step once for each of its variants, with that one's text and coupon alone."""
        return tuple(map(self.text, self.template))

    def text(self, variant: str) -> "Step":
        """The step as whoever was drawn into a variant ("": the only one) gets it."""
        one = self.template[variant]
        return self.model_copy(
            update={"template": {variant: one}, "coupon": one.coupon or self.coupon}
        )

    @property
    def variant(self) -> str:
        """Of one of `texts`: which it is."""
        (name,) = self.template
        return name

    @property
    def title(self) -> str:
        """Of one of `texts`, for people: survey, or survey, version b."""
        return f"{self.name}, version {self.variant}" if self.variant else self.name

    @property
    def draw(self) -> str:
        """What its variants are drawn by, beside the salt: survey/a/b; "" where it has one."""
        return "" if len(self.template) == 1 else "/".join((self.name, *self.template))

    @property
    def offers(self) -> Iterator[tuple[str, CouponOffer]]:
        """The step's coupons, each with the key that it stands at."""
        for name, variant in self.template.items():
            if variant.coupon:
                yield f"template.{name}.coupon", variant.coupon
        for key, offer in (("coupon", self.coupon), ("incentive", self.incentive)):
            if offer:
                yield key, offer

    @property
    def words(self) -> Iterator[Words]:
        """All that the step's pages say in words of the policy."""
        for question in self.questions:
            yield question.label
            yield from question.options.values()
            yield from filter(None, (question.low, question.high))
        if self.contest:
            yield from filter(None, (self.contest.prize, self.contest.terms))
        yield from (offer.where for _, offer in self.offers if offer.where)
