"""What simulated people do with a message, and when: it follows from the seed alone."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

# What people do, as shares. Chosen for a lively demonstration; no market's figures.
UNDELIVERABLE = 0.02

EXPIRED = 0.01

OPEN = 0.18  # on average: half of all people open twice as often as the others

SCAN = 0.05

STOP = 0.015  # half on the page, half by text

BUY = 0.02

BUY_AFTER_OPEN = 0.07

ACT = 0.5  # of those who open: they answer, enter, or have their coupon shown

USE_CODE = 0.5  # of those who buy and have a code; whoever opened its page forgets it less

USE_CODE_AFTER_OPEN = 0.9

OPEN_WITHIN = timedelta(days=3)

BUY_WITHIN = timedelta(days=20)

# No deed is later than this after its message: older messages need not be read again.
HORIZON = OPEN_WITHIN + BUY_WITHIN + timedelta(days=1)

# Full links, else bare ones such as go.example.com/abc.
LINK = re.compile(r"https?://[^\s<>\"]+|\b[\w-]+(?:\.[\w-]+)+(?::\d+)?/[^\s<>\"]+")

# A code is what stands before the link, in capitals.
CODE = re.compile(r"\b([A-Z0-9][A-Z0-9._-]{2,38}[A-Z0-9])\s+$")

DeedKind = Literal["scan", "open", "act", "opt_out", "reply", "buy"]


def draw(seed: str, *what: str) -> float:
    """A number in [0, 1) that depends on its arguments alone."""
    digest = blake2b("\x1f".join((seed, *what)).encode(), digest_size=7).digest()
    return int.from_bytes(digest) / 2**56


@dataclass(frozen=True)
class Receipt:
    """How the network fares with a message, and how long after it was accepted."""

    group: Literal["DELIVERED", "UNDELIVERABLE", "EXPIRED"]
    after: timedelta


def receipt(seed: str, message_id: str) -> Receipt:
    """The fate of a message: delivered within a minute, refused within two, or given up after
    8 to 20 hours.
    """
    fate, slow = draw(seed, "fate", message_id), draw(seed, "slow", message_id)
    if fate < UNDELIVERABLE:
        return Receipt("UNDELIVERABLE", timedelta(seconds=5 + int(115 * slow)))
    if fate < UNDELIVERABLE + EXPIRED:
        return Receipt("EXPIRED", timedelta(hours=8, seconds=int(12 * 3600 * slow)))
    return Receipt("DELIVERED", timedelta(seconds=2 + int(58 * slow)))


class Deed(NamedTuple):
    """Something done, at an aware time. Ordered by time, then by message."""

    at: datetime
    message_id: str
    kind: DeedKind
    to: str
    path: str
    code: str = ""  # of the coupon that is used for what is bought


def deeds(seed: str, message: dict[str, Any]) -> list[Deed]:
    """What comes of one message of accepted.jsonl: nothing, for most."""
    message_id, to = message["message_id"], message["to"]
    fate = receipt(seed, message_id)
    if fate.group != "DELIVERED":
        return []

    def chance(what: str) -> float:
        return draw(seed, what, message_id)

    keen = 4 / 3 if draw(seed, "keen", to) < 0.5 else 2 / 3
    scans, stops = chance("scan") < SCAN, chance("stop") < STOP
    opens, buys = chance("open") < OPEN * keen, chance("buy")
    if not (scans or stops or opens or buys < BUY):
        return []
    path = link_path(message["text"])
    opens = opens and bool(path)
    delivered = datetime.fromisoformat(message["at"]) + fate.after

    def deed(kind: DeedKind, at: datetime, code: str = "") -> Deed:
        return Deed(at, message_id, kind, to, path, code)

    done = []
    if path and scans:
        done.append(deed("scan", delivered + timedelta(seconds=1 + int(4 * chance("scanned")))))
    # Most of those who read at all do so soon: the cube puts half of them into nine hours.
    opened = delivered + timedelta(minutes=2) + OPEN_WITHIN * chance("opened") ** 3
    if stops:
        by_page = path and chance("by_page") < 0.5
        return [*done, deed("opt_out" if by_page else "reply", opened)]
    if opens:
        done.append(deed("open", opened))
        if chance("act") < ACT:  # within three minutes
            done.append(deed("act", opened + timedelta(seconds=20 + int(160 * chance("acted")))))
    if buys < (BUY_AFTER_OPEN if opens else BUY):
        begun = opened if opens else delivered
        uses = chance("use") < (USE_CODE_AFTER_OPEN if opens else USE_CODE)
        code = code_in(message["text"]) if uses else ""
        bought = begun + timedelta(hours=1) + BUY_WITHIN * chance("bought")
        done.append(deed("buy", bought, code))
    return done


def link_path(text: str) -> str:
    """The path of the first link in a text, with its query; '' without a link."""
    found = LINK.search(text)
    if not found:
        return ""
    link = found.group().rstrip(".,;:!?)]'")
    parts = urlsplit(link if "://" in link else f"//{link}")
    return parts.path + (f"?{parts.query}" if parts.query else "")


def code_in(text: str) -> str:
    """The coupon's code that a text names before its link; '' without one."""
    link = LINK.search(text)
    found = CODE.search(text[: link.start()]) if link else None
    return found[1] if found else ""
