"""
### Outcomes: what came back, and what became of each contact

Runs at 22:00 of the brand's time for the day before. `poll` asks the provider for receipts and
replies; `close` ends the episodes that are over, moves their contacts to active, or to rest without a click, and
recounts the figures of the days that can still change, and what the texts have caused (docs/effect.md).

By hand: press Trigger and fill in the day, or `--conf '{"as_of": "2026-11-20"}'`.

**When it fails**

| task | why | what to do |
|---|---|---|
| `poll` | the provider is away | clear it within 48 hours: that long a provider keeps its log |
| `close` | the database was away | clear it: it is one transaction, and running it twice changes nothing |
"""

from datetime import timedelta

import pendulum
from airflow.sdk import CronDataIntervalTimetable, dag, task

from reengage.airflow.runtime import BY_HAND, told_plainly
from reengage.policy import read_policy

ZONE = read_policy().brand.time_zone


@dag(
    dag_id="reengage_outcomes",
    schedule=CronDataIntervalTimetable("0 22 * * *", timezone=ZONE),
    start_date=pendulum.datetime(2024, 1, 1, tz=ZONE),
    catchup=False,
    max_active_runs=1,
    allowed_run_types=["scheduled", "manual"],
    params=BY_HAND,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["reengage"],
)
def outcomes() -> None:
    @task
    @told_plainly
    def poll() -> dict[str, int]:
        from reengage.airflow.runtime import current_run, provider, warehouse
        from reengage.sending import incoming

        run = current_run()
        return dict(incoming.poll(warehouse(), provider(run), run.policy, run.clock))

    @task
    @told_plainly
    def close() -> dict[str, int]:
        from reengage.airflow.runtime import current_run, warehouse
        from reengage.outcome import outcomes

        run = current_run()
        return outcomes.write(warehouse(), run.policy, run.as_of, run.clock)

    poll() >> close()


outcomes()
