"""Simulated people: what they do with a message, and doing it.

Everything a person does follows from the seed, their number and the message's id alone, so a run
can be repeated, and one that was killed can be finished.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from html.parser import HTMLParser
from math import exp
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import requests

from reengage.clock import SimulatedClock
from reengage.errors import ReengageError
from reengage_local.sandbox.journal import append, end_of_lines, last_line, lines, repair, replace

HUMANS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; SM-S931U) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Chrome/137.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Chrome/136.0.0.0 Mobile Safari/537.36",
)
SCANNER = "Mozilla/5.0 (compatible; LinkPreviewBot/1.2; +https://scanner.invalid/bot)"
STOPS = ("STOP", "Stop", "stop", "UNSUBSCRIBE")

# What people do, as shares. Chosen for a lively demonstration; no market's figures.
UNDELIVERABLE = 0.02
EXPIRED = 0.01
OPEN = 0.18  # on average: half of all people open twice as often as the others
TOUCH = 0.9  # of those who open a page; the rest leave it without a hand on it
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

BEGINNING = "0001-01-01T00:00:00+00:00"

# Full links, else bare ones such as go.example.com/abc.
LINK = re.compile(r"https?://[^\s<>\"]+|\b[\w-]+(?:\.[\w-]+)+(?::\d+)?/[^\s<>\"]+")

# A code is what stands before the link, in capitals.
CODE = re.compile(r"\b([A-Z0-9][A-Z0-9._-]{2,38}[A-Z0-9])\s+$")

# What a page asks for: the press that ends its form, the first that there is.
ACTS = ("answers", "enter", "confirm")

DeedKind = Literal["scan", "open", "act", "opt_out", "reply", "buy"]


class SandboxError(ReengageError):
    """The simulation cannot go on. What was done is kept; a rerun goes on from there."""


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


def last_link(folder: Path) -> str:
    """The path of the link in the last text that was taken; '' where there is none."""
    message = last_line(folder / "accepted.jsonl")
    return link_path(message["text"]) if message else ""


class Recipients:
    """The people of a sandbox's folder.

    web_url: where the link service answers now; only the path of a link counts, since its port
    may have changed. identify: a phone number (E.164) → (contact_source, source_contact_id) of
    whoever buys with it. clock: moved to the time of each deed.
    """

    def __init__(
        self,
        folder: Path,
        seed: str,
        web_url: str,
        identify: Callable[[str], tuple[str, str] | None],
        clock: SimulatedClock,
        currency: str = "USD",
    ) -> None:
        self._accepted = folder / "accepted.jsonl"
        self._purchases = folder / "purchases.jsonl"
        self._replies = folder / "replies.jsonl"
        self._progress = folder / "recipients.json"
        self._lived = folder / "recipients.jsonl"
        self._pages: dict[str, str] = {}  # that are open in a browser, by message
        self._seed = seed
        self._web_url = web_url.rstrip("/")
        self._identify = identify
        self._clock = clock
        self._currency = currency
        folder.mkdir(parents=True, exist_ok=True)

    def live(self, until: datetime) -> Counter[str]:
        """Let everybody do what they do up to `until` (aware), in the order of time; the clock
        ends there. Counts by kind: scan, open, act, opt_out, reply, buy; `gone` for a page that
        was no longer there, `stranger` for a purchase by a number that identify() does not know.

        A run that was killed is finished first, over the same messages and to the same time, so
        that nothing is lost and nothing is done twice (but the one page view that it died in).
        Raises SandboxError where the link service does not answer.
        """
        done: Counter[str] = Counter()
        for file in (self._purchases, self._replies, self._lived):
            repair(file)
        state = self._state()
        if state["run"]:
            self._finish(state, done)
        # A day that is run again may ask for a time that was lived through: what its messages
        # lead to is done with the next later time.
        if until > datetime.fromisoformat(state["until"]):
            read = end_of_lines(self._accepted)
            state["run"] = {"until": until.isoformat(), "read": read}
            replace(self._progress, state)
            self._finish(state, done)
        self._clock.move_to(until)
        return done

    def _state(self) -> dict[str, Any]:
        """until: everything before is done, for the messages before byte `read`; none before
        byte `start` leads to anything any more. run: the same for a run under way, which is known
        by its `until`; the last line of recipients.jsonl says how far it came.
        """
        if self._progress.exists():
            state: dict[str, Any] = json.loads(self._progress.read_text(encoding="utf-8"))
            return state
        return {"until": BEGINNING, "start": 0, "read": 0, "run": None}

    def _finish(self, state: dict[str, Any], done: Counter[str]) -> None:
        run = state["run"]
        until = datetime.fromisoformat(run["until"])
        last = last_line(self._lived) or {}
        if last.get("run") != run["until"]:
            last = {"at": BEGINNING, "message_id": "", "kind": ""}
        lived = (datetime.fromisoformat(last["at"]), last["message_id"], last["kind"])
        with requests.Session() as browser:
            browser.trust_env = False  # the service is on this machine, whatever proxy is set
            for deed in sorted(self._due(state, until)):
                if deed[:3] <= lived:
                    continue
                self._clock.move_to(deed.at)
                done[self._do(deed, browser)] += 1
                self._note(run["until"], deed)
        state.update(until=run["until"], read=run["read"], run=None)
        replace(self._progress, state)

    def _note(self, run: str, deed: Deed) -> None:
        at = deed.at.isoformat()
        line = {"run": run, "at": at, "message_id": deed.message_id, "kind": deed.kind}
        append(self._lived, [line])

    def _due(self, state: dict[str, Any], until: datetime) -> Iterator[Deed]:
        """The deeds of this run; moves state["start"] past the messages that are spent."""
        before = datetime.fromisoformat(state["until"])
        known: set[str] = set()
        leading = True
        for at, end, message in lines(self._accepted, state["start"], state["run"]["read"]):
            is_new = at >= state["read"]
            if not is_new and datetime.fromisoformat(message["at"]) + HORIZON < before:
                if leading:
                    state["start"] = end
                continue
            leading = False
            acts = deeds(self._seed, message)
            # Who gets a message twice acts once: the copy stays visible in accepted.jsonl.
            if not acts or message["message_id"] in known:
                continue
            known.add(message["message_id"])
            for deed in acts:
                if deed.at <= until and (is_new or deed.at > before):
                    yield deed

    def _do(self, deed: Deed, browser: requests.Session) -> str:
        if deed.kind == "buy":
            return self._buy(deed)
        if deed.kind == "reply":
            return self._reply(deed)
        if deed.kind == "scan":
            return deed.kind if self._get(deed, browser, SCANNER) else "gone"
        agent = HUMANS[int(draw(self._seed, "phone", deed.to) * len(HUMANS))]
        # Who acts has the page before them; after a kill it is loaded again.
        page = self._pages.pop(deed.message_id, None) or self._get(deed, browser, agent)
        if page is None:
            return "gone"
        touches = deed.kind == "open" and draw(self._seed, "touch", deed.message_id) < TOUCH
        if (touches or deed.kind == "opt_out") and (seen := beacon_path(page)):
            self._fetch(browser, "GET", seen, agent)
        if deed.kind == "open":
            self._pages[deed.message_id] = page
        elif deed.kind == "opt_out":
            action, fields = opt_out_form(page, urlsplit(deed.path).path)
            self._fetch(browser, "POST", action, agent, data=fields)
        elif filled := filled_form(page, lambda name: draw(self._seed, name, deed.message_id)):
            action, answers = filled
            self._fetch(browser, "POST", action, agent, data=answers)
        return deed.kind

    def _get(self, deed: Deed, browser: requests.Session, agent: str) -> str | None:
        """The page of a link; '' of a link that leads away to the brand's own page."""
        answer = self._fetch(browser, "GET", deed.path, agent)
        return answer.text if answer.ok else None

    def _fetch(
        self, browser: requests.Session, method: str, path: str, agent: str, **request: Any
    ) -> requests.Response:
        browser.cookies.clear()  # each one is somebody else's phone
        headers = {"User-Agent": agent, "Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        if method == "POST":
            headers |= {"Origin": self._web_url, "Referer": self._web_url + path}
        try:
            answer = browser.request(
                method,
                self._web_url + path,
                headers=headers,
                timeout=30,
                allow_redirects=False,
                **request,
            )
        except requests.RequestException as error:
            raise SandboxError(
                f"The link service does not answer at {self._web_url} "
                f"({type(error).__name__}). Start it; a rerun goes on from here."
            ) from error
        if answer.status_code >= 500:
            raise SandboxError(
                f"The link service failed with {answer.status_code} on a {method} at "
                f"{self._web_url}. Its log says why; a rerun goes on from here."
            )
        if (target := answer.headers.get("location", "")).startswith("/"):
            return self._fetch(browser, "GET", target, agent)
        return answer  # of a link that leads away: nobody's real shop is visited

    def _buy(self, deed: Deed) -> str:
        person = self._identify(deed.to)
        if person is None:
            return "stranger"
        source, source_contact_id = person
        amount = 12 * exp(2.2 * draw(self._seed, "amount", deed.message_id))
        purchase = {
            "event_id": self._id("buy", deed),
            "contact_source": source,
            "source_contact_id": source_contact_id,
            "occurred_at": deed.at.isoformat(),
            "amount": round(amount, 2),
            "currency": self._currency,
            "coupon_code": deed.code or None,
            "invented": True,
        }
        # The line may be there already: killed after it was written, before it was noted.
        if (last_line(self._purchases) or {}).get("event_id") != purchase["event_id"]:
            append(self._purchases, [purchase])
        return deed.kind

    def _reply(self, deed: Deed) -> str:
        reply = {
            "reply_id": self._id("reply", deed),
            "from": deed.to,
            "text": STOPS[int(draw(self._seed, "words", deed.message_id) * len(STOPS))],
            "received_at": deed.at.isoformat(),
        }
        if (last_line(self._replies) or {}).get("reply_id") != reply["reply_id"]:
            append(self._replies, [reply])
        return deed.kind

    def _id(self, kind: str, deed: Deed) -> str:
        name = f"{self._seed}\x1f{kind}\x1f{deed.message_id}"
        return blake2b(name.encode(), digest_size=12).hexdigest()


def beacon_path(page: str) -> str:
    """What a browser asks for when a hand is on a landing page; '' where the page says nothing."""
    found = re.search(r'url\("(/[^"]+)"\)', page)
    return found[1] if found else ""


class _Field(NamedTuple):
    """A field of a form. kind: radio, checkbox, hidden, textarea, button, …"""

    name: str
    kind: str
    value: str
    is_required: bool


class _Forms(HTMLParser):
    """The forms of a page: action and named fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[tuple[str, list[_Field]]] = []
        self._open = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((given.get("action", ""), []))
            self._open = True
        elif self._open and tag in ("input", "button", "textarea") and given.get("name"):
            kind = given.get("type", "text") if tag == "input" else tag
            self.forms[-1][1].append(
                _Field(given["name"], kind, given.get("value", ""), "required" in given)
            )

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = False


def opt_out_form(page: str, path: str) -> tuple[str, dict[str, str]]:
    """Where a landing page's opt-out button posts to, and with which fields. Without such a form
    on the page, {path}/opt-out with none.
    """
    for action, fields in _Forms(page).forms:
        target = urlsplit(action).path
        if target.rstrip("/").endswith("opt-out"):
            base = path.rsplit("/", 1)[0]
            absolute = target if target.startswith("/") else f"{base}/{target}"
            return absolute, {field.name: field.value for field in fields}
    return f"{path}/opt-out", {}


def filled_form(
    page: str, chance: Callable[[str], float]
) -> tuple[str, list[tuple[str, str]]] | None:
    """What a page asks for, as somebody fills it in: where it posts to, and the fields; None where
    it asks for nothing.

    One of the options of a question, whatever must be ticked, and no words but where there must be
    some. chance: a number in [0, 1) for a field's name.
    """
    forms = {action.rsplit("/", 1)[-1]: (action, fields) for action, fields in _Forms(page).forms}
    found = next((forms[act] for act in ACTS if act in forms), None)
    if found is None:
        return None
    action, fields = found
    options: dict[str, list[_Field]] = {}
    for field in fields:
        if field.kind != "button":
            options.setdefault(field.name, []).append(field)
    filled = []
    for name, fields in options.items():
        chosen = fields[int(chance(name) * len(fields))]
        if chosen.kind == "textarea":
            if chosen.is_required:
                filled.append((name, "It is all fine."))
        else:
            filled.append((name, chosen.value))
    return action, filled
