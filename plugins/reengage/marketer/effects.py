"""The page of what the texts have caused: in words first, then the picture, then the figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from reengage import db
from reengage.marketer.asking import reading
from reengage.marketer.shown import Missing, placing
from reengage.marketer.written import points

UNEVEN = 0.001  # below it the split is not the policy's

SLICES = {"step": "Step", "class": "Class", "language": "Language", "month": "Month"}


def add_effects(
    app: FastAPI,
    show: Callable[..., HTMLResponse],
    engine_factory: Callable[[], sa.Engine],
    ladder: Callable[[], list[str]],
) -> None:
    """The page's route. show: a template as an answer. ladder: the policy's steps, lowest first."""

    @app.get("/effects", response_class=HTMLResponse)
    def effects(request: Request, experiment: str | None = None) -> Response:
        with reading(engine_factory) as connection:
            known = {row.experiment: row for row in db.run(connection, "marketer/experiments")}
            groups = {name: Groups.of(row) for name, row in known.items()}
            if experiment is None:
                experiment = next(iter(known), None)
            if experiment is None:
                return show(request, "effects.html", section="effects", chosen=None, known=known)
            if experiment not in known:
                raise Missing("There is no experiment of this name. Start from Effect.")
            rows = db.run(connection, "marketer/effects", experiment=experiment).all()
            invented = db.run(connection, "marketer/has_invented").scalar_one()
        chosen, place = known[experiment], placing(ladder())
        whole = [row for row in rows if row.dimension == "all"]
        first = [row for row in whole if row.estimand != "first_step"]
        return show(
            request,
            "effects.html",
            section="effects",
            known=known,
            chosen=chosen,
            groups=groups,
            named=groups[experiment],
            whole=whole,
            leads=[(row, lead(row, chosen)) for row in first],
            planned=[row for row in rows if row.dimension == "planned"],
            picture=Picture.of(whole, groups[experiment]),
            slices=[
                (title, sorted(found, key=lambda row: (place(row.value), row.arm)))
                for dimension, title in SLICES.items()
                if len(found := _slice(rows, dimension)) > len({row.arm for row in found})
            ],
            single_step=_single_step(rows) if not chosen.draw else None,
            is_uneven=chosen.is_own and min(chosen.ratio_p, chosen.ratio_always_p) < UNEVEN,
            invented=invented,
        )


def _slice(rows: Sequence[sa.Row[Any]], dimension: str) -> list[sa.Row[Any]]:
    return [row for row in rows if row.dimension == dimension and row.estimand != "first_step"]


def _single_step(rows: Sequence[sa.Row[Any]]) -> str | None:
    """The step at which everybody was drawn, where there is one."""
    steps = {row.value for row in _slice(rows, "step")}
    return steps.pop() if len(steps) == 1 else None


@dataclass(frozen=True)
class Groups:
    """What the groups of an experiment are called. title: the experiment; treated and control: the
    columns; the_control, of_control: "the control group", "in the control group"; estimands: what
    is compared. step: whose variants they are; "" where they are none.
    """

    title: str
    treated: str
    control: str
    the_control: str
    of_control: str
    estimands: dict[str, str]
    step: str = ""

    @classmethod
    def of(cls, experiment: sa.Row[Any]) -> "Groups":
        if experiment.draw:
            step, one, other = experiment.draw.split("/")
            return cls(
                f"{step.capitalize()}: version {other} against {one}, “{experiment.salt}”",
                f"Version {other}",
                f"Version {one}",
                f"version {one}",
                f"after version {one}",
                {"ladder": "From this step to the end", "first_step": "This step"},
                step,
            )
        if experiment.is_own:
            return cls(
                f"Control group “{experiment.salt}”",
                "May be texted",
                "Control group",
                "the control group",
                "in the control group",
                {"ladder": "The whole ladder", "first_step": "The first step"},
            )
        control = experiment.control_arm
        return cls(experiment.experiment, "Group", control, control, f"in {control}", {})

    def of_row(self, row: sa.Row[Any]) -> str:
        """What a line of the table compares."""
        return self.estimands.get(row.estimand) or row.arm or "All groups together"


@dataclass(frozen=True)
class Lead:
    """The effect in words: what is known (`said`), and how it reads: good, bad or unsure."""

    said: str
    tone: str


def lead(row: sa.Row[Any], experiment: sa.Row[Any]) -> Lead:
    """The comparison of all contacts in a sentence, by the interval that holds however often
    somebody looks; of an experiment that is over, by the fixed one.
    """
    low, high = (
        (row.always_low, row.always_high) if experiment.is_own else (row.ci_low, row.ci_high)
    )
    if experiment.draw:
        return _lead_of_variants(experiment, low, high)
    if low is None:
        return Lead(
            "It is too early to say what the texts bring: fewer than ten customers of one of the "
            "groups have come back so far, or not.",
            "unsure",
        )
    many = _many(max(abs(low), abs(high)))
    of = f"Of {many:,} customers " + ("who may be texted" if experiment.is_own else "of the group")
    cause = "the texts" if experiment.is_own else "it"
    if low > 0:
        said = f"{of}, between {_count(low, many)} and {_count(high, many)} came back because of"
        return Lead(f"{said} {cause}.", "good")
    if high < 0:
        said = (
            f"{of}, between {_count(-high, many)} and {_count(-low, many)} stayed away because "
            f"of {cause}."
        )
        return Lead(said, "bad")
    said = (
        f"It cannot be told yet whether anybody comes back because of {cause}. {of}, "
        f"{_count(-low, many)} may have stayed away, or {_count(high, many)} come back, or "
        "anything between."
    )
    return Lead(said, "unsure")


def _lead_of_variants(experiment: sa.Row[Any], low: float | None, high: float | None) -> Lead:
    """The same, of one variant of a step beside the other."""
    step, one, other = experiment.draw.split("/")
    if low is None or high is None:
        return Lead(
            f"It is too early to say which version of the {step} brings back more: fewer than ten "
            "customers of one of them have come back so far, or not.",
            "unsure",
        )
    many = _many(max(abs(low), abs(high)))
    if low > 0 or high < 0:
        better, worse, tone = (other, one, "good") if low > 0 else (one, other, "bad")
        least, most = sorted((abs(low), abs(high)))
        return Lead(
            f"Version {better} of the {step} brings back more: of {many:,} customers, between "
            f"{_count(least, many)} and {_count(most, many)} come back after it who would not "
            f"after version {worse}.",
            tone,
        )
    return Lead(
        f"It cannot be told yet which version of the {step} brings back more. Of {many:,} "
        f"customers, version {one} may bring back {_count(-low, many)} more, or version {other} "
        f"{_count(high, many)} more, or anything between.",
        "unsure",
    )


def _many(largest: float) -> int:
    """Of how many to speak, so that whole customers are meant."""
    return next((many for many in (100, 1_000, 10_000) if largest * many >= 2), 100_000)


def _count(share: float, many: int) -> str:
    """So many of many; a little is never told as none."""
    count = share * many
    if 0 < count < 0.05:
        return "hardly any"
    return f"{count:.1f}".removesuffix(".0") if count < 10 else f"{count:,.0f}"


WIDTH, LEFT, LINE = 420, 14, 62  # of the picture, in its own units


@dataclass(frozen=True)
class Bar:
    """One comparison in the picture: its dot, the ends of its line, the words beside it, and what
    it shows for whoever does not see it.
    """

    label: str
    detail: str
    said: str
    y: int
    dot: float
    low: float
    high: float


@dataclass(frozen=True)
class Picture:
    """Differences in points as lines with a dot, on one scale, where zero is drawn, too."""

    bars: list[Bar]
    ticks: list[tuple[float, str]]
    zero: float
    height: int
    width: int = WIDTH

    @classmethod
    def of(cls, rows: Sequence[sa.Row[Any]], groups: Groups) -> "Picture | None":
        """None where nothing can be drawn yet."""
        told: list[tuple[str, str, float, float, float]] = []
        for row in rows:
            name = groups.of_row(row)
            if row.always_low is not None:
                told.append(
                    (
                        name,
                        "however often you look",
                        row.difference,
                        row.always_low,
                        row.always_high,
                    )
                )
            elif row.estimand == "loaded":
                told.append((name, "95 % interval", row.difference, row.ci_low, row.ci_high))
        if not told:
            return None
        least, most = min(0.0, *(low for *_, low, _ in told)), max(0.0, *(one[4] for one in told))
        step = _tick(most - least)
        first, last = int(least // step), -int(-most // step)

        def across(value: float) -> float:
            span = (last - first) * step
            return round(LEFT + (WIDTH - 2 * LEFT - 8) * (value - first * step) / span, 1)

        bars = [
            Bar(
                label,
                detail,
                f"{label}, {detail}: {points(dot)}, between {points(low)} and {points(high)}.",
                38 + LINE * place,
                across(dot),
                across(low),
                across(high),
            )
            for place, (label, detail, dot, low, high) in enumerate(told)
        ]
        ticks = [(across(at * step), points(at * step)) for at in range(first, last + 1)]
        return cls(bars, ticks, across(0.0), LINE * len(bars) + 4)


def _tick(span: float) -> float:
    """A round distance between the lines of a scale, for four to eight of them."""
    size = 10.0**-6
    while True:
        for factor in (1, 2, 5):
            if span / (size * factor) <= 6:
                return size * factor
        size *= 10
