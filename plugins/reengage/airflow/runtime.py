"""What a task gets from Airflow: its day, its clock, the warehouse, the provider, and the guards.

The only module, beside the hooks and the plugin, that imports Airflow. DAG files use it; everything
below it runs in a notebook or a shell just as well.
"""

import functools
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import sqlalchemy as sa
from airflow.sdk import Param, get_current_context
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

from reengage import connections, db
from reengage.clock import Clock, SimulatedClock, wall_clock
from reengage.connections import Access
from reengage.errors import ConfigurationError, ProviderError, ReengageError, SendRefused
from reengage.journey import simulation
from reengage.policy import Policy, read_policy
from reengage.settings import (
    LINKS_VARIABLE,
    SANDBOX_VARIABLE,
    SMS_VARIABLE,
    given,
    warehouse_address,
    warehouse_url,
)

if TYPE_CHECKING:  # with them comes a client of HTTP that no DAG file needs
    from reengage.sending.providers import Account, Provider

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

# What the form of a run by hand asks for; REST and the command line take the same as `conf`.
BY_HAND = {
    "as_of": Param(
        None,
        type=["null", "string"],
        format="date",
        title="Day (as_of)",
        description="The day that the run is for, in the brand's time zone. It must be over: the "
        "last complete day is yesterday. A run by hand needs one; the schedule knows its own.",
    )
}

WAREHOUSE = "reengage_warehouse"
SMS = "reengage_sms"


@dataclass(frozen=True)
class Run:
    """The run of a task. as_of: the brand's day; clock: the wall's, or a simulation's."""

    as_of: date
    clock: Clock
    is_simulated: bool
    is_backfill: bool
    policy: Policy


def told_plainly(task: Callable[P, R]) -> Callable[P, R]:
    """Let a task fail with its one sentence. What waiting does not mend is not tried again."""

    @functools.wraps(task)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return task(*args, **kwargs)
        except ProviderError as error:
            log.error("%s", error)
            raise
        except ReengageError as error:
            log.error("%s", error)
            raise AirflowFailException(str(error)) from error

    return run


def current_run(needs_day: bool = True) -> Run:
    """The run that the calling task belongs to.

    needs_day: False for a task that works on what is there, whatever its day: as_of is yesterday.

    as_of is the conf's `as_of`, else the partition key, else the day before the interval's end in
    the brand's zone. Raises ConfigurationError where there is none of them, and PlaysThePast for a
    day that would end the past that the home plays.
    """
    context: Any = get_current_context()
    policy = read_policy()
    run = context["dag_run"]
    conf = run.conf or {}
    simulated = conf.get("now")
    clock = SimulatedClock(_instant(simulated)) if simulated else wall_clock
    if simulated and (account := _account()):
        _refuse_real(account)
    today = clock().astimezone(policy.brand.zone).date()
    as_of = (
        today - timedelta(days=1)
        if not needs_day
        else _as_of(conf.get("as_of"), getattr(run, "partition_key", None), context, policy)
    )
    if as_of >= today:
        raise ConfigurationError(
            f"{as_of} is not over yet: who buys later that day would be taken for quiet. The last "
            f"complete day is {today - timedelta(days=1)}."
        )
    clock = _in_time(clock, policy, as_of if needs_day else None, is_simulated=bool(simulated))
    kind = getattr(run.run_type, "value", run.run_type)
    return Run(as_of, clock, bool(simulated), kind == "backfill", policy)


def _in_time(clock: Clock, policy: Policy, as_of: date | None, *, is_simulated: bool) -> Clock:
    """The clock of a run whose day (None: it is for none) does not end the past that the home may
    play: noted where it is simulated, and the home's own where the run is for no day.
    """
    from reengage.phones import keys  # with what reads numbers, which a DAG file must not wait for

    engine = warehouse()
    keys.check(engine)
    if is_simulated:
        if as_of:
            simulation.check_step(engine, policy, as_of)
        simulation.note(engine, clock())
    elif as_of:
        simulation.refuse_today(engine, policy)
    else:
        return simulation.clock(engine, policy)
    return clock


