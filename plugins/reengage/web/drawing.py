"""What is drawn on a landing page: its colours, the logo, a code as QR."""

import base64
import re
from functools import lru_cache

import segno
from markupsafe import Markup

from reengage.errors import ConfigurationError
from reengage.policy import Brand, Palette
from reengage.settings import settings

# What stands in a page that is made once for the codes of each who sees it: of Unicode's private
# use, so that no text of a brand holds it.
CODE, COUPON, INCENTIVE = "\ue000link", "\ue000coupon", "\ue000incentive"

LOGO_BYTES = 40_000

LOGO_TYPES = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
}


def as_css(palette: Palette) -> Markup:
    """A palette as CSS: its names with hyphens. The policy has checked that each is a colour."""
    return Markup(" ".join(f"--{name.replace('_', '-')}: {value};" for name, value in palette))


def logo_of(brand: Brand) -> str | None:
    """The logo as a data: URI: a page asks for nothing. Raises ConfigurationError."""
    if brand.logo is None:
        return None
    file = settings().policy.parent / brand.logo
    kind = LOGO_TYPES.get(file.suffix.lower())
    if kind is None:
        raise ConfigurationError(
            f"brand.logo {file} is none of {', '.join(sorted(LOGO_TYPES))}: save it as one of them."
        )
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"brand.logo {file} cannot be read: {error}.") from error
    if len(content) > LOGO_BYTES:
        raise ConfigurationError(
            f"brand.logo {file} has {len(content):,} bytes, and every page carries it: "
            f"{LOGO_BYTES:,} is the most. Save it smaller."
        )
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


QUIET = 4  # modules around a QR code, which scanners need

_DARK = re.compile(b"\x01+")


@lru_cache(maxsize=4096)
def qr_code(code: str) -> Markup:
    """A coupon's code as a QR code: inline SVG, black on white, which scanners need; a sign where a
    page is made for anybody.
    """
    if code in (COUPON, INCENTIVE):
        return Markup(f"{code}qr")
    # One mask of the eight, all of which scanners read, and no more correction than asked for:
    # weighing the others takes most of the time.
    rows = segno.make_qr(code, error="m", mask=3, boost_error=False).matrix
    size = len(rows) + 2 * QUIET
    dark = "".join(
        f"M{run.start() + QUIET} {y}.5h{run.end() - run.start()}"
        for y, row in enumerate(rows, QUIET)
        for run in _DARK.finditer(row)
    )
    return Markup(
        f'<svg viewBox="0 0 {size} {size}"><path fill="#fff" d="M0 0h{size}v{size}h-{size}z"/>'
        f'<path stroke="#000" d="{dark}"/></svg>'
    )
