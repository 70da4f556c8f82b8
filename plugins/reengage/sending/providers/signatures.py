"""How a webhook is known to be its provider's: Infobip signs in, Twilio signs; no other calls."""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from reengage.sending.providers.words import Webhook

# More than any form of Twilio's: a text of the most characters, and some forty short fields.
FORM_BYTES = 64 * 1024

# How often Twilio calls again where nobody answers, and where it is answered with any fault; it
# calls once more else. https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
RETRIES = "rc=5&rp=all"


def is_signed_in(webhook: Webhook, secret: str) -> bool:
    """Whether the password of HTTP Basic is the secret that Infobip was given."""
    return bool(secret) and hmac.compare_digest(_password(webhook).encode(), secret.encode())


def _password(webhook: Webhook) -> str:
    """The password of HTTP Basic; empty without."""
    scheme, _, coded = webhook.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(coded, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def signature(token: str, url: str, form: Iterable[tuple[str, str]]) -> str:
    """What Twilio signs a form with: https://www.twilio.com/docs/usage/security. A field that is
    there twice with one value counts once.
    """
    signed = url + "".join(name + value for name, value in sorted(set(form)))
    digest = hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def is_signed(webhook: Webhook, token: str) -> bool:
    """Whether X-Twilio-Signature fits: of a form its fields are signed; of a JSON body its hash,
    which is in the address. The address may have been signed with its port or without.
    """
    given = webhook.headers.get("x-twilio-signature", "").encode()
    hashed = dict(parse_qsl(urlsplit(webhook.url).query)).get("bodySHA256")
    form: list[tuple[str, str]] = []
    if hashed is None:
        # Anybody may post, and half a million fields take half a second to read.
        if not given or len(webhook.body) > FORM_BYTES:
            return False
        form = parse_qsl(webhook.body.decode(errors="replace"), keep_blank_values=True)
    elif hashlib.sha256(webhook.body).hexdigest() != hashed.lower():
        return False
    # Whether it signs what it keeps to itself of a callback's address is not said.
    spellings = [url + hidden for url in _spellings(webhook.url) for hidden in ("", f"#{RETRIES}")]
    fitting = [signature(token, url, form).encode() for url in spellings]
    return any(hmac.compare_digest(one, given) for one in fitting)


def _spellings(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    host = parts.netloc if parts.port is None else parts.netloc.rpartition(":")[0]
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return (
        urlunsplit(parts._replace(netloc=host)),
        urlunsplit(parts._replace(netloc=f"{host}:{port}")),
    )
