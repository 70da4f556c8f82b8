"""Who writes: the brand, its company, and the colours of its pages."""

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from reengage.policy.values import Address, Country, Currency, Language, Part, TimeZone, shaped

Colour = Annotated[
    str, shaped("#[0-9a-f]{6}", 'the colour as # and six of 0-9 and a-f, in quotes: "#1f5a43"')
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


class Palette(Part):
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


class Colours(Part):
    light: Palette = Palette()
    dark: DarkPalette = DarkPalette()


class Company(Part):
    """Who stands behind the brand, as the pages' foot says it."""

    name: str = Field(examples=['"Larkfield Stores Inc."'])
    address: str | None = None


class Brand(Part):
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
