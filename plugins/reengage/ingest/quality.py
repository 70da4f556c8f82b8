"""Validation: a Great Expectations suite for each entity, run on the load's rows in raw.

What stops the day has severity `critical`; what only warns, `warning`. The results are kept as
Data Docs, web pages in `$REENGAGE_HOME/quality`.
"""

import importlib
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy.engine import Engine

from reengage import db
from reengage.errors import DayStopped
from reengage.ingest.sources import Source
from reengage.ingest.sources.load import Load
from reengage.policy import Policy
from reengage.settings import settings

log = logging.getLogger(__name__)

# From so many new rows on a day's share of unknown ones says something.
ENOUGH_ROWS = 200


def validate(engine: Engine, loads: Sequence[Load], policy: Policy, as_of: date) -> list[str]:
    """Run the suites over the loads' rows; the warnings, as sentences.

    Raises DayStopped, before core is touched, where a required source is missing or empty, where
    more than the policy's share of rows was rejected, or where a critical expectation fails.
    """
    problems = [load.problem for load in loads if load.problem]
    found = _run_suites(engine, loads, policy, as_of)
    problems += [sentence for severity, sentence in found if severity == "critical"]
    if problems:
        raise DayStopped(
            f"The data for {as_of} stopped the day; nothing was decided and nobody was written "
            "to.\n- "
            + "\n- ".join(dict.fromkeys(problems))
            + f"\nEach check's result: {data_docs()}"
        )
    return [sentence for severity, sentence in found if severity == "warning"]


@dataclass(frozen=True)
class Strangers:
    """The new rows of a source that name nobody known: no contact that a card describes.

    is_judged: they count for gates.max_unknown_share. said: a sentence for a person.
    """

    source: str
    rows_new: int
    rows_unknown: int
    is_judged: bool
    said: str


def strangers(engine: Engine, sources: Sequence[Source], as_of: date) -> list[Strangers]:
    """Count who is known of the rows since the last decided day, through as_of, by source; and note
    it with the loads. Once all sources of the day are in core. Twice: the same.
    """
    named = {(source.source, source.entity): source for source in sources}
    found = []
    with engine.begin() as connection:
        after = db.run(connection, "cohort/watermark").one().last_load_id
        for entity in ("interaction", "consent"):
            rows = db.run(
                connection,
                "raw/count_unknown",
                f"raw.{entity}",
                entity=entity,
                as_of=as_of,
                after_load_id=after,
            )
            for row in rows:
                source = named.get((row.source, entity))
                has_guests = source is not None and source.guests
                found.append(
                    Strangers(
                        f"{row.source} ({entity})",
                        int(row.rows_new),
                        int(row.rows_unknown),
                        not row.is_first and not has_guests,
                        _of_strangers(row, entity, sources),
                    )
                )
    return found


def tell_strangers(
    engine: Engine, sources: Sequence[Source], policy: Policy, as_of: date
) -> list[str]:
    """Log which sources name people that no card describes, and return that. Of what is usual only
    the numbers are told.
    """
    told = []
    for source in strangers(engine, sources, as_of):
        if not source.rows_unknown:
            continue
        if source.rows_unknown > policy.gates.max_unknown_share * source.rows_new:
            told.append(source.said)
            log.warning("%s", source.said)
        else:
            log.info("%s", source.said)
    return told


def check_known(engine: Engine, sources: Sequence[Source], policy: Policy, as_of: date) -> None:
    """The gate of unknown ids. Raises DayStopped where too many of the day's rows name nobody
    known: who bought under another system's id, or a misspelt one, would be taken for quiet.

    Not where no source is of contacts: nobody can be written to then.
    """
    if not any(source.entity == "contact" for source in sources):
        return
    judged = [source for source in strangers(engine, sources, as_of) if source.is_judged]
    rows = sum(source.rows_new for source in judged)
    unknown = sum(source.rows_unknown for source in judged)
    most = policy.gates.max_unknown_share
    if rows < ENOUGH_ROWS or unknown <= most * rows:
        return
    worst = sorted(judged, key=lambda source: -source.rows_unknown)
    raise DayStopped(
        f"{unknown:,} of the {rows:,} new rows through {as_of} ({unknown / rows:.0%}) name nobody "
        f"known, more than gates.max_unknown_share ({most:.0%}): who did something yesterday would "
        "be taken for quiet. Nothing was decided and nobody was written to.\n- "
        + "\n- ".join(source.said for source in worst if source.rows_unknown)
    )


