"""HTTP to a provider: how long is waited, and what lies under an error."""

import ssl

import requests
from urllib3.exceptions import MaxRetryError
from urllib3.exceptions import ProxyError as TunnelError

CONNECT_SECONDS = 5.0

POOL = 16

# How long nobody begins after "too fast" or "unavailable", unless the provider says how long; and
# after it could not be reached.
HOLD_SECONDS = 1.0

AWAY_SECONDS = 2.0

MOST_HOLD_SECONDS = 60.0


def hold_seconds_of(answer: requests.Response) -> float:
    """How long a refused request keeps everybody back: as long as Retry-After says, within reason.
    https://www.rfc-editor.org/rfc/rfc9110#name-retry-after (a date there is not followed)
    """
    if answer.status_code not in (429, 502, 503, 504):
        return 0
    try:
        told = float(answer.headers.get("Retry-After", ""))
    except ValueError:
        return HOLD_SECONDS
    return min(max(told, HOLD_SECONDS), MOST_HOLD_SECONDS)


def root_cause(error: requests.RequestException) -> object:
    """What lies under requests' and urllib3's wrapping of an error."""
    cause: object = error.args[0] if error.args else error
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    if isinstance(cause, TunnelError):
        cause = cause.original_error
    if isinstance(cause, Exception) and cause.args and isinstance(cause.args[0], ssl.SSLError):
        cause = cause.args[0]
    return cause
