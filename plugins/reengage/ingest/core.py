"""From raw into core: contacts and who they are, what they did, what they agreed to; products.

Set-based, one transaction a load: a load is in core wholly and once, or not at all.
"""

import logging
import time
from array import array
from datetime import date, datetime

from sqlalchemy.engine import Connection, Engine

from reengage import db
from reengage.clock import Clock
from reengage.errors import DayStopped
from reengage.ingest import identity
from reengage.ingest.sources import Source
from reengage.phones import keys, numbers
from reengage.policy import Policy
from reengage.progress import pace

log = logging.getLogger(__name__)

# Cards and ids whose people are told apart that are read in one go.
KIN_AT_ONCE = 10_000

# Of one source that may hold one id of another, or have one phone number: what more of them hold
# is a placeholder.
MOST_CARDS = 5


def take(
    engine: Engine, source: Source, load_id: int, as_of: date, policy: Policy, clock: Clock
) -> None:
    """Move a load's rows into core and keep contact_activity up from them alone.

    Twice: a load that is in core is left alone. Contacts before interactions before consents, or
    ids that a card would have joined become contacts of their own first, and are merged later.
    """
    with engine.begin() as connection, db.exclusive(connection, "core"):
        began = time.monotonic()
        db.give_room(connection)
        status = db.run(connection, "raw/load_status", load_id=load_id).scalar_one()
        if status == "loaded":
            return
        if status == "stopped":
            raise DayStopped(f"{source.name}: stopped. Mend its data, then run the day again.")
        rows = db.run(connection, "raw/load_size", load_id=load_id).scalar_one()
        _follow_policy(connection, policy, load_id)
        _follow_numbers(connection, load_id if source.entity == "contact" else None)
        if source.entity == "contact":
            _contacts(connection, source, load_id, as_of, policy, clock)
        elif source.entity == "interaction":
            _strangers(connection, source, load_id, as_of)
            db.run(connection, "core/take_back_interactions", load_id=load_id)
            db.run(
                connection,
                "core/arrive",
                load_id=load_id,
                are_zeros_nothing=source.zero == "nothing",
            )
            db.run(connection, "core/note_refunds")
            db.run(connection, "core/note_late_purchases")  # whom a shared id holds, of all noted
            months = db.run(connection, "core/add_months").all()
            taken = db.run(connection, "core/take_interactions", load_id=load_id, at=clock())
            grown = {month.partition.replace(".", "__"): month.interactions for month in months}
            db.analyze_grown(connection, core__interaction=taken.rowcount, **grown)
            _redo(connection, load_id, policy)
            db.run(connection, "outbox/note_codes", load_id=load_id)
            db.run(connection, "outbox/redeem")
            db.run(connection, "core/add_activity", load_id=load_id, signals=list(policy.signals))
            db.run(
                connection,
                "core/note_product_source",
                source=source.source,
                product_source=source.product_source,
            )
        elif source.entity == "product":
            db.run(connection, "core/take_products", load_id=load_id)
            db.analyze_grown(connection, core__product=rows)
        else:
            _strangers(connection, source, load_id, as_of)
            at = clock()
            db.run(connection, "core/take_consents", load_id=load_id, at=at)
            db.analyze_grown(connection, core__consent=rows)
            db.run(connection, "core/hear_load", load_id=load_id, at=at)
            _refuse(connection, source, load_id, at)
            _withdraw_deleted(connection, source, load_id, at)
        seconds = time.monotonic() - began
        db.run(connection, "raw/set_load_status", load_id=load_id, status="loaded", seconds=seconds)
    log.info("%s: %s rows into core in %s", source.name, f"{rows:,}", pace(rows, seconds))


def _strangers(connection: Connection, source: Source, load_id: int, as_of: date) -> None:
    table = f"raw.{source.entity}"
    strangers = db.run(
        connection,
        "core/identify_strangers",
        table,
        load_id=load_id,
        as_of=as_of,
        hears_refusals=source.entity == "consent",
    )
    _analyze_contacts(connection, strangers.rowcount)