def _of_strangers(row: Any, entity: str, sources: Sequence[Source]) -> str:
    """Which source, how many, what their ids look like, and what to do."""
    count = f"{row.source} ({entity}): {row.rows_unknown:,} of {row.rows_new:,} new rows"
    said = f"{count} ({row.rows_unknown / row.rows_new:.0%}) name nobody that a card describes"
    if not row.rows_unknown:
        return said + "."
    if row.path:
        said += f", the first in {Path(row.path).name}, line {row.line:,}"
    said += f". Their ids look like {_shape(row.example_id)}"
    if row.known_id is not None:
        said += f", known ones like {_shape(row.known_id)}"
    cards = [source for source in sources if source.entity == "contact"]
    if not cards:
        return said + ". No source is of contacts (entity: contact), so nobody is known."
    theirs = {card.source for card in cards} | {
        whose
        for card in cards
        for column, whose in card.identities.items()
        if column in card.columns
    }
    if row.has_zero_twin:
        return (
            f"{said}. With other zeros before it, the first is a card's: have both written alike. "
            "A spreadsheet shows a number without them, unless its cell is text, or has a format "
            "of zeros (00000)."
        )
    if row.contact_source not in theirs:
        said += f". No card says that it has an id of {row.contact_source}"
    return (
        f"{said}. Where the cards have this id, name its column in their YAML (shop_account_id, "
        "loyalty_card_id); where it is the cards' own, or another source's, say whose it is "
        "(contact_source: {value: …}); where these are people without a card, say guests: true."
    )


def _shape(value: str) -> str:
    """What an id looks like, without what it says: it may be somebody's address or number."""
    if "@" in value:
        return "e-mail addresses"
    shape = re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", value))
    if len(shape) > 12:
        return f"{shape[:12]}… ({len(shape)} characters)"
    return shape


def data_docs() -> Path:
    """The page that shows every validation."""
    return settings().home / "quality" / "docs" / "index.html"


def _suites(policy: Policy, as_of: date) -> dict[str, tuple[str, list[Any]]]:
    """By entity: the rows to look at, and what is expected of them."""
    import great_expectations.expectations as gxe

    critical, warning = {"severity": "critical"}, {"severity": "warning"}
    most = policy.gates.max_rejected_share
    return {
        "load": (
            """
            SELECT source, entity, load_id, rows_read,
                CAST(rows_rejected AS double precision) / greatest(rows_read, 1) AS rejected_share,
                CAST(fields_emptied AS double precision) / greatest(rows_new, 1) AS emptied_share
            FROM raw.load WHERE load_id IN ({loads})
            """,
            [
                gxe.ExpectColumnValuesToBeBetween(
                    column="rejected_share", min_value=0, max_value=most, **critical
                ),
                gxe.ExpectColumnValuesToBeBetween(
                    column="emptied_share", min_value=0, max_value=most, **warning
                ),
            ],
        ),
        "contact": (
            "SELECT source, source_contact_id, phone, email, country, language, created_on, "
            "dated_on FROM raw.contact WHERE load_id IN ({loads}) AND status = 'loaded'",
            [
                gxe.ExpectColumnValuesToNotBeNull(column="source_contact_id", **critical),
                gxe.ExpectColumnValuesToNotBeNull(column="phone", mostly=0.5, **warning),
                gxe.ExpectColumnValuesToNotBeNull(column="created_on", mostly=0.5, **warning),
            ],
        ),
        "interaction": (
            "SELECT source, record_key, source_contact_id, kind, occurred_at, dated_on, amount "
            "FROM raw.interaction WHERE load_id IN ({loads}) AND status = 'loaded'",
            [
                gxe.ExpectColumnValuesToNotBeNull(column="source_contact_id", **critical),
                gxe.ExpectColumnValuesToNotBeNull(column="occurred_at", **critical),
                gxe.ExpectColumnValuesToBeBetween(
                    column="dated_on", max_value=as_of, strict_max=False, **critical
                ),
                gxe.ExpectColumnValuesToBeInSet(
                    column="kind",
                    value_set=[
                        "purchase",
                        "visit",
                        "loyalty",
                        "email_open",
                        "email_click",
                        "reply",
                        "login",
                        "refund",
                    ],
                    **critical,
                ),
                # Refunds are below; where most rows are, is the sign turned?
                gxe.ExpectColumnValuesToBeBetween(
                    column="amount", min_value=0, mostly=0.5, **warning
                ),
            ],
        ),
        "consent": (
            "SELECT source, source_contact_id, channel, purpose, granted_at, withdrawn_at "
            "FROM raw.consent WHERE load_id IN ({loads}) AND status = 'loaded'",
            [
                gxe.ExpectColumnValuesToNotBeNull(column="source_contact_id", **critical),
                gxe.ExpectColumnValuesToBeInSet(
                    column="channel", value_set=["sms", "email", "push", "whatsapp"], **warning
                ),
                gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                    column_A="withdrawn_at",
                    column_B="granted_at",
                    or_equal=True,
                    ignore_row_if="either_value_is_missing",
                    **warning,
                ),
            ],
        ),
        "product": (
            "SELECT source, source_product_id, name, url, image_url, price, available "
            "FROM raw.product WHERE load_id IN ({loads}) AND status = 'loaded'",
            [
                gxe.ExpectColumnValuesToNotBeNull(column="source_product_id", **critical),
                # Without a name a product is never mentioned.
                gxe.ExpectColumnValuesToNotBeNull(column="name", mostly=0.9, **warning),
                gxe.ExpectColumnValuesToBeBetween(
                    column="price", min_value=0, mostly=0.99, **warning
                ),
            ],
        ),
    }


