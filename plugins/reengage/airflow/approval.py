"""The task that asks a person whether a day goes out, in Airflow: Browse, Required Actions.

Beside runtime and the hooks one of the few modules that import Airflow. What the person reads is
made when the task runs and kept with the question alone: it is in no XCom.
"""

import logging
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLBranchOperator

from reengage.airflow.runtime import Run, current_run, told_plainly, warehouse
from reengage.errors import ConfigurationError
from reengage.journey import gates, preview
from reengage.policy import Policy

log = logging.getLogger(__name__)

APPROVE, REJECT = "Approve", "Reject"
# How `make day` answers: nobody can be waited for where no page shows the question.
ANSWER = "approve"
ANSWERED_BY = "make day"


class ApproveDay(HITLBranchOperator):
    """Ask whether the day goes out; without an answer within the policy's approval_hours it does
    not. Approved, the tasks of the steps that have something to send follow, else none. A day that
    is let go or stopped already is not asked about.
    """

    def __init__(self, *, policy: Policy, **kwargs: Any) -> None:
        super().__init__(
            subject="May the day go out?",
            options=[APPROVE, REJECT],
            defaults=[REJECT],
            response_timeout=timedelta(hours=policy.approval_hours),
            **kwargs,
        )

    @told_plainly
    def execute(self, context: Any) -> Any:
        """Put the question. On a simulated clock an answer in the run's configuration counts:
        yes, no, or nothing, which leaves the day waiting.
        """
        run, engine = current_run(), warehouse()
        conf = context["dag_run"].conf or {}
        if not gates.waits(engine, run.as_of):
            passage = gates.pass_or_stop(engine, run.policy, run.as_of, run.clock)
            return self.do_branch(context, list(passage.sends))
        if run.is_simulated and ANSWER in conf:
            return self._answer(context, run, conf[ANSWER])
        with engine.begin() as connection:
            found = preview.plan(connection, run.policy, run.as_of, run.clock())
        self.subject = f"May {sum(found.sends.values()):,} texts for {run.as_of} go out?"
        self.body = preview.markdown(found, run.policy)
        return super().execute(context)

    @told_plainly
    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Take the answer, or the default of a time-out."""
        if "error" in event:
            self.process_trigger_event_error(event)
        self.validate_chosen_options(event["chosen_options"])
        run, user = current_run(), event.get("responded_by_user")
        by = None if event.get("timedout") else (user or {}).get("name") or "somebody"
        if event["chosen_options"] == [APPROVE]:
            sends = gates.approved(warehouse(), run.as_of, by or "somebody", run.clock())
            return self.do_branch(context, list(sends))
        gates.turned_down(warehouse(), run.policy, run.as_of, by, run.clock())
        log.info("%s is not sent: %s", run.as_of, f"{by} turned it down" if by else "no answer")
        return self.do_branch(context, [])

    def _answer(self, context: Any, run: Run, answer: str) -> Any:
        engine, sends = warehouse(), {}
        if answer == "yes":
            sends = gates.approved(engine, run.as_of, ANSWERED_BY, run.clock())
        elif answer == "no":
            gates.turned_down(engine, run.policy, run.as_of, ANSWERED_BY, run.clock())
        elif answer:
            raise ConfigurationError(f"{ANSWER} is yes or no, not {answer!r}.")
        return self.do_branch(context, list(sends))
