"""
### Journey: who is due, for which step, and why

Runs when the day's data is in `core`. `fresh` refuses a day whose required sources are not there;
`decide` writes one decision, with its reason, for every contact for whom a step is due, and drafts
the texts, in one transaction; `gates` asks whether so many, at that cost, and with so many leaving,
is right; `approve` (if the policy wants it) asks a person; each step's task lets its messages go.
`reengage_send` sends them. `make preview` shows a day without any of it.

**When it fails**

| task | why | what to do |
|---|---|---|
| `fresh` | a feed is late: everybody would look quiet | deliver it, run `reengage_ingest` again, clear the task |
| `fresh` | too many new rows name nobody that a card describes: who bought would look quiet | the message says whose ids, and what to write in the source's YAML; run `reengage_ingest` again, clear the task |
| `decide` | the database was away, or a text cannot be made for anybody | clear the task: a day is decided once, or not at all |
| `decide` | the day lies before one that is decided | nothing: the journey moves forward; replay the day in `reengage_history` |
| `gates` | `size` or `unsubscribes` is closed, and `approval` is `never` | the day is over: its drafts are cancelled, its contacts are due again the next day. Find out why; if it is right, raise the limit the message names, or set `approval: anomaly` |
| `gates` | `budget` is closed | the same; raise `gates.budget`, or let fewer be written to in a day (`caps.per_day`) |
| `gates` | the database was away | clear it: a day is let go or stopped once |
| `approve` | waits: a person is asked under Browse, Required Actions | answer there. Without an answer within `approval_hours` nothing is sent |
| `approve` | the database was away when the answer came | clear it: it asks again, unless the answer was kept |
| a step's task | the database was away | clear it: drafts are released once |
| a step's task | the day was not let go | clear `gates`: nobody marks it as done by hand |

A day that is turned down, or that nobody answered for, ends plainly: its steps are skipped, its
drafts cancelled (`approval`), its contacts due again the next day. So is a day that was decided and
never let go, once the next is decided. Nothing is sent before a step's task is done. A missed day is
made up on the next.
"""

from datetime import timedelta

import pendulum
from airflow.sdk import Asset, PartitionedAssetTimetable, dag, task

from reengage.airflow.runtime import BY_HAND, told_plainly
from reengage.policy import read_policy

POLICY = read_policy()


@dag(
    dag_id="reengage_journey",
    schedule=PartitionedAssetTimetable(assets=Asset("reengage_core")),
    start_date=pendulum.datetime(2024, 1, 1, tz=POLICY.brand.time_zone),
    catchup=False,
    max_active_runs=1,
    allowed_run_types=["asset_triggered", "manual"],
    params=BY_HAND,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["reengage"],
)
def journey() -> None:
    @task
    @told_plainly
    def fresh() -> None:
        from reengage.airflow.runtime import current_run, warehouse
        from reengage.ingest import quality
        from reengage.ingest.sources import read_sources
        from reengage.journey import cohort

        run, sources = current_run(), read_sources()
        cohort.check_fresh(warehouse(), sources, run.as_of)
        quality.check_known(warehouse(), sources, run.policy, run.as_of)

    @task
    @told_plainly
    def decide() -> dict[str, int]:
        from reengage.airflow.runtime import current_run, link_base, warehouse
        from reengage.journey import cohort

        run = current_run()
        base = link_base(run.policy)
        return cohort.decide(warehouse(), run.policy, run.as_of, run.clock, base).sends()

    @task.branch
    @told_plainly
    def gates() -> list[str]:
        from reengage.airflow.runtime import current_run, warehouse
        from reengage.journey.gates import pass_or_stop

        run = current_run()
        passage = pass_or_stop(warehouse(), run.policy, run.as_of, run.clock)
        return list(passage.sends) if passage.is_released else ["approve"]

    def release(step: str) -> int:
        from reengage.airflow.runtime import current_run, warehouse
        from reengage.journey import release

        run = current_run()
        return release.release(warehouse(), run.policy, run.as_of, step, run.clock())

    steps = [
        task(task_id=step.name, trigger_rule="none_failed_min_one_success")(told_plainly(release))(
            step.name
        )
        for step in POLICY.steps
    ]
    judged = gates()
    fresh() >> decide() >> judged >> steps
    if POLICY.approval != "never":
        from reengage.airflow.approval import ApproveDay

        judged >> ApproveDay(task_id="approve", policy=POLICY) >> steps


journey()