@dataclass(frozen=True)
class Asked:
    """A replay that is asked for: its first and last day, and its policy, of a file (None: the
    installation's) and with other days of the steps; name: of the scenario; begin: when its journey
    begins (None: not said); is_known: whether it goes by what had been loaded.
    """

    policy: Policy
    file: Path | None
    days: str | None
    first: date
    last: date
    name: str | None
    begin: date | None
    is_known: bool
    with_audience: bool


def current_replay() -> Asked:
    """The replay that the run's conf asks for: `from` and `to`, else the run's own day; `policy`, a
    file; `days` of the steps; `name`, `begin`, `known` and `audience`. Raises ConfigurationError.
    """
    context: Any = get_current_context()
    conf = context["dag_run"].conf or {}
    file = Path(conf["policy"]) if conf.get("policy") else None
    policy = read_policy(file)
    if "from" not in conf and "to" not in conf:
        first = last = current_run().as_of
    else:
        try:
            first, last = date.fromisoformat(conf["from"]), date.fromisoformat(conf["to"])
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(
                'A replay takes both days: {"from": "1997-01-01", "to": "1997-12-31"}.'
            ) from error
    try:
        begin = date.fromisoformat(conf["begin"]) if conf.get("begin") else None
    except (TypeError, ValueError) as error:
        raise ConfigurationError('Write begin as a day: {"begin": "1997-01-01"}.') from error
    is_known, is_kept = (conf.get(key) in (True, "yes", "true") for key in ("known", "audience"))
    days, name = conf.get("days") or None, conf.get("name") or None
    return Asked(policy, file, days, first, last, name, begin, is_known, is_kept)


def _as_of(conf: Any, key: str | None, context: Any, policy: Policy) -> date:
    given = conf or key
    if given:
        try:
            return date.fromisoformat(str(given))
        except ValueError as error:
            raise ConfigurationError(
                f"as_of {given!r} is no date: write it like 1997-09-30."
            ) from error
    end = context.get("data_interval_end")
    if end is None:
        raise ConfigurationError(
            "This run has no day: fill in Day (as_of) in the form, or trigger it with the "
            'configuration {"as_of": "1997-09-30"}.'
        )
    return end.astimezone(policy.brand.zone).date() - timedelta(days=1)


def _instant(value: str) -> datetime:
    now = datetime.fromisoformat(value)
    if now.tzinfo is None:
        raise ConfigurationError(
            f"now {value!r} needs a time zone, like 1997-10-01T10:00:00-04:00."
        )
    return now.astimezone(UTC)


def _connection(name: str) -> Any:
    """The Airflow connection, or None where nobody defined it, or a file of our own tells it."""
    from airflow.sdk import BaseHook

    if os.environ.get(f"AIRFLOW_CONN_{name.upper()}_FILE"):
        return None
    try:
        return BaseHook.get_connection(name)
    except AirflowNotFoundException:
        return None


def access(name: str) -> Access:
    """The connection that a source names, of Airflow, else of the environment or the file that it
    names. Raises ConfigurationError where there is none.
    """
    known = _connection(name)
    if known is None:
        return connections.of_environment(name)
    return connections.access(
        name,
        known.conn_type,
        known.host,
        known.login,
        known.password,
        known.schema,
        known.port,
        known.extra_dejson,
    )


def warehouse() -> sa.Engine:
    """The warehouse: the connection reengage_warehouse, else that of the environment or of the file
    it names, else the embedded server of this home.

    Raises ConfigurationError behind a pooler that breaks the locks of sessions.
    """
    known = _connection(WAREHOUSE)
    engine = db.engine(
        warehouse_url()
        if known is None
        else warehouse_address(
            known.login, known.password, known.host, known.port, known.schema, known.extra_dejson
        )
    )
    db.check_sessions(engine)
    return engine


