"""The keys that numbers are hashed with: which of them the warehouse knows, and how one follows
another.

A hash is never made anew: stops of numbers that nobody has any more could not be. A hash says which
key it is of, a number is looked up by all its hashes (core.phone_alias), and a key goes when
nothing rests on it. See docs/keys.md.
"""

import hashlib
import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from itertools import permutations
from typing import Any

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import ProgrammingError

from reengage import db, settings
from reengage.clock import wall_clock
from reengage.errors import ConfigurationError
from reengage.phones import numbers
from reengage.phones.hashes import PhoneKey, phone_hash
from reengage.policy import Policy

log = logging.getLogger(__name__)

LOCK = "phone keys"
NUMBERS_AT_ONCE = 5_000
# Some of the oldest contacts, and of the newest: a key that was changed has hashed some of them.
SAMPLE = 20
# A reply to a text finds who was texted, also by a number that they have no more.
REPLIES_DAYS = 365
# https://datatracker.ietf.org/doc/html/rfc7914#section-2: 16 MiB and some 50 ms a guess.
SCRYPT = {"n": 2**14, "r": 8, "p": 1}
NOT_ALLOWED = "42501"  # PostgreSQL's insufficient_privilege


class WrongKey(ConfigurationError):
    """The keys that are given are not those that the warehouse's numbers are hashed with."""


def known(connection: Connection) -> tuple[PhoneKey, ...]:
    """The keys that are given and that the warehouse knows, the one in use first. Until the end of
    the transaction none of them goes.

    The first key of a warehouse is noted here. A new one that is given beside it is not used before
    `rotate`. Raises WrongKey where one is missing that something may rest on.
    """
    if not db.run(connection, "core/phone_keys").all():
        _note_first(connection.engine)
    with db.shared(connection, LOCK):
        rows = db.run(connection, "core/phone_keys").all()
    given = settings.phone_keys()
    if missing := _missing(rows, given):
        raise WrongKey(_what_to_do(rows, missing))
    if _of(given[0], rows) is None:
        _tell_waiting()
    return tuple(
        PhoneKey(secret, row.prefix)
        for row in rows
        if row.retired_at is None and (secret := _secret_of(row, given))
    )


def check(engine: Engine) -> None:
    """See that the keys that are given are those of the warehouse. Raises WrongKey."""
    with engine.begin() as connection:
        known(connection)


def note_aliases(
    connection: Connection, keys: Sequence[PhoneKey], rows: Iterable[tuple[str, str]]
) -> None:
    """Note which hashes, and which digests, are of one number: of each number in E.164, given with
    the hash that stands by it in the warehouse, also if it is of a key that nobody has any more.
    """
    groups: dict[str, set[str]] = {}
    digests: list[tuple[str, str]] = []
    for number, recorded in rows:
        hashes = numbers.hashes(number, tuple(keys))
        groups.setdefault(min(hashes), set()).update(hashes, [recorded])
        digests += permutations(numbers.digests(number), 2)
    pairs = [(name, one) for name, hashes in groups.items() for one in hashes if len(hashes) > 1]
    if pairs:
        db.run(
            connection,
            "core/add_aliases",
            names=[name for name, _ in pairs],
            phone_hashes=[one for _, one in pairs],
        )
    if digests:
        db.run(
            connection,
            "core/add_digests",
            digests=[one for one, _ in digests],
            alias_digests=[other for _, other in digests],
        )


# --- rotation -------------------------------------------------------------------------------------


@dataclass
class Rotation:
    """What a rotation has come to. removable: the keys that need not be given any more."""

    in_use: int
    removable: list[int] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """For a terminal."""
        return self.told


def is_under_way(engine: Engine) -> bool:
    """Whether a new key is given that is not in use yet, or whose numbers are not all noted."""
    given = settings.phone_keys()
    with engine.connect() as connection:
        rows = db.run(connection, "core/phone_keys").all()
    return bool(rows) and (rows[0].swept_at is None or _of(given[0], rows) is None)


