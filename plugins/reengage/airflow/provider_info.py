"""What Airflow is told about this package: the connection types and their forms."""

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Airflow's provider description, found through the entry point in pyproject.toml."""
    return {
        "package-name": "reengage",
        "name": "Reengage",
        "description": "SMS providers for reengage.",
        "connection-types": [
            {
                "connection-type": "infobip",
                "hook-class-name": "reengage.airflow.hooks.InfobipHook",
                "hook-name": "Infobip (SMS)",
                "ui-field-behaviour": {
                    "hidden-fields": ["login", "schema", "port", "extra"],
                    "relabeling": {"host": "API base URL", "password": "API key"},
                    "placeholders": {"host": "xxxxx.api.infobip.com"},
                },
                "conn-fields": {
                    "webhook_secret": _secret(
                        "Webhook secret",
                        "The password with which Infobip signs in to our webhooks.",
                    ),
                    "india_dlt_entity_id": _text(
                        "India: DLT principal entity", "For texts to numbers that begin with +91."
                    ),
                    "india_dlt_template_id": _text(
                        "India: DLT template",
                        "The registered content template; of each step, where they have their "
                        "own: survey=1107…, contest=1108….",
                    ),
                    "india_dlt_telemarketer_id": _text(
                        "India: DLT telemarketer", "Needed of aggregators only."
                    ),
                    "turkey_iys_recipient_type": _text(
                        "Turkey: IYS recipient type",
                        "BIREYSEL (private people) or TACIR (merchants), for +90.",
                    ),
                    "turkey_iys_brand_code": _text(
                        "Turkey: IYS brand code", "If not the Infobip account's own."
                    ),
                    "korea_reseller_code": _text(
                        "Korea: reseller code", "Nine digits, of resellers only, for +82."
                    ),
                    "korea_title": _text("Korea: title", "The title of a text, for +82."),
                    **RATES,
                    "sandbox": SANDBOX,
                },
            },
            {
                "connection-type": "twilio",
                "hook-class-name": "reengage.airflow.hooks.TwilioHook",
                "hook-name": "Twilio (SMS)",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port", "extra"],
                    "relabeling": {
                        "host": "API base URL",
                        "login": "Account SID",
                        "password": "Auth Token",
                    },
                    "placeholders": {"host": "api.twilio.com", "login": "AC…"},
                },
                "conn-fields": {
                    "messaging_service_sid": _text(
                        "Messaging Service SID",
                        "MG…, to write from its numbers instead of the policy's sender.",
                    ),
                    "reply_number": _text(
                        "Number of the replies",
                        "Where people reply to, if not to the policy's sender.",
                    ),
                    "status_callback": _text(
                        "Status callback",
                        "The public address of our webhook. Without one, receipts are polled.",
                    ),
                    **RATES,
                    "sandbox": SANDBOX,
                },
            },
            {
                "connection-type": "mailup",
                "hook-class-name": "reengage.airflow.hooks.MailUpHook",
                "hook-name": "MailUp (SMS)",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port", "extra"],
                    "relabeling": {"host": "API base URL"},
                    "placeholders": {"host": "sendsms.mailup.com", "login": "m12345"},
                },
                "conn-fields": {
                    "account_id": _text("Account id", "The login without its m."),
                    "list_id": _text("List id", "The list that the texts belong to."),
                    "list_guid": _text("List GUID", "In MailUp's table of codes."),
                    "list_secret": _secret("List secret", "Allows to send for the list."),
                    "client_id": _text("Client id", "Of the API key that reads the reports."),
                    "client_secret": _secret("Client secret", "Of the same API key."),
                    "console_url": _text(
                        "Console URL", "Of the reports, if not https://services.mailup.com."
                    ),
                    "credit_price": _number(
                        "Price of a credit", "So that costs are money; else they are credits."
                    ),
                    "credit_currency": _text("Its currency", "Such as EUR."),
                    **RATES,
                    "sandbox": SANDBOX,
                },
            },
        ],
    }


def _field(label: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": schema}


def _text(label: str, description: str) -> dict[str, Any]:
    return _field(label, description, type=["string", "null"])


def _secret(label: str, description: str) -> dict[str, Any]:
    return _field(label, description, type=["string", "null"], format="password")


def _number(label: str, description: str) -> dict[str, Any]:
    return _field(label, description, type=["number", "null"])


RATES = {
    "rate_per_second": _number(
        "Messages a second", "What the account allows, for all tasks on all machines together."
    ),
    "sender_rate_per_second": _number(
        "Of one number", "What one number or name to write from is allowed, if less."
    ),
}
SANDBOX = _field(
    "Local sandbox",
    "The host is a simulation on this machine: nobody is texted, and a simulated clock is allowed.",
    type=["boolean", "null"],
    default=False,
)
