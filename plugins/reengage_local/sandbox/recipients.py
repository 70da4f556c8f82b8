"""Simulated people, doing what they do with a message: opening pages, filling forms, buying.

Everything a person does follows from the seed, their number and the message's id alone, so a run
can be repeated, and one that was killed can be finished.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from hashlib import blake2b
from math import exp
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from reengage.clock import SimulatedClock
from reengage.errors import ReengageError
from reengage_local.sandbox.deeds import HORIZON, Deed, deeds, draw, link_path
from reengage_local.sandbox.forms import beacon_path, filled_form, opt_out_form
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

TOUCH = 0.9  # of those who open a page; the rest leave it without a hand on it

BEGINNING = "0001-01-01T00:00:00+00:00"


class SandboxError(ReengageError):
    """The simulation cannot go on. What was done is kept; a rerun goes on from there."""


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
