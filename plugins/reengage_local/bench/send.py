"""What handing texts over costs: messages a second on the whole path (claim, HTTP, record), beside
a bare `requests` loop that hands the same texts to the same server in the same run; and the memory
of a sender.

The server is the sandbox, in a process of its own. The path and the bare loop run in turns. A
provider that takes one recipient a request gets the same number of threads from both.
"""

import multiprocessing
import resource
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from sqlalchemy.engine import Engine

from reengage import db
from reengage.clock import SimulatedClock
from reengage.errors import ReengageError
from reengage.policy import Policy, read_policy
from reengage.sending.outbox import Sender
from reengage.sending.providers import provider_for
from reengage.sending.providers.accounts import Account
from reengage.sending.providers.accounts import account as account_of
from reengage.sending.providers.requesting import POOL
from reengage.settings import INCLUDE, settings
from reengage_local.bench import Bench, Figures

NOW = datetime(2026, 3, 3, 17, tzinfo=UTC)  # a Tuesday, noon in New York
AS_OF = date(2026, 3, 2)
QUIET_ON = date(2026, 1, 31)
KEY, SENDER = "bench", "+12125550100"
TURNS = 3
BULK_SHARE, SINGLE_SHARE = 0.02, 0.002  # of SIZE, a turn
LEAST_BULK, LEAST_SINGLE = 5_000, 500
SLICE = 250_000
FAST = 1_000_000  # a second: the sandbox's limits are not what is measured


class Unsent(ReengageError):
    """Not every text of a benchmark was accepted: its figures would be those of something else."""


@dataclass
class Rates:
    """Messages a second, one figure a turn."""

    path: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        return median(self.path) / median(self.bare)


@dataclass(frozen=True)
class Memory:
    """Of a process that sent: MiB at most after a tenth of its texts, and after all of them."""

    early: float
    peak: float
    seconds: float


def run(bench: Bench) -> Figures:
    """The benchmark; its three figures. Raises Unsent."""
    policy = read_policy(INCLUDE / "journey.yaml")
    with bench.warehouse() as engine, _sandbox() as url:
        world = _World(engine)
        bulk = _measure(bench, world, policy, url, "infobip", BULK_SHARE, LEAST_BULK, _bare_bulk)
        single = _measure(
            bench, world, policy, url, "twilio", SINGLE_SHARE, LEAST_SINGLE, _bare_single
        )
        bench.say(f"send: making {bench.contacts:,} texts for one sender.")
        world.fill(bench.contacts)
        memory = _memory(engine, url, bench.contacts)
        _check(engine)
    figures = {
        "send_bulk_ratio_to_bare": bulk.ratio,
        "send_single_ratio_to_bare": single.ratio,
        "send_peak_mib": memory.peak,
    }
    bench.say()
    bench.say(f"{'messages a second':<34}{'the path':>12}{'bare loop':>12}{'ratio':>8}")
    for title, rates in (("bulk (Infobip)", bulk), ("one a request (Twilio)", single)):
        bench.say(
            f"{title:<34}{median(rates.path):>12,.0f}{median(rates.bare):>12,.0f}"
            f"{rates.ratio:>8.2f}"
        )
    bench.say(
        f"\n{bench.contacts:,} texts in {memory.seconds:,.0f} s: at most {memory.early:,.0f} MiB "
        f"after the first tenth, {memory.peak:,.0f} MiB after all."
    )
    for name, value in figures.items():
        bench.say(f"  {name:<46}{value:>8.3f}")
    return figures


class _World:
    """Contacts with a queued text each; more of them whenever asked."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.contacts = 0

    def fill(self, count: int) -> range:
        """So many more; their contact ids."""
        first = self.contacts + 1
        for begin in range(first, first + count, SLICE):
            with self.engine.begin() as connection:
                db.run(
                    connection,
                    "bench/fill_outbox",
                    first=begin,
                    last=min(begin + SLICE, first + count) - 1,
                    quiet_on=QUIET_ON,
                    as_of=AS_OF,
                    now=NOW - timedelta(hours=1),
                    not_after=NOW + timedelta(hours=12),
                )
        self.contacts += count
        with self.engine.begin() as connection:
            db.analyze(
                connection,
                "core.contact",
                "core.contact_activity",
                "core.consent",
                "cohort.episode",
                "outbox.message",
            )
            # After that, as on a real day: the planner knows of no text that is queued.
            db.run(connection, "outbox/release", as_of=AS_OF, step="survey", at=NOW)
        return range(first, first + count)

    def texts(self, contacts: range) -> list[dict[str, str]]:
        """The texts of contacts, as a bare loop needs them."""
        with self.engine.connect() as connection:
            rows = db.run(connection, "bench/texts", first=contacts[0], last=contacts[-1]).all()
        return [{"id": str(r.message_id), "to": r.phone_e164, "text": r.body} for r in rows]


Bare = Callable[[Account, Policy, list[dict[str, str]]], None]


def _measure(
    bench: Bench,
    world: _World,
    policy: Policy,
    url: str,
    kind: str,
    share: float,
    least: int,
    bare: Bare,
) -> Rates:
    """The path and the bare loop in turns, each turn with texts of its own."""
    count, rates, account = max(least, round(bench.contacts * share)), Rates(), _account(url, kind)
    bench.say(f"send: {TURNS} turns of {count:,} texts, {kind}.")

    def path() -> float:
        world.fill(count)
        provider = provider_for(account, policy.sending.timeout_seconds)
        sender = Sender(world.engine, provider, policy, SimulatedClock(NOW))
        began = time.perf_counter()
        sent = sender.run()
        seconds = time.perf_counter() - began
        provider.close()
        if sent.accepted != count:
            raise Unsent(f"Of {count:,} texts {sent.accepted:,} were accepted: {sent.summary()}.")
        return seconds

    def loop() -> float:
        texts = world.texts(range(1, min(count, world.contacts) + 1))
        began = time.perf_counter()
        bare(account, policy, texts)
        return time.perf_counter() - began

    path()  # caches, connections, plans
    loop()
    for turn in range(TURNS):
        # Whoever comes second finds the server warm.
        for name, one in (("path", path), ("bare", loop))[:: 1 if turn % 2 else -1]:
            getattr(rates, name).append(count / one())
    return rates


def _bare_bulk(account: Account, policy: Policy, texts: list[dict[str, str]]) -> None:
    """Nothing but the requests: no claim, no record, no judgement."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"App {account.password}"
        for start in range(0, len(texts), policy.sending.batch_size):
            payload = _payload(texts[start : start + policy.sending.batch_size])
            answer = session.post(f"{account.base_url}/sms/3/messages", json=payload, timeout=60)
            answer.raise_for_status()
            answer.json()