def _analyze_contacts(connection: Connection, new: int) -> None:
    db.analyze_grown(
        connection, core__contact=new, core__contact_identity=new, core__contact_activity=new
    )


def _refuse(connection: Connection, source: Source, load_id: int, at: datetime) -> None:
    """Withdraw what the gathered refusals refuse."""
    refused = db.run(connection, "core/refuse", load_id=load_id, at=at).rowcount
    refused += db.run(connection, "core/refuse_shared", load_id=load_id).rowcount
    if refused:
        log.warning(
            "%s: %s consents withdrawn by rows that are excluded, or say no",
            source.name,
            f"{refused:,}",
        )


def _withdraw_deleted(connection: Connection, source: Source, load_id: int, at: datetime) -> None:
    """Withdraw what was granted by rows that their source has no more."""
    gone = db.run(connection, "core/withdraw_deleted", load_id=load_id, at=at).rowcount
    if gone:
        log.warning(
            "%s: %s consents withdrawn, as their rows are deleted there", source.name, f"{gone:,}"
        )


def _contacts(
    connection: Connection, source: Source, load_id: int, as_of: date, policy: Policy, clock: Clock
) -> None:
    changed = set()
    if _load_cards(connection, source, load_id, as_of):
        _gather(connection)
        _tell_people(connection)
        placed = db.run(connection, "core/place_kin").scalar_one()
        changed = set(db.run(connection, "core/changed_contacts").scalars())
        db.run(connection, "core/part_contacts", load_id=load_id, as_of=as_of)
        _analyze_contacts(connection, placed)
        if merges := db.run(connection, "core/find_merges").all():
            db.run(
                connection,
                "core/merge_contacts",
                load_id=load_id,
                merged_ids=[m.merged_id for m in merges],
                kept_ids=[m.kept_id for m in merges],
            )
            log.info("%s: %s contacts turned out to be others", source.name, f"{len(merges):,}")
        # Who holds what is known only now.
        changed.update(db.run(connection, "core/changed_contacts").scalars())
        db.run(connection, "core/hear_cards")
        _refuse(connection, source, load_id, clock())
    db.run(connection, "core/update_contacts", load_id=load_id, contact_ids=sorted(changed))
    _note_aliases(connection, "core/phones_to_alias", load_id)
    _tell_crowds(connection, source, load_id)
    db.run(connection, "core/touch_activity", load_id=load_id)
    if changed:
        db.run(connection, "core/begin_corrected", contact_ids=sorted(changed))
        _redo(connection, load_id, policy)
        db.run(connection, "outbox/redeem")


def _load_cards(connection: Connection, source: Source, load_id: int, as_of: date) -> bool:
    """Remember what the load's cards say of who they are, make contacts of those that have to do
    with nobody, and tell whether any are left. Another meaning of the source's columns is followed
    in all that it has ever said.
    """
    name = f"cards of {source.source}"
    loyalty = source.identities.get("loyalty_card_id", "loyalty")
    shop = source.identities.get("shop_account_id", "shop")
    meaning = (
        f"loyalty: {loyalty}, shop: {shop}, verified: {', '.join(sorted(source.verified))}, "
        f"numbers: {numbers.version()}"
    )
    known = db.run(connection, "core/derived_from", name=name).scalar()
    named = db.run(
        connection,
        "core/load_cards",
        load_id=load_id,
        source=source.source,
        is_whole=known != meaning,
        loyalty_source=loyalty,
        shop_source=shop,
        is_phone_verified="phone" in source.verified,
        is_email_verified="email" in source.verified,
    ).scalar_one()
    db.analyze_grown(connection, core__card_id=named)
    db.run(connection, "core/note_derived", name=name, value=meaning)
    db.run(connection, "core/weigh_ids", source=source.source, most_cards=MOST_CARDS)
    found = db.run(connection, "core/count_shared").one()
    notes = []
    if found.shared:
        notes.append(
            f"{found.shared:,} ids of other sources are held by several cards: they join nobody, "
            "and what happens under them only holds their cards back"
        )
    if found.placeholders:
        notes.append(
            f"{found.placeholder_cards:,} cards hold {found.placeholders:,} ids of other sources "
            f"that more than {MOST_CARDS} cards have: placeholders, which join nobody"
        )
    for note in notes:
        _tell(connection, source, load_id, note)
    alone = db.run(connection, "core/add_alone", load_id=load_id, as_of=as_of).scalar_one()
    _analyze_contacts(connection, alone)
    return bool(found.touched > alone)


