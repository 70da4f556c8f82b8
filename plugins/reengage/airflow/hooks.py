"""Airflow's way to the SMS provider: the connection types, and the hooks behind them."""

from typing import Any

from airflow.sdk.bases.hook import BaseHook

from reengage.errors import ReengageError
from reengage.sending.providers import Account, Provider, provider_for
from reengage.sending.providers.accounts import account


def account_from_connection(connection: Any) -> Account:
    """The account in an Airflow connection. Raises ConfigurationError without type or host."""
    return account(
        conn_type=connection.conn_type,
        host=connection.host,
        login=connection.login,
        password=connection.password,
        schema=connection.schema,
        port=connection.port,
        extra=connection.extra_dejson,
    )


class SmsHook(BaseHook):
    """A connection to an SMS provider; each type of connection is a subclass.

    timeout_seconds: how long an answer of the provider is waited for.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "reengage_sms"

    def __init__(
        self, conn_id: str = default_conn_name, timeout_seconds: float = 30, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self.timeout_seconds = timeout_seconds

    def get_conn(self) -> Provider:
        """The provider of the connection. Raises ConfigurationError where it is not usable."""
        connection = self.get_connection(self.conn_id)
        return provider_for(account_from_connection(connection), self.timeout_seconds)

    def test_connection(self) -> tuple[bool, str]:
        """For the Test button and `airflow connections test`: whether it works, and a sentence."""
        try:
            return True, self.get_conn().test()
        except ReengageError as error:
            return False, str(error)


class InfobipHook(SmsHook):
    """A connection of type `infobip`: host <account>.api.infobip.com, password the API key."""

    conn_type = "infobip"
    hook_name = "Infobip (SMS)"


class TwilioHook(SmsHook):
    """A connection of type `twilio`: host api.twilio.com, login the Account SID, password the Auth
    Token.
    """

    conn_type = "twilio"
    hook_name = "Twilio (SMS)"


class MailUpHook(SmsHook):
    """A connection of type `mailup`: host sendsms.mailup.com, login and password the account's; the
    list and the API key are in the extra.
    """

    conn_type = "mailup"
    hook_name = "MailUp (SMS)"
