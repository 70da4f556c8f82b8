"""SMS providers: one module each, and the words they share."""

from reengage.errors import ConfigurationError
from reengage.sending.providers.accounts import Account, account_from_uri_or_json
from reengage.sending.providers.base import Provider
from reengage.sending.providers.infobip import Infobip
from reengage.sending.providers.mailup import MailUp
from reengage.sending.providers.twilio import Twilio
from reengage.sending.providers.words import (
    AccountRefused,
    Answer,
    BulkRefused,
    Handed,
    LogEntry,
    Outcome,
    Outgoing,
    ProviderUnavailable,
    Reply,
    Told,
    Webhook,
    WebhookRefused,
)

__all__ = [
    "Account",
    "AccountRefused",
    "Answer",
    "BulkRefused",
    "Handed",
    "LogEntry",
    "Outcome",
    "Outgoing",
    "Provider",
    "ProviderUnavailable",
    "Reply",
    "Told",
    "Webhook",
    "WebhookRefused",
    "account_from_uri_or_json",
    "provider_for",
]

PROVIDERS: dict[str, type[Provider]] = {
    provider.name: provider for provider in (Infobip, Twilio, MailUp)
}


def provider_for(account: Account, timeout_seconds: float) -> Provider:
    """The provider of an account. timeout_seconds is how long an answer is waited for.

    Raises ConfigurationError where the account is of no known provider.
    """
    try:
        kind = PROVIDERS[account.provider]
    except KeyError:
        raise ConfigurationError(
            f"The connection reengage_sms has the type {account.provider!r}; "
            f"known are: {', '.join(PROVIDERS)}."
        ) from None
    return kind(account, timeout_seconds)
