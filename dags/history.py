"""
### History: past days, replayed in one pass

For past days, how many contacts reached each step of the policy's ladder, how many stood there, and
how many came back by themselves. It reads `core.interaction`, writes `history`, and never sends.

Trigger it with `{"from": "1997-01-01", "to": "1997-12-31"}` for any number of days in one pass, or
backfill it for single days: `airflow backfill create --dag-id reengage_history --from-date … --to-date …`.
On its own schedule it adds the day before.

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
        from reengage.airflow.runtime import current_span, warehouse
        from reengage.history import replays

        policy, first, last = current_span()
        return replays.replay(warehouse(), policy, first, last)

    replay()


history()
