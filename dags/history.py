"""
### History: past days, replayed

For past days, whom a policy would have written to, what held the others back, what the texts would
have cost, and how many came back by themselves. It decides as the journey does, in tables of its own;
it writes `history` alone, and never sends.

Trigger it with `{"from": "1997-01-01", "to": "1997-12-31"}` for any number of days at once. The
configuration also takes

- `"policy"`: another file than the installation's, on the worker; `"days": "45/75/120"`: of the steps,
  in place of the policy's; `"name"`: of the scenario, else after these two;
- `"audience": true`: keep who was due, in `history.audience`;
- `"known": true`: a day knows what had been loaded by then, and not what came late;
- `"begin"`: the day on which the scenario's journey begins, else months before `from`.

Or backfill it for single days:
`airflow backfill create --dag-id reengage_history --from-date … --to-date …`. Each day lives the months
before it again, so many days are much quicker at once. On its own schedule it adds the day before.
docs/history.md says what is followed, and what is left out.

**When it fails**: the days asked for are not loaded yet (the message says through when the data
goes), or the database was away. Clear the task; a replay replaces what it wrote before.
"""

from datetime import timedelta

import pendulum
from airflow.sdk import CronDataIntervalTimetable, dag, task

from reengage.airflow.runtime import told_plainly
from reengage.policy import read_policy

ZONE = read_policy().brand.time_zone


@dag(
    dag_id="reengage_history",
    schedule=CronDataIntervalTimetable("0 6 * * *", timezone=ZONE),
    start_date=pendulum.datetime(1990, 1, 1, tz=ZONE),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["reengage"],
)
def history() -> None:
    @task
    @told_plainly
    def replay() -> int:
        from reengage.airflow.runtime import current_replay, warehouse
        from reengage.history import replays

        asked = current_replay()
        policy = replays.with_days(asked.policy, asked.days) if asked.days else asked.policy
        return replays.replay(
            warehouse(),
            policy,
            asked.first,
            asked.last,
            scenario=replays.scenario_of(
                asked.file, asked.days, asked.name, is_known=asked.is_known
            ),
            begin=asked.begin,
            is_known=asked.is_known,
            with_audience=asked.with_audience,
        ).days

    replay()


history()
