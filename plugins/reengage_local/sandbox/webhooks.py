"""The requests that the played providers would make to us: receipts and replies, signed by each as
the real one signs. MailUp makes none.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from reengage_local.sandbox import infobip, twilio
from reengage_local.sandbox.deeds import draw, receipt
from reengage_local.sandbox.desk import Faults, derived
from reengage_local.sandbox.journal import lines


class Call(NamedTuple):
    """A POST to us. headers: by their names in lower case."""

    url: str
    headers: dict[str, str]
    body: bytes


def webhook_secret(key: str) -> str:
    """With what the sandbox, as Infobip, signs in."""
    return derived(key, "webhook")


def calls(
    folder: Path, key: str, seed: str, until: datetime, faults: Faults, url: str
) -> list[Call]:
    """Everything that is called in by `until` (aware) about a sandbox's folder, from its beginning.

    In the order of time, once each; or as `faults` says, some twice, and in whatever order. url:
    where Infobip, and replies to Twilio, are told to call; receipts of Twilio's go to each
    message's own StatusCallback.
    """
    made: list[tuple[float, str, Call]] = []
    for at, name, call in _calls(folder, key, seed, url):
        if at > until:
            continue
        times = 1 + (draw(seed, "repeat", name) < faults.repeat_receipt_share)
        for nth in range(times):
            order = (
                draw(seed, "order", name, str(nth)) if faults.shuffle_receipts else at.timestamp()
            )
            made.append((order, name, call))
    return [call for _, _, call in sorted(made, key=lambda one: one[:2])]


def _calls(folder: Path, key: str, seed: str, url: str) -> Iterator[tuple[datetime, str, Call]]:
    """(when, a name of its own, call)."""
    senders: dict[str, dict[str, Any]] = {}
    for at, _, message in lines(folder / "accepted.jsonl"):
        senders[message["to"]] = message
        sent_at = datetime.fromisoformat(message["at"])
        done_at = sent_at + receipt(seed, message["message_id"]).after
        if message["provider"] == "infobip":
            entry = infobip.entry(message, seed, done_at)
            yield done_at, f"{at} done", _infobip(key, url, entry)
        elif message["provider"] == "twilio" and message["callback"]:
            status, error = twilio.STATUS[receipt(seed, message["message_id"]).group]
            for moment, word, code in ((sent_at, "sent", None), (done_at, status, error)):
                form = {
                    "MessageSid": message["sid"],
                    "MessageStatus": word,
                    "To": message["to"],
                    "From": message["sender"],
                    "AccountSid": twilio.account_sid(key),
                    "ApiVersion": "2010-04-01",
                }
                if code is not None:
                    form["ErrorCode"] = str(code)
                # The fragment is for Twilio alone.
                callback = message["callback"].partition("#")[0]
                yield moment, f"{at} {word}", _twilio(key, callback, form)
    for at, _, reply in lines(folder / "replies.jsonl"):
        message = senders.get(reply["from"], {})
        moment = datetime.fromisoformat(reply["received_at"])
        if message.get("provider") == "infobip":
            yield moment, f"{at} reply", _infobip(key, url, infobip.incoming(reply))
        elif message.get("provider") == "twilio":
            form = {
                "MessageSid": twilio.reply_sid(reply),
                "SmsStatus": "received",
                "From": reply["from"],
                "To": message["sender"],
                "Body": reply["text"],
                "NumMedia": "0",
            }
            yield moment, f"{at} reply", _twilio(key, url, form)


def _infobip(key: str, url: str, result: dict[str, Any]) -> Call:
    credentials = base64.b64encode(f"infobip:{webhook_secret(key)}".encode()).decode()
    headers = {"authorization": f"Basic {credentials}", "content-type": "application/json"}
    return Call(url, headers, json.dumps({"results": [result]}).encode())


def _twilio(key: str, url: str, form: dict[str, str]) -> Call:
    signed = url + "".join(name + form[name] for name in sorted(form))
    digest = hmac.new(key.encode(), signed.encode(), hashlib.sha1).digest()
    headers = {
        "x-twilio-signature": base64.b64encode(digest).decode(),
        "content-type": "application/x-www-form-urlencoded",
    }
    return Call(url, headers, urlencode(form).encode())
