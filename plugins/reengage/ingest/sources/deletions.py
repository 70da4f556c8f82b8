"""What a source has no more: rows that were read before, and are deleted where they came from.

What is missing is put aside in raw, as what another version has replaced, and core takes it back:
an order is none any more, a consent is withdrawn, a card says nothing. Nothing is taken for deleted
where that is not sure: a file that is cut, or an export of the last months alone, looks like a
mass of deletions, and whoever's orders vanish looks quiet.
"""

from dataclasses import dataclass
from datetime import date

from sqlalchemy.engine import Connection

from reengage import db
from reengage.ingest.sources import Source
from reengage.policy import Policy

# So few rows may always be gone: of a small source each is a large share.
ALWAYS_MAY_GO = 5


@dataclass(frozen=True)
class Missing:
    """What came of looking for what is missing. problem: why nothing is taken for deleted, which
    stops the day; note: why not, which stops nothing. Sentences for a person, or None.
    """

    problem: str | None = None
    note: str | None = None


def remark(source: Source) -> str | None:
    """What a person should know of a source that does not say how its deletions show; None: it
    says so.
    """
    if source.deletes is not None:
        return None
    stays = {
        "contact": "a card that is deleted there stays, and its customer is texted on",
        "interaction": "an order that is deleted there keeps its customer from looking quiet",
        "consent": "WARNING: whose consent is deleted there is texted on",
        "product": "a product that is deleted there is recommended on",
    }[source.entity]
    whole = "what is read is" if source.connector != "files" else "the newest file is"
    return (
        f"{stays}. Say `deletes: snapshot` where {whole} all that there is, `marked` where the row "
        "stays and `exclude` names its mark, or `unseen` where this is known"
    )


def of_snapshot(
    connection: Connection,
    source: Source,
    name: str,
    load_id: int,
    as_of: date,
    meaning: str,
    policy: Policy,
) -> Missing:
    """Put aside what a source had and that is not in what is staged, which is all that there is.

    name: of what was read, for people. meaning: of the source's mapping (Cleaner.meaning). In the
    caller's transaction. Twice: what is put aside is not missing any more.
    """
    found = db.run(
        connection,
        "raw/find_missing",
        f"raw.{source.entity}",
        source=source.source,
        as_of=as_of,
        meaning=meaning,
        has_days=source.entity == "interaction",
        hears_refusals=source.entity == "consent",
    ).one()
    if not found.rows_missing or not found.rows_there:
        return Missing()
    # Under another mapping rows may have other keys: they are no fewer for that.
    rows_new = max(0, found.rows_there - found.rows_known + found.rows_missing)
    shrunk = found.rows_missing - min(found.rows_unlike, rows_new)
    most = policy.gates.max_deleted_share
    # Products come back with the next list, and nobody is texted for them.
    if source.entity != "product" and shrunk > max(ALWAYS_MAY_GO, most * found.rows_known):
        return Missing(
            problem=f"{name} has {shrunk:,} of {found.rows_known:,} rows that were there before no "
            f"more ({shrunk / found.rows_known:.1%}, more than gates.max_deleted_share, "
            f"{most:.1%}): it may be cut, or not be all that there is, so nothing is taken for "
            "deleted. Deliver it whole; say `deletes: unseen` in the source where it is only a "
            "part; or, where they are deleted, raise gates.max_deleted_share for this day. Then "
            "run the day again."
        )
    if found.rows_unnamed and source.entity == "interaction":
        return Missing(
            note=f"{name}: {found.rows_missing:,} rows that were there before are missing, and "
            f"{found.rows_unnamed:,} rows cannot be read, not even their id: they may be those, so "
            "nothing is taken for deleted"
        )
    db.run(
        connection,
        "raw/put_aside_missing",
        f"raw.{source.entity}",
        load_id=load_id,
        source=source.source,
    )
    return Missing()
