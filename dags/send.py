"""
### Send: what is queued and may ring now, handed to the provider

Runs every 15 minutes, and is the only thing that texts a customer. First it takes the replies, so
that every stop is heard, and settles, by the provider's own log, what an interrupted run left in
doubt; then it claims batches, calls the provider, and writes down each answer. Consent, suppression,
clicks and returns are checked once more in the claim.

**When it fails**

| why | what to do |
|---|---|
| the provider refuses the key, or has no credit left | mend the connection `reengage_sms` or the account, clear the task; nothing was sent |
| the provider refuses one number after another with a code on no list | look the code up, mend the account, `brand.sender` or the text, clear the task: whoever was refused is queued again, and the next run begins with one message from elsewhere |
| the provider is away | nothing: it is retried, and the next run goes on |
| a guard refused (backfill, a home that plays the past, simulated clock with a real provider, no provider) | the message says which |
| the task was killed | clear it, or wait for the next run: nobody is texted twice |

Messages of which it cannot be proved whether they went out stay `unknown`, are counted in the log,
and are never sent again.
"""

from datetime import timedelta

import pendulum
from airflow.sdk import dag, task

from reengage.airflow.runtime import told_plainly


@dag(
    dag_id="reengage_send",
    schedule="*/15 * * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    allowed_run_types=["scheduled", "manual"],
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    doc_md=__doc__,
    tags=["reengage"],
)
def send() -> None:
    @task
    @told_plainly
    def hand_over() -> dict[str, int]:
        import logging

        from reengage.airflow.runtime import current_run, provider, warehouse
        from reengage.sending.incoming import take_replies
        from reengage.sending.outbox import Sender

        run, engine = current_run(needs_day=False), warehouse()
        partner = provider(run)
        take_replies(engine, partner, run.policy, run.clock)
        sent = Sender(engine, partner, run.policy, run.clock).run()
        logging.getLogger("reengage.sending.outbox").info("sent: %s", sent.summary())
        return sent.counts()

    hand_over()


send()
