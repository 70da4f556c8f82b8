"""
### Maintenance: the weekly audit, and tidying

Runs on Sundays at 00:30 of the brand's time, beside everything else. `tidy` drops the rows of `raw`
that were replaced long ago, and refreshes what the planner knows of the tables. `audit` makes
`core.contact_activity`, `cohort.dormancy` and the open episodes anew from every interaction, decision
and hit, and compares: what the daily path has kept up must be the same. It reads one snapshot, in
chunks, and locks nothing.

**When it fails**

| task | why | what to do |
|---|---|---|
| `audit` | columns differ from the full recompute | the message and `maintenance.difference` name the columns and ten contacts of each. Find out what changed them; then trigger it with `{"repair": true}`: their rows are made anew, and the next day follows |
| `audit` | a contact still differs after the repair | the daily path itself is wrong: report it with the contact's rows; its chunk was not changed |
| either | the database was away, or the task was killed | clear it: nothing is left half done |

A big warehouse can be audited by samples, another one each time: `{"share": 0.1}`. The same from a
terminal: `make audit`, `make audit SHARE=0.1 REPAIR=1`.
"""

from datetime import timedelta

import pendulum
from airflow.sdk import CronTriggerTimetable, Param, dag, task

from reengage.airflow.runtime import told_plainly
from reengage.policy import read_policy

ZONE = read_policy().brand.time_zone


@dag(
    dag_id="reengage_maintenance",
    schedule=CronTriggerTimetable("30 0 * * 0", timezone=ZONE),
    start_date=pendulum.datetime(2024, 1, 1, tz=ZONE),
    catchup=False,
    max_active_runs=1,
    allowed_run_types=["scheduled", "manual"],
    params={
        "share": Param(1, type="number", exclusiveMinimum=0, maximum=1, description="of contacts"),
        "repair": Param(False, type="boolean", description="make what differs anew"),
    },
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["reengage"],
)
def maintenance() -> None:
    @task
    @told_plainly
    def tidy() -> int:
        from reengage.airflow.runtime import current_run, warehouse
        from reengage.maintenance import audits

        return audits.tidy(warehouse(), current_run(needs_day=False).clock)

    @task
    @told_plainly
    def audit(params: dict | None = None) -> dict[str, int]:
        import logging

        from reengage.airflow.runtime import current_run, warehouse
        from reengage.maintenance import audits

        run, given = current_run(needs_day=False), params or {}
        found = audits.audit(
            warehouse(), run.policy, run.clock, share=given["share"], is_repairing=given["repair"]
        )
        logging.getLogger("reengage.maintenance.audits").info("%s", "\n".join(found.lines()))
        return {"contacts": found.contacts, "differing": found.differing}

    tidy() >> audit()


maintenance()
