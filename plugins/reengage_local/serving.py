"""Run an ASGI application in a thread of this process, on loopback."""

import socket
import threading
import time
from types import TracebackType
from typing import Any, Self

import uvicorn

from reengage.errors import ConfigurationError

START_SECONDS = 120.0  # of a busy machine
STOP_SECONDS = 5


class RunningServer:
    """A server that answers at `url` until stop(). Also a context manager."""

    def __init__(self, server: uvicorn.Server, thread: threading.Thread, port: int) -> None:
        self._server = server
        self._thread = thread
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        """End it: requests under way get a few seconds. Safe to call twice."""
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS + 2)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def serve(app: Any, port: int = 0, **options: Any) -> RunningServer:
    """Serve an ASGI application on 127.0.0.1 from a daemon thread; returns once it answers.

    port 0 is any free one; options: more of uvicorn's. Raises ConfigurationError where the port is
    taken, or the application does not start.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Without this a restart within a minute would not get its port back.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        port = listener.getsockname()[1]
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                **{
                    "log_config": None,
                    "log_level": "warning",
                    "access_log": False,
                    "ws": "none",
                    **options,
                    "timeout_graceful_shutdown": STOP_SECONDS,
                },
            )
        )
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"Port {port} of 127.0.0.1 cannot be used ({error.strerror}): choose another."
        ) from error

    def run() -> None:
        with listener:
            server.run(sockets=[listener])

    thread = threading.Thread(target=run, name=f"serve-{port}", daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            server.should_exit = True
            raise ConfigurationError(f"The service on port {port} did not start: its log says why.")
        time.sleep(0.005)
    return RunningServer(server, thread, port)
