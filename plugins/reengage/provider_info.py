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
                "hook-class-name": "reengage.hooks.InfobipHook",
                "hook-name": "Infobip (SMS)",
                "ui-field-behaviour": {
                    "hidden-fields": ["login", "schema", "port", "extra"],
                    "relabeling": {"host": "API base URL", "password": "API key"},
                    "placeholders": {"host": "xxxxx.api.infobip.com"},
                },
                "conn-fields": {
                    "webhook_secret": {
                        "label": "Webhook secret",
                        "description": "The password with which Infobip signs in to our webhooks.",
                        "schema": {"type": ["string", "null"], "format": "password"},
                    },
                    "sandbox": {
                        "label": "Local sandbox",
                        "description": "The host is a simulation on this machine: nobody is "
                        "texted, and a simulated clock is allowed.",
                        "schema": {"type": ["boolean", "null"], "default": False},
                    },
                },
            }
        ],
    }
