"""
### Replies: what people answered, and what became of their texts

Runs every 5 minutes, apart from the sending: a sender that was killed in the middle keeps its run
for up to two minutes, and a stop does not wait for that. Asks the provider for replies and receipts,
and maps what it has called in; a stop takes effect at once, before anything more is claimed. What
nobody has read within `replies.hold_days` counts as a stop from here on.

**When it fails**

| why | what to do |
|---|---|
| the provider is away, or refuses the key | nothing, or mend the connection `reengage_sms`; what was not told yet is asked for again |
| a guard refused (a home that plays the past, rehearsal beside a real provider, no provider) | the message says which |
| the log says that a reply cannot be read | it is kept in `outbox.webhook`, and tried again by each run: compare the provider's module with its current API |
| the task was killed | nothing: what was kept is applied by the next run |
"""

from datetime import timedelta

import pendulum
from airflow.sdk import dag, task

from reengage.airflow.runtime import told_plainly


@dag(
    dag_id="reengage_replies",
    schedule="*/5 * * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    allowed_run_types=["scheduled", "manual"],
    default_args={"retries": 1, "retry_delay": timedelta(seconds=30)},
    doc_md=__doc__,
    tags=["reengage"],
)
def replies() -> None:
    @task
    @told_plainly
    def listen() -> dict[str, int]:
        from reengage.airflow.runtime import current_run, provider, warehouse
        from reengage.sending import incoming

        run = current_run(needs_day=False)
        return dict(incoming.poll(warehouse(), provider(run), run.policy, run.clock))

    listen()


replies()