def _tell(connection: Connection, source: Source, load_id: int, note: str) -> None:
    log.warning("%s: %s", source.name, note)
    db.run(connection, "core/add_note", load_id=load_id, note=note)


def _tell_crowds(connection: Connection, source: Source, load_id: int) -> None:
    """Note the phone numbers that are hardly anybody's own."""
    found = db.run(
        connection,
        "core/count_crowded",
        load_id=load_id,
        source=source.source,
        most_holders=MOST_CARDS,
    ).one()
    if found.numbers:
        note = (
            f"{found.holders:,} customers have {found.numbers:,} phone numbers that more than "
            f"{MOST_CARDS} have: placeholders, under which nobody is texted"
        )
        _tell(connection, source, load_id, note)


def _gather(connection: Connection) -> None:
    """Everybody who may have to do with the touched cards, a link further each round."""
    db.run(connection, "core/begin_kin")
    rounds = 0
    while db.run(connection, "core/add_kin", round=rounds).scalar_one():
        db.analyze(connection, "kin")
        rounds += 1


def _tell_people(connection: Connection) -> None:
    """Which of them are one person."""
    kin = identity.Kin()
    for rows in db.stream(connection, "core/kin_cards", KIN_AT_ONCE):
        kin.add_cards(rows)
    for rows in db.stream(connection, "core/kin_links", KIN_AT_ONCE):
        kin.add_links(rows)
    nodes = array("i")
    for rows in db.stream(connection, "core/kin_nodes", KIN_AT_ONCE):
        nodes.extend(row.node for row in rows)
    persons = kin.persons(max(nodes))
    db.run(connection, "core/begin_people")
    db.copy(connection, "person", ("node", "person"), ((n, persons[n]) for n in nodes))


def _follow_numbers(connection: Connection, cards_load_id: int | None) -> None:
    """Note the spellings of the numbers of a load's cards, by which one number is told; of all
    numbers where the rules are others.
    """
    value = numbers.version()
    is_known = db.run(connection, "core/derived_from", name="numbers").scalar() == value
    if cards_load_id or not is_known:
        _note_aliases(connection, "core/cards_to_alias", cards_load_id if is_known else None)
    if not is_known:
        _note_aliases(connection, "core/phones_to_alias", None)
        db.run(connection, "core/note_derived", name="numbers", value=value)


def _note_aliases(connection: Connection, statement: str, load_id: int | None) -> None:
    """Note by which other hashes the numbers that a statement reads of a load (None: of all) are
    known.
    """
    known = keys.known(connection)
    for rows in db.stream(
        connection,
        statement,
        keys.NUMBERS_AT_ONCE,
        load_id=load_id,
        pattern=numbers.pattern(known),
        prefix=known[0].prefix,
    ):
        keys.note_aliases(connection, known, [(row.phone_e164, row.phone_hash) for row in rows])


def _redo(connection: Connection, load_id: int, policy: Policy) -> None:
    db.run(connection, "core/match_refunds")
    db.run(connection, "core/redo_activity", load_id=load_id, signals=list(policy.signals))


def _follow_policy(connection: Connection, policy: Policy, load_id: int) -> None:
    """last_signal_on is made anew for everybody when the policy's signals are others."""
    text = ",".join(sorted(policy.signals))
    known = db.run(connection, "core/derived_from", name="signals").scalar()
    if known == text:
        return
    if known is not None:
        log.info("The policy's signals changed from %s to %s: recomputing", known, text)
    db.run(
        connection,
        "core/redo_signals",
        load_id=load_id,
        signals=list(policy.signals),
        signals_text=text,
    )
