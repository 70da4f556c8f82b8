"""Whether a person or a machine has followed a link: the rules, and judging again when they change.

Link previews, virus scanners and crawlers fetch the links of texts, often before the phone rings,
and more and more of them call themselves a browser. Every fetch is kept raw, and its verdict beside
it with the version of the rules. `human` is a hand on the page or a press of a button; where a link
leads away at once, so that no page of ours can be touched, a browser that people use. `machine` is
what a list or its behaviour gives away. All else is `unsure`, and decides nothing: nothing but
`human` counts as a click, and nobody is given up over `unsure`.
"""

import re
import time
from collections import OrderedDict, deque
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from threading import Lock

from sqlalchemy.engine import Engine

from reengage import db
from reengage.progress import progress

# Of the rules, of the list of crawlers, or of outbox.rule_of: whoever changes one counts on.
VERSION = 4
LATEST = datetime.max.replace(tzinfo=UTC)
# One visitor with so many links within so long is a scanner behind an address. Many people share an
# address of a mobile network, and many of them a browser: fewer would take them for one.
MANY_LINKS = 12
MANY_SECONDS = 10


@lru_cache(maxsize=16_384)
def is_crawler(user_agent: str) -> bool:
    """Whether a User-Agent says that it is a program: https://github.com/monperrus/crawler-user-agents
    and what HTTP libraries call themselves.
    """
    from crawleruseragents import is_crawler as is_listed  # type: ignore[import-untyped]

    lower = user_agent.lower()
    return is_listed(user_agent) or any(word in lower for word in _PROGRAMS)


# In lower case, beside the list. What messengers on phones and mail gateways fetch previews with,
# and what HTTP libraries call themselves: they change faster than it. No browser of a person, nor
# the view inside an app that somebody reads (KAKAOTALK, Line, Instagram), says any of them.
_PROGRAMS = (
    # Messengers and mail: Google's and Samsung's Messages, KakaoTalk, Outlook, Office, Teams.
    "messages/",
    "messaging/",
    "kakaotalk-scrap",
    "outlookmobile",
    "outlook-",
    "ms-office",
    "msoffice",
    "microsoft office",
    "skypeuri",
    "line-poker",
    "whatsapp/",
    "slack-img",
    "viber",
    "facebookexternalhit",
    "snap url",
    # What an app asks with, where it does not show a page.
    "dalvik/",
    "cfnetwork/",
    "okhttp",
    "cronet",
    "com.google.",
    "com.samsung.",
    "com.android.",
    "com.apple.",
    "androiddownloadmanager",
    # Scanners of operators and companies.
    "scanner",
    "barracuda",
    "proofpoint",
    "mimecast",
    "safelinks",
    "urldefense",
    "trendmicro",
    # What a program says that it does.
    "crawl",
    "spider",
    "preview",
    "scrap",
    "unfurl",
    "fetch",
    "imageproxy",
    "imgproxy",
    "headless",
    # Libraries and tools.
    "python",
    "curl/",
    "wget/",
    "go-http-client",
    "axios/",
    "libwww",
    "java/",
    "java-http",
    "httpclient",
    "http-client",
    "undici",
    "dart/",
    "ktor",
    "alamofire",
    "phantomjs",
    "postmanruntime",
)


@lru_cache(maxsize=16_384)
def is_browser(user_agent: str) -> bool:
    """Whether a User-Agent is one of a browser that people read web pages with, kept up to date as
    they are on phones. The page within an app is none: an app may look at a link by itself.
    """
    whole = _AGENT.fullmatch(user_agent)
    if whole is None or is_crawler(user_agent):
        return False
    versions: dict[str, int] = {}
    for product in whole["products"].replace("(KHTML, like Gecko)", "").split():
        name, _, version = product.partition("/")
        if name not in _BROWSERS:
            return False
        versions[name] = int(re.match(r"\d*", version)[0] or 0)  # type: ignore[index]
    engine = next((name for name in _OLDEST if name in versions), None)
    return engine is not None and versions[engine] >= _OLDEST[engine]


