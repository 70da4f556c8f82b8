"""
### Ingest: the sources' files, checked, into the warehouse

Runs at 04:00 of the brand's time for the day before (`as_of`). One task a source reads what is new
into `raw`; `validate` checks it; `take` moves it into `core`. Rows dated after `as_of` wait in `raw`
for their day.

**When it fails**

| task | why | what to do |
|---|---|---|
| any | the home plays the past (`make demo`): a run on today's clock would load everything since and end it | the message says how to go on: `make day`, or another `REENGAGE_HOME` |
| `read` | a source's YAML is wrong, its connection is not there, or the database is away | the message names file and key; mend it, clear the task |
| `validate` | a required source is missing or empty, too many rows are bad, or so many are there no more that a file may be cut (`deletes`, `sweep`) | the message says which file, which rows; mend or redeliver the file, clear the run |
| `take` | the database was away | clear the task: a load is in core once, or not at all |

Safe to run twice and to be killed anywhere. A day that was missed is caught up by the next run.

**By hand**: press Trigger and fill in the day, or

```
airflow dags trigger reengage_ingest --conf '{"as_of": "2026-11-20"}'
curl -X POST …/api/v2/dags/reengage_ingest/dagRuns -H "Authorization: Bearer …" \
  -H "Content-Type: application/json" -d '{"logical_date": null, "conf": {"as_of": "2026-11-20"}}'
```

`reengage_journey` follows as it does after a scheduled run, for the same day. It only goes forward: a
day that lies before the latest decided one is loaded, and its journey fails and says so.
"""

from datetime import timedelta

import pendulum
from airflow.sdk import Asset, CronPartitionTimetable, dag, task

from reengage.airflow.runtime import BY_HAND, told_plainly
from reengage.policy import read_policy

ZONE = read_policy().brand.time_zone
CORE = Asset("reengage_core")


@dag(
    dag_id="reengage_ingest",
    schedule=CronPartitionTimetable(
        "0 4 * * *", timezone=ZONE, run_offset=-1, key_format="%Y-%m-%d"
    ),
    start_date=pendulum.datetime(2024, 1, 1, tz=ZONE),
    catchup=False,
    max_active_runs=1,
    allowed_run_types=["scheduled", "manual"],
    params=BY_HAND,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["reengage"],
)
def ingest() -> None:
    @task
    @told_plainly
    def list_sources() -> list[str]:
        from reengage.airflow.runtime import current_run
        from reengage.ingest.sources import read_sources

        current_run()  # a run without a day, or of a wrong one, ends before anything is read
        return [source.name for source in read_sources()]

    @task(map_index_template="{{ source }}")
    @told_plainly
    def read(source: str) -> int:
        from reengage.airflow.runtime import access, current_run, warehouse
        from reengage.ingest.sources.load import load_named

        run = current_run()
        load = load_named(warehouse(), source, run.policy, run.as_of, run.clock, access)
        return load.load_id

    @task
    @told_plainly
    def validate(load_ids: list[int]) -> list[int]:
        from reengage.airflow.runtime import current_run, warehouse
        from reengage.ingest.quality import validate
        from reengage.ingest.sources.load import recall

        run = current_run()
        loads = recall(warehouse(), list(load_ids), run.policy)
        validate(warehouse(), loads, run.policy, run.as_of)
        return [load.load_id for load in loads]

    @task(outlets=[CORE])
    @told_plainly
    def take(load_ids: list[int], outlet_events: dict | None = None) -> None:
        from reengage.airflow.runtime import current_run, warehouse
        from reengage.ingest import core, quality
        from reengage.ingest.sources import read_sources
        from reengage.ingest.sources.load import recall

        run, engine = current_run(), warehouse()
        for load in recall(engine, load_ids, run.policy):
            core.take(engine, load.source, load.load_id, run.as_of, run.policy, run.clock)
        quality.tell_strangers(engine, read_sources(), run.policy, run.as_of)
        if outlet_events is not None and not run.is_simulated:
            # The day that the journey follows for; of a run by hand Airflow knows none.
            outlet_events[CORE].add_partitions(run.as_of.isoformat())

    take(validate(read.expand(source=list_sources())))


ingest()