def _account() -> "Account | None":
    """The account of the connection reengage_sms, of the file that holds it, else of the local
    sandbox, if any is there.
    """
    known = _connection(SMS)
    if known is not None:
        from reengage.airflow.hooks import account_from_connection

        return account_from_connection(known)
    from reengage.sending.providers import account_from_uri_or_json

    said = given(SMS_VARIABLE) or os.environ.get(SANDBOX_VARIABLE)
    return account_from_uri_or_json(said) if said else None


def _refuse_real(account: "Account") -> None:
    """A simulated time never meets people who can really be texted."""
    if not account.is_sandbox:
        raise SendRefused(
            "This run's clock is simulated, but the connection reengage_sms is a real provider "
            "(only a loopback host whose extra says sandbox: true is none). Take `now` out of the "
            "configuration, or the connection away."
        )


def _check_mode(policy: Policy, account: "Account") -> None:
    """A rehearsal texts nobody, and what texts nobody is no campaign."""
    if policy.mode == "sandbox" and not account.is_sandbox:
        raise SendRefused(
            "The policy says mode: sandbox, but the connection reengage_sms is a real provider "
            "(only a loopback host whose extra says sandbox: true is none). Set mode: live in the "
            "policy to text customers, or take the connection away to rehearse. To pause a "
            "campaign, pause the DAG reengage_send instead: replies must still be heard."
        )
    if policy.mode == "live" and account.is_sandbox:
        raise SendRefused(
            "The policy says mode: live, but there is only the local sandbox, which would take "
            "customers for texted who were not. Define the Airflow connection reengage_sms (type "
            "infobip, twilio or mailup), or set mode: sandbox in the policy to rehearse."
        )


def _check_replies(policy: Policy, provider: "Provider") -> None:
    """Nobody is asked to reply where no reply is heard."""
    from reengage.texts.countries import is_number  # with it come tables that no DAG file needs

    if not provider.tells_replies and not provider.is_sandbox and is_number(policy.brand.sender):
        raise SendRefused(
            f"{provider.title} tells nobody's replies, and brand.sender in the policy is a number: "
            "the texts would ask people to reply STOP, and nobody would hear it. Set brand.sender "
            "to a name: the texts then say how to stop by the link."
        )


def provider(run: Run) -> "Provider":
    """The provider: the connection reengage_sms, else the local sandbox.

    The guards of every send are here, and of every poll: who rehearses would take away replies
    that a provider tells only once, and what the sandbox makes up is nothing to remember of
    customers. Raises PlaysThePast for a run on today's clock in a home that plays the past, and
    SendRefused for a backfill, for a simulated clock with a provider that texts
    real people, for a policy whose mode is not the provider's, for texts that ask for replies that
    the provider does not tell, and where there is no provider.
    """
    from reengage.sending.providers import provider_for

    if run.is_backfill:
        raise SendRefused(
            "This run is a backfill, and a backfill texts nobody. To see what would have been "
            "decided on past days: make replay FROM=… TO=…."
        )
    account = _account()
    if account is None:
        raise SendRefused(
            "No provider: define the Airflow connection reengage_sms (type infobip, twilio or "
            "mailup), or use `make up` or `make day`, which run a local sandbox."
        )
    if run.is_simulated:
        _refuse_real(account)
    else:
        simulation.refuse_today(warehouse(), run.policy)
    _check_mode(run.policy, account)
    provider = provider_for(account, run.policy.sending.timeout_seconds)
    _check_replies(run.policy, provider)
    return provider


def link_base(policy: Policy) -> str:
    """Where short links point: the policy's domain, else the local link service."""
    base = policy.brand.link_domain or os.environ.get(LINKS_VARIABLE)
    if not base:
        raise ConfigurationError(
            "No address for short links: set brand.link_domain in the policy, or use `make up` or "
            "`make day`, which run a local link service."
        )
    return base.rstrip("/")