def _run_suites(
    engine: Engine, loads: Sequence[Load], policy: Policy, as_of: date
) -> list[tuple[str, str]]:
    """What failed, as (severity, sentence)."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _checked(engine, loads, policy, as_of)


class _WhenUsed(ModuleType):
    """A module that is imported once something of it is used."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def _put_off(*names: str) -> Iterator[None]:
    """Let what is imported meanwhile have these modules, but not wait for them. Great Expectations
    draws charts and tests distributions with them, which no check of ours asks for: 70 MiB and a
    third of its import.
    """
    stand_ins = {name: _WhenUsed(name) for name in names if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]


def _checked(
    engine: Engine, loads: Sequence[Load], policy: Policy, as_of: date
) -> list[tuple[str, str]]:
    with _put_off("altair", "scipy.stats"):
        import great_expectations as gx

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    folder = settings().home / "quality"
    folder.mkdir(parents=True, exist_ok=True)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    context.add_data_docs_site(
        site_name="reengage",
        site_config={
            "class_name": "SiteBuilder",
            "show_how_to_buttons": False,
            "store_backend": {
                "class_name": "TupleFilesystemStoreBackend",
                "base_directory": str(folder / "docs"),
            },
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        },
    )
    warehouse = context.data_sources.add_postgres(
        "warehouse", connection_string=engine.url.render_as_string(hide_password=False)
    )
    definitions = []
    for entity, (query, expectations) in _suites(policy, as_of).items():
        wanted = [x for x in loads if entity in ("load", x.source.entity)]
        rows = sum(load.rows_loaded for load in wanted)
        if not wanted or (entity != "load" and rows == 0):
            continue
        ids = ", ".join(str(int(load.load_id)) for load in wanted)
        asset = warehouse.add_query_asset(name=entity, query=query.format(loads=ids))
        batch = asset.add_batch_definition_whole_table("rows of the day")
        suite = context.suites.add(
            gx.ExpectationSuite(name=f"{entity}s", expectations=expectations)
        )
        definitions.append(
            context.validation_definitions.add(
                gx.ValidationDefinition(name=f"{entity}s", data=batch, suite=suite)
            )
        )
    if not definitions:
        return []
    checkpoint = gx.Checkpoint(
        name="day",
        validation_definitions=definitions,
        result_format={"result_format": "BASIC", "partial_unexpected_count": 0},
    )
    try:
        result = context.checkpoints.add(checkpoint).run(
            run_id=gx.RunIdentifier(run_name=f"as of {as_of}")
        )
        # Once: as an action of the checkpoint, the site would be built for each suite anew.
        context.build_data_docs(site_names=["reengage"])
    finally:  # it would keep connections open until the process ends
        warehouse.get_execution_engine().close()
        warehouse.get_engine().dispose()
    return [
        (str(check.expectation_config.severity.value), _sentence(run.suite_name, check))
        for run in result.run_results.values()
        for check in run.results
        if not check.success
    ]


def _sentence(suite: str, check: Any) -> str:
    config = check.expectation_config
    column = config.kwargs.get("column") or config.kwargs.get("column_list") or ""
    what = config.type.removeprefix("expect_").replace("_", " ")
    share = check.result.get("unexpected_percent")
    of = f" ({share:.1f} % of the rows do not)" if share is not None else ""
    return f"{suite}: expected {column} {what}{of}"