def rotate(
    engine: Engine,
    policy: Policy,
    *,
    is_lost: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Rotation:
    """Take a new key that is given beside the former one into use, note every number on file under
    both, and find which former keys nothing rests on. Loads, senders and the link service may go on
    meanwhile. is_lost: those that are missing are lost for good, and are done without.

    Twice, and killed anywhere: the next run goes on, to the same end. Raises WrongKey.
    """
    now = wall_clock()
    _take_into_use(engine, now, is_lost=is_lost)
    _sweep(engine, now, say)
    return _retire(engine, policy, now)


def _take_into_use(engine: Engine, at: datetime, *, is_lost: bool) -> None:
    given = settings.phone_keys()
    with db.alone(engine, LOCK) as connection:
        rows = db.run(connection, "core/phone_keys").all()
        if not rows:
            _note(connection, _first(connection, given, is_lost=is_lost), at)
            rows = db.run(connection, "core/phone_keys").all()
        if missing := _missing(rows, given):
            if not is_lost:
                raise WrongKey(_what_to_do(rows, missing))
            db.run(connection, "core/lose_keys", key_ids=[row.key_id for row in missing], at=at)
        found = [row.key_id for row in rows if row.lost_at and _secret_of(row, given)]
        db.run(connection, "core/lose_keys", key_ids=found, at=None)
        today = _of(given[0], rows)
        if today is None:
            key_id = rows[0].key_id + 1
            _note(connection, [_Noted(key_id, f"{key_id}:", given[0], is_swept=False)], at)
        elif today.key_id != rows[0].key_id:
            raise WrongKey(
                f"{settings.secret_place('phones')} holds key {today.key_id}, which key "
                f"{rows[0].key_id} has followed. Put key {rows[0].key_id} there, or a new one, and "
                f"all that were used before into {settings.secret_place('phones_old')}."
            )


def _sweep(engine: Engine, at: datetime, say: Callable[[str], None]) -> None:
    """Note every number on file under the key in use: some in each transaction, onwards from where
    the last one ended. Whoever is loaded meanwhile is noted by the load.
    """
    done = 0
    while True:
        with engine.begin() as connection, db.exclusive(connection, "core"):
            keys = known(connection)
            newest = db.run(connection, "core/phone_keys").first()
            assert newest is not None
            if newest.swept_at is not None:
                return
            rows = db.run(
                connection,
                "core/phones_to_sweep",
                after_id=newest.swept_to,
                row_limit=NUMBERS_AT_ONCE,
            ).all()
            note_aliases(connection, keys, [(row.phone_e164, row.phone_hash) for row in rows])
            if not rows:
                # Numbers that somebody had before, as far as the sources' rows still say them.
                old = db.run(connection, "core/phones_of_resting", prefix=newest.prefix).all()
                note_aliases(connection, keys, [(row.phone, row.phone_hash) for row in old])
            db.run(
                connection,
                "core/note_sweep",
                key_id=newest.key_id,
                swept_to=rows[-1].contact_id if rows else newest.swept_to,
                at=None if rows else at,
            )
        done += len(rows)
        say(f"{done:,} numbers noted under key {newest.key_id}")


def _retire(engine: Engine, policy: Policy, at: datetime) -> Rotation:
    days = max(REPLIES_DAYS, policy.repeat_after_days, policy.gap_days)
    with db.alone(engine, LOCK) as connection:
        rows = db.run(connection, "core/phone_keys").all()
        resting = db.run(
            connection,
            "core/resting",
            prefix=rows[0].prefix,
            from_day=at.astimezone(policy.brand.zone).date() - timedelta(days=days),
        ).all()
        kept = {row.prefix for row in resting} | {rows[0].prefix}
        gone = [row.key_id for row in rows if row.prefix not in kept]
        db.run(connection, "core/retire_keys", key_ids=gone, at=at)
        rows = db.run(connection, "core/phone_keys").all()
    rotation = Rotation(rows[0].key_id, sorted(row.key_id for row in rows if row.retired_at))
    rotation.told.append(
        f"Key {rows[0].key_id}, {_since(rows[0])}, is in use. Every number on file is known under "
        "it."
    )
    place, given = settings.secret_place("phones_old"), settings.phone_keys()
    for row in rows[1:]:
        name, what = f"Key {row.key_id}, {_since(row)}", _told(row, rows[0], resting)
        is_given = _secret_of(row, given) is not None
        if row.retired_at and is_given:
            rotation.told.append(f"{name}: nothing rests on it. Take it out of {place}.")
        elif row.retired_at:
            rotation.told.append(f"{name}: nothing rests on it, and it is gone.")
        elif is_given:
            rotation.told.append(f"{name}: keep it in {place}. On it rest {what}.")
        else:
            rotation.told.append(f"{name}, is lost: {what} are not found any more.")
    return rotation


def _told(row: Any, newest: Any, resting: Sequence[Any]) -> str:
    said = [f"{one.numbers:,} {one.what}" for one in resting if one.prefix == row.prefix]
    if row.prefix == newest.prefix:
        return "hashes that cannot be told from those of the key in use (rotate once more)"
    return f"{', '.join(said)}, of numbers that nobody has any more"


# --- what the warehouse knows ---------------------------------------------------------------------


@dataclass(frozen=True)
class _Noted:
    """A key to note. secret: None of one that was lost before it was noted."""

    key_id: int
    prefix: str
    secret: str | None = field(repr=False)
    is_swept: bool


def _note_first(engine: Engine) -> None:
    """Note the key of a warehouse that knows none yet, in a transaction of its own."""
    try:
        with engine.begin() as connection, db.exclusive(connection, LOCK):
            if not db.run(connection, "core/phone_keys").all():
                given = settings.phone_keys()
                _note(connection, _first(connection, given, is_lost=False), wall_clock())
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != NOT_ALLOWED:
            raise
        raise WrongKey(
            "The warehouse knows no key of the phone numbers' hashes yet, and this login may not "
            "note one. Run reengage migrate first, as the warehouse's owner and with the same "
            "REENGAGE_SECRET_PHONES."
        ) from None


def _first(connection: Connection, given: Sequence[str], *, is_lost: bool) -> list[_Noted]:
    """The keys of a warehouse from before they were noted: those that made the hashes that stand by
    some contacts' numbers; of an empty one today's. Their hashes cannot be told apart by what they
    begin with.
    """
    rows = db.run(connection, "core/some_numbers", row_limit=SAMPLE).all()
    made = [
        {
            place
            for place, key in enumerate(given)
            if phone_hash(row.phone_e164, key) == row.phone_hash
        }
        for row in rows
    ]
    strange = sum(not places for places in made)
    used = sorted({min(places) for places in made if places}, reverse=True)
    if strange and not is_lost:
        raise WrongKey(
            f"{settings.secret_place('phones')} holds another key than the one that the phone "
            f"numbers in this warehouse are hashed with ({strange} of {len(rows)} that were looked "
            f"at): stops would not be found. {_restore()}"
        )
    noted = [given[one] for one in used or ([] if strange else [0])]
    made_by: list[str | None] = [*([None] if strange else []), *noted]
    return [
        _Noted(place, "", key, is_swept=len(made_by) == 1) for place, key in enumerate(made_by, 1)
    ]


def _note(connection: Connection, noted: Iterable[_Noted], at: datetime) -> None:
    for one in noted:
        salt = secrets.token_hex(16) if one.secret else None
        db.run(
            connection,
            "core/note_key",
            key_id=one.key_id,
            prefix=one.prefix,
            salt=salt,
            fingerprint=_fingerprint(one.secret, salt) if one.secret and salt else None,
            at=at,
            is_swept=one.is_swept,
        )


@cache
def _fingerprint(secret: str, salt: str) -> str:
    return hashlib.scrypt(secret.encode(), salt=bytes.fromhex(salt), **SCRYPT).hex()


def _secret_of(row: Any, given: Sequence[str]) -> str | None:
    """The given key that a row of core.phone_key is of."""
    if row.fingerprint is None:
        return None
    return next((key for key in given if _fingerprint(key, row.salt) == row.fingerprint), None)


def _of(key: str, rows: Sequence[Any]) -> Any:
    """The row of core.phone_key that a given key is of, or None."""
    return next((row for row in rows if _secret_of(row, [key])), None)


def _missing(rows: Sequence[Any], given: Sequence[str]) -> list[Any]:
    return [
        row
        for row in rows
        if row.lost_at is None and row.retired_at is None and _secret_of(row, given) is None
    ]


def _what_to_do(rows: Sequence[Any], missing: Sequence[Any]) -> str:
    names = " and ".join(f"key {row.key_id} ({_since(row)})" for row in reversed(missing))
    if missing[0].key_id == rows[0].key_id:
        return (
            f"{settings.secret_place('phones')} holds another key than the one that the phone "
            f"numbers in this warehouse are hashed with, {names}: stops would not be found. "
            f"{_restore()}"
        )
    return (
        f"The phone numbers in this warehouse are also hashed with {names}, which "
        f"{settings.secret_place('phones_old')} must still hold: stops rest on it. Put it back; "
        "make rotate-key says when it may go. If it is lost for good: make rotate-key LOST=yes."
    )


def _restore() -> str:
    return (
        "Put the former key back. To have a new one from now on, give both: the new one there, the "
        f"former in {settings.secret_place('phones_old')}, and type make rotate-key. If the former "
        "is lost for good: make rotate-key LOST=yes says which stops are lost with it."
    )


def _since(row: Any) -> str:
    return f"noted on {row.noted_at:%Y-%m-%d}"


@cache
def _tell_waiting() -> None:
    log.warning(
        "%s holds a new key; the former one is used until make rotate-key takes it into use",
        settings.secret_place("phones"),
    )
