"""A provider on loopback that speaks three providers' wire formats, strictly, and texts nobody.

Like the real ones it has no idempotency: what is sent twice is accepted twice, and so a double send
is seen.
"""

from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response

from reengage.clock import Clock
from reengage.errors import ConfigurationError
from reengage_local.sandbox import infobip, mailup, twilio
from reengage_local.sandbox.desk import Desk, Faults, Refusal, RefusedNumber, segments
from reengage_local.sandbox.webhooks import webhook_secret

__all__ = ["Faults", "RefusedNumber", "connection", "create_sandbox", "segments"]


def create_sandbox(
    folder: Path, clock: Clock, api_key: str, seed: str, log_hours: float = 48
) -> FastAPI:
    """The provider, with its state in `folder`.

    accepted.jsonl there has one line for each message taken, on the disk before the answer goes
    out: message_id, to (E.164), text, provider, at (ISO, by `clock`), bulk_id, sender. What
    becomes of a message follows from `seed` and its id. Like Infobip's, the log forgets after
    log_hours of `clock`, and the inbox tells each reply only once. app.state.faults is a Faults.

    A message_id is ours where the provider is told it (Infobip; Twilio, in the StatusCallback), and
    else follows from number and text.
    """
    folder.mkdir(parents=True, exist_ok=True)
    app = FastAPI(title="SMS sandbox", openapi_url=None)
    app.state.faults = Faults()
    desk = Desk(folder, clock, api_key, seed, log_hours, lambda: app.state.faults)

    @app.exception_handler(Refusal)
    async def refuse(_: Request, refusal: Refusal) -> Response:
        return refusal.answer()

    infobip.add_routes(app, desk)
    twilio.add_routes(app, desk)
    mailup.add_routes(app, desk)
    return app


def connection(provider: str, url: str, api_key: str) -> dict[str, Any]:
    """The Airflow connection, in its JSON form, of a sandbox that answers at `url`, taken for a
    provider. Raises ConfigurationError for one that the sandbox does not speak.
    """
    if provider == "infobip":
        return {
            "conn_type": "infobip",
            "host": url,
            "password": api_key,
            "extra": {"sandbox": True, "webhook_secret": webhook_secret(api_key)},
        }
    if provider == "twilio":
        return {
            "conn_type": "twilio",
            "host": url,
            "login": twilio.account_sid(api_key),
            "password": api_key,
            "extra": {"sandbox": True, "status_callback": f"{url}/receipts"},
        }
    if provider == "mailup":
        return {
            "conn_type": "mailup",
            "host": url,
            "login": mailup.LOGIN,
            "password": api_key,
            "extra": {"sandbox": True, **mailup.secrets_of(api_key)},
        }
    raise ConfigurationError(
        f"The sandbox does not speak {provider!r}. Take one of: infobip, twilio, mailup."
    )
