"""What the providers call in: receipts, replies. Known to be theirs, kept raw, answered at once;
mapped afterwards by incoming.map_webhooks.
"""

import logging
from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from reengage.policy import Policy
from reengage.sending.incoming import webhook_digest
from reengage.sending.providers import (
    Provider,
    Webhook,
    WebhookRefused,
    account_from_uri_or_json,
    provider_for,
)
from reengage.settings import SMS_VARIABLE, given
from reengage.web.service import Service

log = logging.getLogger(__name__)

# A connection for this service alone, which needs no more than what webhooks are known by.
ACCOUNT_VARIABLE = "REENGAGE_WEBHOOK_SMS"
ACCOUNT_VARIABLES = (ACCOUNT_VARIABLE, SMS_VARIABLE)


def providers_of_environment(policy: Policy, sandbox: str | None = None) -> dict[str, Provider]:
    """The providers whose webhooks are taken, by name: that of REENGAGE_WEBHOOK_SMS, else of the
    connection reengage_sms (or of the files that …_FILE names), else the local sandbox (its
    connection, in Airflow's JSON form); none where none is set.

    Raises ConfigurationError where it cannot be used.
    """
    said = next((value for name in ACCOUNT_VARIABLES if (value := given(name))), sandbox)
    if said is None:
        return {}
    provider = provider_for(account_from_uri_or_json(said), policy.sending.timeout_seconds)
    return {provider.name: provider}


def add_routes(app: FastAPI, service: Service, providers: Mapping[str, Provider]) -> None:
    """`POST /webhooks/{provider}`: 204 once it is kept, also if it was kept before; 403 where it is
    not signed or nothing that the provider sends; 503 while the warehouse is away (the receipts and
    replies are polled as well, so nothing is lost with a provider that calls only once).
    """

    async def called(request: Request) -> Response:
        provider = providers.get(request.path_params["provider"])
        if provider is None:
            raise HTTPException(404)
        body, at = await request.body(), service.clock()
        url = _public(request, service.policy.brand.link_domain)
        # Of several headers of one name the first counts, as the provider's signature is one.
        headers = dict(reversed(request.headers.items()))
        try:
            provider.hear(Webhook(url, headers, body), at)
        except WebhookRefused as refused:
            service.metrics.count("webhooks", provider=provider.name, became="refused")
            log.warning("a webhook was refused: %s", refused)
            return Response(status_code=403)
        kept = await service.pool.one(
            "outbox/insert_webhook",
            provider=provider.name,
            digest=webhook_digest(service.webhook_key, url, body),
            url=url,
            body=body,
            at=at,
        )
        service.metrics.count(
            "webhooks", provider=provider.name, became="kept" if kept else "repeated"
        )
        return Response(status_code=204)

    app.add_route("/webhooks/{provider}", called, methods=["POST"])


def _public(request: Request, link_domain: str | None) -> str:
    """The address that the provider has called, which it signs: our proxy may have changed it."""
    base = link_domain or f"{request.url.scheme}://{request.url.netloc}"
    path = request.scope["raw_path"].decode("ascii")
    query = request.scope["query_string"].decode("ascii", "replace")
    return base.rstrip("/") + path + (f"?{query}" if query else "")
