"""
### Journey: who is due, for which step, and why

Runs when the day's data is in `core`. `fresh` refuses a day whose required sources are not there;
`decide` writes one decision, with its reason, for every contact for whom a step is due, and drafts
the texts, in one transaction; each step's task lets its messages go. `reengage_send` sends them.

**When it fails**

| task | why | what to do |
|---|---|---|
| `fresh` | a feed is late: everybody would look quiet | deliver it, run `reengage_ingest` again, clear the task |
| `decide` | the database was away, or a text cannot be made for anybody | clear the task: a day is decided once, or not at all |
| `decide` | the day lies before one that is decided | nothing: the journey moves forward; replay the day in `reengage_history` |
| a step's task | the database was away | clear it: drafts are released once |

Nothing is sent before a step's task is done. To stop a day after `decide`, mark the step's task as
failed: its drafts stay drafts. A missed day is made up on the next.
"""

from datetime import timedelta

import pendulum
from airflow.sdk import Asset, PartitionedAssetTimetable, dag, task

from reengage.policy import read_policy
from reengage.runtime import told_plainly

POLICY = read_policy()


@dag(
    dag_id="reengage_journey",
    schedule=PartitionedAssetTimetable(assets=Asset("reengage_core")),
    start_date=pendulum.datetime(2024, 1, 1, tz=POLICY.brand.time_zone),
    catchup=False,
    max_active_runs=1,
    allowed_run_types=["asset_triggered", "manual"],
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["reengage"],
)
def journey() -> None:
    @task
    @told_plainly
    def fresh() -> None:
        from reengage import cohort
        from reengage.runtime import current_run, warehouse
        from reengage.sources import read_sources

        cohort.check_fresh(warehouse(), read_sources(), current_run().as_of)

    @task
    @told_plainly
    def decide() -> dict[str, int]:
        from reengage import cohort
        from reengage.runtime import current_run, link_base, warehouse

        run = current_run()
        base = link_base(run.policy)
        return cohort.decide(warehouse(), run.policy, run.as_of, run.clock, base).sends()

    @task.branch
    @told_plainly
    def branch(sends: dict[str, int]) -> list[str]:
        return [step for step, contacts in sends.items() if contacts]

    def release(step: str) -> int:
        from reengage import outbox
        from reengage.runtime import current_run, warehouse

        run = current_run()
        return outbox.release(warehouse(), run.as_of, step, run.clock())

    sends = decide()
    fresh() >> sends
    branch(sends) >> [
        task(task_id=step.name)(told_plainly(release))(step.name) for step in POLICY.steps
    ]


journey()
