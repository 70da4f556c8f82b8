"""The page "Re-engagement" in the Airflow UI, behind Airflow's login: wiring only."""

import sys
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

PREFIX = "/reengage"
DAG_ID = "reengage_journey"
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' "
    "stroke='{}' stroke-width='2' stroke-linecap='round' stroke-linejoin='round'%3E"
    "%3Cpath d='M21 12a8 8 0 0 1-8 8H3l2.5-3A8 8 0 1 1 21 12z'/%3E"
    "%3Cpath d='M9.5 12.5l2.5 2.5 4.5-5'/%3E%3C/svg%3E"
)


def _apps() -> list[dict[str, Any]]:
    # Every component of Airflow loads plugins; only the API server serves pages.
    if "airflow.api_fastapi.app" not in sys.modules:
        return []
    import sqlalchemy as sa
    from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
    from fastapi import Depends, HTTPException, Request

    from reengage.marketer.page import create_page

    def warehouse() -> sa.Engine:
        from reengage.airflow.runtime import warehouse

        return warehouse()

    def clock() -> datetime:
        from reengage.journey import simulation
        from reengage.policy import read_policy

        return simulation.clock(warehouse(), read_policy())()

    # Who may see the journey's DAG may see the page, and who may change it may say what a reply
    # means. Airflow protects no plugin's route by itself.
    guard = Depends(requires_access_dag("GET", param_dag_id=DAG_ID))
    needs_write = requires_access_dag("PUT", param_dag_id=DAG_ID)

    def may_write(request: Request, user: GetUserDep) -> bool:
        try:
            needs_write(request, user)
        except HTTPException:
            return False
        return True

    page = create_page(warehouse, guard=[guard], may_write=may_write, clock=clock)
    return [{"app": page, "url_prefix": PREFIX, "name": "Re-engagement"}]


class ReengagePlugin(AirflowPlugin):
    """The page and its place in the navigation."""

    name = "reengage"
    fastapi_apps = _apps()
    external_views = [  # noqa: RUF012
        {
            "name": "Re-engagement",
            # Airflow may be served below a path: the frame's address is used as it is.
            "href": urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
            + f"{PREFIX}/",
            "url_route": "re-engagement",
            "destination": "nav",
            "nav_top_level": True,
            "icon": ICON.format("%234a90d9"),
            "icon_dark_mode": ICON.format("%237db4ff"),
        }
    ]