def _payload(texts: Sequence[dict[str, str]]) -> dict[str, Any]:
    return {
        "messages": [
            {
                "sender": SENDER,
                "destinations": [{"to": text["to"].lstrip("+"), "messageId": text["id"]}],
                "content": {"text": text["text"]},
                "options": {"validityPeriod": {"amount": 480, "timeUnit": "MINUTES"}},
            }
            for text in texts
        ],
        "options": {
            "schedule": {"bulkId": uuid.uuid4().hex},
            "tracking": {"shortenUrl": False},
            "includeSmsCountInResponse": True,
        },
    }


def _bare_single(account: Account, _: Policy, texts: list[dict[str, str]]) -> None:
    with requests.Session() as session, ThreadPoolExecutor(POOL) as pool:
        session.mount("http://", HTTPAdapter(pool_maxsize=POOL))
        session.auth = (account.login, account.password)
        url = f"{account.base_url}/2010-04-01/Accounts/{account.login}/Messages.json"

        def one(text: dict[str, str]) -> None:
            form = {
                "To": text["to"],
                "Body": text["text"],
                "From": SENDER,
                "ValidityPeriod": 28_800,
                "StatusCallback": f"{account.base_url}/receipts?message_id={text['id']}",
            }
            answer = session.post(url, data=form, timeout=60)
            answer.raise_for_status()
            answer.json()

        for _done in pool.map(one, texts):
            pass


# --- processes of their own -----------------------------------------------------------------------


@contextmanager
def _sandbox() -> Iterator[str]:
    """The sandbox in another process; its address. What it took is forgotten at the end."""
    context = multiprocessing.get_context("spawn")
    settings().home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings().home, prefix="bench-") as folder:
        ours, theirs = context.Pipe()
        over = context.Event()
        process = context.Process(target=_serve, args=(folder, theirs, over), daemon=True)
        process.start()
        try:
            if not ours.poll(300):
                raise ReengageError("The sandbox of the benchmark did not start in five minutes.")
            yield ours.recv()
        finally:
            over.set()
            process.join(10)
            if process.is_alive():
                process.kill()
                process.join()


def _serve(folder: str, answer: Any, over: Event) -> None:
    from reengage_local.sandbox import Faults, create_sandbox
    from reengage_local.serving import serve

    app = create_sandbox(Path(folder), SimulatedClock(NOW), KEY, "bench")
    app.state.faults = Faults(rate_per_second=FAST)
    with serve(app) as server:
        answer.send(server.url)
        over.wait()


def _account(url: str, kind: str) -> Account:
    from reengage_local.sandbox import connection

    given = connection(kind, url, KEY)
    if kind != "infobip":  # which has no limit of its own
        given["extra"]["rate_per_second"] = FAST
    return account_of(**given)


def _memory(engine: Engine, url: str, count: int) -> Memory:
    """Send everything that is queued from a process that does nothing else."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    address = engine.url.render_as_string(hide_password=False)
    process = context.Process(target=_send_all, args=(address, url, count, theirs), daemon=True)
    process.start()
    process.join()
    if process.exitcode or not ours.poll(0):
        raise ReengageError("The sender of the benchmark ended without a figure; see above.")
    early, peak, seconds = ours.recv()
    return Memory(early, peak, seconds)


def _send_all(address: str, url: str, count: int, answer: Any) -> None:
    engine, policy = db.engine(address), read_policy(INCLUDE / "journey.yaml")
    provider = provider_for(_account(url, "infobip"), policy.sending.timeout_seconds)
    sender = Sender(engine, provider, policy, SimulatedClock(NOW))
    early: list[float] = []
    hand_over, done = provider.send, 0
    lock = threading.Lock()

    def counted(bulk_id: str, messages: Any, *given: Any, **named: Any) -> Any:
        nonlocal done
        answers = hand_over(bulk_id, messages, *given, **named)
        with lock:
            done += len(messages)
            if not early and done >= count / 10:
                early.append(_peak_mib())
        return answers

    provider.send = counted  # type: ignore[method-assign]
    began = time.perf_counter()
    sender.run()
    answer.send((early[0] if early else _peak_mib(), _peak_mib(), time.perf_counter() - began))


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _check(engine: Engine) -> None:
    with engine.connect() as connection:
        left = {
            row.status: row.messages
            for row in db.run(connection, "bench/count_statuses")
            if row.status != "accepted"
        }
    if left:
        said = ", ".join(f"{count:,} {status}" for status, count in sorted(left.items()))
        raise Unsent(f"Texts of the benchmark were not accepted: {said}.")