_AGENT = re.compile(
    r"Mozilla/5\.0 \((?:iPhone|iPad|Android|Linux|Windows NT|Macintosh|X11)(?!.*; wv\))"
    r"[^()]*\) (?P<products>.+)"
)
# All that a browser's User-Agent may name; one more name is somebody else who says that too.
_BROWSERS = frozenset(
    (
        "AppleWebKit",
        "Gecko",
        "Mobile",
        "Safari",
        "Version",
        "Chrome",
        "CriOS",
        "Firefox",
        "FxiOS",
        "SamsungBrowser",
        "Edg",
        "EdgA",
        "EdgiOS",
        "OPR",
        "OPX",
        "OPT",
        "Brave",
        "DuckDuckGo",
        "Ddg",
        "Vivaldi",
        "HuaweiBrowser",
        "XiaoMi",
        "HeyTapBrowser",
        "VivoBrowser",
        "UCBrowser",
        "YaBrowser",
        "Whale",
        "Silk",
        "Focus",
        "Klar",
    )
)
# What dates a browser, the first that it names: browsers renew themselves, and fetchers still say
# what was new long ago.
_OLDEST = {"Chrome": 60, "CriOS": 60, "Firefox": 60, "FxiOS": 10, "Version": 10}


def rule_of_request(method: str, user_agent: str, purpose: str) -> str | None:
    """The rule that a request fits by what it says of itself: of a machine, or `browser`; None: it
    is named nowhere.

    purpose: of the headers Purpose, Sec-Purpose, X-Purpose and X-Moz.
    """
    if method not in ("GET", "POST"):
        return "not_a_get"
    said = purpose.lower()
    if "prefetch" in said or "preview" in said or "prerender" in said:
        return "prefetch"
    if not user_agent.strip():
        return "no_agent"
    if is_crawler(user_agent):
        return "crawler"
    return "browser" if is_browser(user_agent) else None


class Busy:
    """Visitors (by the hash of their address and their browser) who follow many links in a short
    time. In this process, by the monotonic clock: a burst that several workers share is found by
    `judge`.
    """

    def __init__(self, most_visitors: int = 50_000) -> None:
        self._seen: OrderedDict[tuple[str, str], deque[tuple[float, str]]] = OrderedDict()
        self._most = most_visitors
        self._lock = Lock()

    def rule(self, address_hash: str, user_agent: str, code: str) -> str | None:
        """The rule that one more link of a visitor fits; None where their address says nothing."""
        if not address_hash:
            return None
        now, visitor = time.monotonic(), (address_hash, user_agent)
        with self._lock:
            seen = self._seen.setdefault(visitor, deque(maxlen=4 * MANY_LINKS))
            self._seen.move_to_end(visitor)
            seen.append((now, code))
            while seen[0][0] < now - MANY_SECONDS:
                seen.popleft()
            if len(self._seen) > self._most:
                self._seen.popitem(last=False)
            if len(seen) < MANY_LINKS:
                return None
            return "many_links" if len({code for _, code in seen}) >= MANY_LINKS else None


def judge(
    engine: Engine, since: datetime | None = None, until: datetime | None = None
) -> tuple[int, int]:
    """Judge the hits in [since, until) (aware; None: all) by the rules of today; how many hits, and
    how many verdicts are others than before.

    Episodes, outcomes, contacts and figures follow by outcome.follow_verdicts, which `make judge`
    runs afterwards; those of the last day also follow in the evening. What was decided and sent
    stays. A day of hits is a transaction; twice, and killed anywhere: the same verdicts.
    """
    with engine.connect() as connection:
        span = db.run(connection, "outbox/hits_to_judge", since=since, until=until).one()
    if span.first_at is None:
        return 0, 0
    days = (span.last_at - span.first_at).days + 1
    starts = [span.first_at + timedelta(days=day) for day in range(days)]
    judged = changed = 0
    for start in progress(starts, "judging", "days", total=days):
        done, others = _judge(engine, start, min(start + timedelta(days=1), until or LATEST))
        judged += done
        changed += others
    return judged, changed


def _judge(engine: Engine, from_at: datetime, to_at: datetime) -> tuple[int, int]:
    span = {"from_at": from_at, "to_at": to_at}
    with engine.begin() as connection:
        signs = db.run(connection, "outbox/hit_signs", **span).all()
        done = db.run(
            connection,
            "outbox/judge_hits",
            **span,
            methods=[sign.method for sign in signs],
            agents=[sign.user_agent for sign in signs],
            purposes=[sign.purpose for sign in signs],
            saids=[rule_of_request(s.method, s.user_agent, s.purpose) for s in signs],
            many_links=MANY_LINKS,
            many_seconds=MANY_SECONDS,
            version=VERSION,
        ).one()
    return done.judged, done.changed
