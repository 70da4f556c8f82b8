"""Connections that cost no more than they should: idle, too many, or never read."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest
import sqlalchemy as sa
from test_web import NOW, served

import patience
from patience import in_time
from reengage.clock import SimulatedClock
from reengage.policy import Policy, read_policy
from reengage.settings import INCLUDE
from reengage.web import http_server
from reengage.web.app import create_app


@pytest.fixture(scope="module")
def policy() -> Policy:
    return read_policy(INCLUDE / "journey.yaml")


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW)


@pytest.fixture
def client(warehouse: sa.Engine, policy: Policy, clock: SimulatedClock) -> Iterator[httpx.Client]:
    with served(create_app(warehouse, policy, clock), lifespan="off") as client:
        yield client


class Counted(http_server.PatientProtocol):
    """As if every address of this machine were one of the internet."""

    @staticmethod
    def subscriber(peer: tuple[str, int] | None) -> str:
        return peer[0] if peer else ""


GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def keep_alive() -> float:
    """Seconds that a connection stays open after an answer."""
    return patience.SECONDS


@pytest.fixture
def counted(
    warehouse: sa.Engine, policy: Policy, clock: SimulatedClock, keep_alive: float
) -> Iterator[Callable[..., socket.socket]]:
    """Opens connections to a service, from an address of this machine."""
    with ExitStack() as opened:
        app = create_app(warehouse, policy, clock)
        client = opened.enter_context(
            served(app, http=Counted, timeout_keep_alive=keep_alive, lifespan="off")
        )

        def connect(number: int, most_bytes: int = 65536) -> socket.socket:
            wire = opened.enter_context(socket.socket())
            wire.settimeout(patience.SECONDS)
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, most_bytes)
            wire.bind((f"127.0.0.{number}", 0))
            wire.connect(("127.0.0.1", client.base_url.port))
            return wire

        yield connect


def is_answered(wire: socket.socket) -> bool:
    try:
        wire.sendall(GET)
        return wire.recv(65536).startswith(b"HTTP/1.1 200")
    except ConnectionError:
        return False


def is_let_in(connect: Callable[..., socket.socket], number: int) -> bool:
    try:
        return is_answered(connect(number))
    except ConnectionError:  # as soon as it was made
        return False


def wait_for_the_end(wire: socket.socket) -> None:
    """Until the other end gives a connection up, of which nothing is read here."""
    in_time(
        lambda: wire.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), "the other end gives it up"
    )


def test_one_address_cannot_take_the_connections_of_all(
    counted: Callable[..., socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "MOST_CONNECTIONS", 3)
    idle = [counted(2) for _ in range(3)]
    assert not is_let_in(counted, 2)
    assert is_answered(counted(3))
    assert is_answered(idle[0]), "what was open is not touched"
    idle[1].close()
    in_time(lambda: is_let_in(counted, 2), "there is room again")


def test_where_all_connections_are_taken_the_longest_idle_makes_room(
    counted: Callable[..., socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "MOST_OPEN", 4)
    first, second, third = (counted(number) for number in (2, 3, 4))
    for wire in (second, third, first):
        assert is_answered(wire)
    assert is_answered(counted(5))
    assert not is_answered(second)
    assert is_answered(third) and is_answered(first)


def test_connections_of_a_proxy_are_everybodys(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "MOST_CONNECTIONS", 2)
    with ExitStack() as opened:
        for _ in range(5):
            address = ("127.0.0.1", client.base_url.port or 0)
            wire = opened.enter_context(socket.create_connection(address, timeout=60))
            assert is_answered(wire)


@pytest.mark.parametrize(
    ("peer", "proxies", "known"),
    [
        ("81.2.69.142", "", "81.2.69.142"),
        ("81.2.69.142", "10.0.0.0/8, 81.2.69.0/24", ""),
        ("81.2.69.142", "89.160.20.112", "81.2.69.142"),
        ("::ffff:81.2.69.142", "81.2.69.142", ""),
        ("81.2.69.142", "*", ""),
        ("2a02:1234:5678:9abc::1", "10.0.0.0/8", "2a02:1234:5678:9a00::/56"),
        ("2a02:1234:5678:9abc::1", "2a02:1234::/32", ""),
        ("172.18.0.1", "", ""),
    ],
)
def test_a_subscriber_is_bounded_and_a_proxy_is_not(
    monkeypatch: pytest.MonkeyPatch, peer: str, proxies: str, known: str
) -> None:
    monkeypatch.setenv("REENGAGE_TRUSTED_PROXIES", proxies)
    assert http_server.PatientProtocol.subscriber((peer, 1)) == known


def test_requests_that_nobody_waits_for_are_not_piled_up(
    counted: Callable[..., socket.socket],
) -> None:
    few, many = counted(2), counted(2)
    few.sendall(GET * http_server.MOST_PIPELINED)
    answers = b""
    while answers.count(b"HTTP/1.1 200") < http_server.MOST_PIPELINED:
        answers += few.recv(65536)
    many.sendall(GET * 700)
    wait_for_the_end(many)


@pytest.mark.parametrize("keep_alive", [0.3])
@pytest.mark.parametrize("pages", [4, 500], ids=["and goes", "and asks on"])
def test_who_asks_and_never_reads_is_given_up(
    counted: Callable[..., socket.socket], monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    monkeypatch.setattr(http_server, "UNREAD_SECONDS", 0.3)
    monkeypatch.setattr(http_server, "UNREAD_BYTES", 4096)
    wire = counted(2, 4096)
    try:
        for _ in range(pages):
            wire.sendall(GET.replace(b"healthz", b"no_page"))
            time.sleep(0.005)
    except ConnectionError:
        return
    wait_for_the_end(wire)
