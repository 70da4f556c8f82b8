"""What of a source's YAML its rows ever answered to: a rule that nothing matches is told.

A file is judged by its names at once (records.py). Here it is about what a file may leave out or
say otherwise without being wrong: a key of JSON that only some rows have, a word of `exclude`, a
value of `kind`. One small file proves nothing, and a rule that matched before is no news: so what
was ever seen is kept in raw.seen, a few words a source, and a load is compared with that rather
than with the whole of raw. Told are, while a load has rows:

- a rule of `exclude` or `kind` none of whose words was ever said, with what is said there instead;
  a single word that was not, and a column that never had a value, once after the YAML was changed
  (each time where the column guards: a withdrawal, an exclusion);
- a column that had values and has none in all of many rows;
- a key that is gone while keys have come that were never there: it may have been renamed;
- a word that comes for the first time where a rule looks, and that no rule names.
"""

import re
from collections.abc import Iterable
from contextlib import suppress

from sqlalchemy.engine import Connection

from reengage import db
from reengage.ingest.sources import KindColumn, Source
from reengage.ingest.sources.conditions import LONGEST_WORD, NOTHING, Rule, folded
from reengage.ingest.sources.numerals import BadValue

MOST_VALUES = 50  # distinct ones: of more, they are no words of a list, and are not told
MOST_SPELLINGS = 1000  # of values that are words of the YAML
MOST_TOLD = 12
# From so many rows on, a column that had values and has none any more is told: fewer may be without
# by chance.
MANY_ROWS = 200
# In which most rows have nothing.
SPARSE = {"coupon_code", "withdrawn_at", "exclude"}
# What may be told of a value: a short word. Of columns that are somebody's, none is.
WORD = re.compile(r"[^\W_][\w .,/&()'-]{0,29}")
NOT_PERSONAL = {
    "exclude",
    "kind",
    "currency",
    "country",
    "language",
    "channel",
    "purpose",
    "basis",
    "lifecycle_class",
    "category",
    "available",
}


class Seen:
    """What the rows of one file, or of several, said where the YAML looks."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.unfilled = [*source.all_columns]
        self.names: set[str] = set()
        self.tallies: dict[str, dict[str, int]] = {column: {} for column in source.value_rules}
        self._words = {
            column: {*map(folded, words)} for column, words in source.value_rules.items()
        }
        self._rules = {column: source.rule(column) for column in source.exclude}
        # The conditions that are no plain words, until a value fulfils them.
        self.unfulfilled = {column: rule.patterns for column, rule in self._rules.items()}
        self._has_patterns = any(self.unfulfilled.values())
        self.rows = 0

    def __call__(self, record: dict[str, str | None]) -> None:
        """Look at one row."""
        self.rows += 1
        if self.unfilled:
            self.unfilled = [c for c in self.unfilled if (record[c] or "").strip() in NOTHING]
        for column, tally in self.tallies.items():
            value = (record[column] or "").strip()
            if len(value) > LONGEST_WORD:
                value = value[:LONGEST_WORD]
            self._count(column, value, 1, tally)
            if self._has_patterns and self.unfulfilled.get(column):
                self._fulfil(column, value)

    def _fulfil(self, column: str, value: str) -> None:
        left = self.unfulfilled[column]
        with suppress(BadValue):  # told with its row
            self.unfulfilled[column] = left - self._rules[column].fulfilled(value, left)

    def _count(self, column: str, value: str, rows: int, tally: dict[str, int]) -> None:
        known = tally.get(value)
        if known is not None:
            tally[value] = known + rows
        elif len(tally) <= MOST_VALUES or (
            len(tally) < MOST_SPELLINGS and folded(value) in self._words[column]
        ):
            tally[value] = rows

    def add(self, other: "Seen") -> None:
        """Count another's rows too."""
        self.rows += other.rows
        self.unfilled = [column for column in self.unfilled if column in other.unfilled]
        for column, left in other.unfulfilled.items():
            self.unfulfilled[column] &= left
        for column, tally in other.tallies.items():
            for value, rows in tally.items():
                self._count(column, value, rows, self.tallies[column])

    def _facts(self) -> list[tuple[str, str, str]]:
        """(name | filled | value, column, value), without what is somebody's."""
        filled = [column for column in self.source.all_columns if column not in self.unfilled]
        found = [("name", name, "") for name in sorted(self.names) if _is_word(name, 60)]
        found += [("filled", column, "") for column in filled]
        for column in self.tallies:
            words = {
                value for value in self.tallies[column] if folded(value) in self._words[column]
            }
            words |= {value for value, _ in self.said(column)}
            if column in self._rules:
                words |= self._rules[column].patterns - self.unfulfilled[column]
            found += [("value", column, value) for value in sorted(words)]
        return found

    def said(self, column: str) -> list[tuple[str, int]]:
        """A column's values with their rows, the most frequent first; none where they may be
        somebody's, or are too many to be words of a list.
        """
        tally = self.tallies[column]
        if len(tally) > MOST_VALUES or not {*self.source.uses_of(column)} <= NOT_PERSONAL:
            return []
        words = [(value, rows) for value, rows in tally.items() if _is_word(value, 30)]
        return sorted(words, key=lambda word: (-word[1], word[0]))

    def keep(self, connection: Connection, load_id: int) -> None:
        """Add it to what was ever seen of the source. Twice: nothing new."""
        facts = self._facts()
        db.run(
            connection,
            "raw/see",
            source=self.source.source,
            entity=self.source.entity,
            load_id=load_id,
            what=[fact[0] for fact in facts],
            names=[fact[1] for fact in facts],
            values=[fact[2] for fact in facts],
        )


class Past:
    """What was ever seen of a source, and what of it before the loads that are not finished."""

    def __init__(self, connection: Connection, source: Source) -> None:
        self.source = source
        who = {"source": source.source, "entity": source.entity}
        rows = db.run(connection, "raw/seen", **who).all()
        self.ever = {(row.what, row.name, row.value) for row in rows}
        self.before = {(row.what, row.name, row.value) for row in rows if row.is_before}

    def renamed(self, absent: Iterable[str], names: set[str]) -> list[str]:
        """Of the keys that a file lacks, those that earlier ones had, where it has keys that none
        of them had.
        """
        known = {name for what, name, _ in self.ever if what == "name"}
        gone = [name for name in absent if name in known]
        come = sorted(name for name in names - known if _is_word(name, 60))[:MOST_TOLD]
        return [
            f"no row has the key {name} ({', '.join(self.source.uses_of(name))}) any more, and "
            f"{', '.join(come)} {'are' if len(come) > 1 else 'is'} new: was it renamed?"
            for name in gone
            if come
        ]

    def missed(self, absent: Iterable[str], withdrawing: list[str]) -> str | None:
        """Why a file of consents cannot be taken, as who has withdrawn in it may stand under a key
        that the YAML does not name; None where its key may be left out as it should be.
        """
        known = {name for what, name, _ in self.ever if what == "name"}
        for name in absent:
            uses = self.source.uses_of(name)
            may_be = [one for one in withdrawing if name not in known or one not in known]
            if may_be and {*uses} & {"withdrawn_at", "exclude"}:
                return (
                    f"no row has the key {name} ({', '.join(uses)}), and "
                    f"{' or '.join(may_be[:MOST_TOLD])} may say who has withdrawn. Mend the "
                    "source's YAML or the file."
                )
        return None

    def unmatched(self, seen: Seen, *, is_new_mapping: bool) -> list[str]:
        """The rules that nothing ever matched, with what `seen` says instead, and its new words."""
        source, told = self.source, []
        filled = {name for what, name, _ in self.ever if what == "filled"}
        for column in source.all_columns:
            if column not in filled and (is_new_mapping or column in source.guarding_columns):
                uses = ", ".join(source.uses_of(column))
                told.append(f"no row ever had a value in {column} ({uses}): is it called so?")
        gone = [
            column
            for column in seen.unfilled
            if seen.rows >= MANY_ROWS and not {*source.uses_of(column)} <= SPARSE
        ]
        before = {name for what, name, _ in self.before if what == "filled"}
        told += [
            f"none of the {seen.rows:,} rows has a value in {column} "
            f"({', '.join(source.uses_of(column))}), and earlier ones had"
            for column in gone
            if column in before
        ]
        for column in source.value_rules:
            if column in filled:
                told += self._words(seen, column, is_new_mapping=is_new_mapping)
        return told

    def _words(self, seen: Seen, column: str, *, is_new_mapping: bool) -> list[str]:
        source, told = self.source, []
        known = {
            folded(value) for what, name, value in self.ever if (what, name) == ("value", column)
        }
        excluded = [*map(str, source.exclude.get(column, ()))]
        rules: list[tuple[str, Iterable[str]]] = [("exclude", excluded)]
        if isinstance(source.kind, KindColumn) and source.kind.column == column:
            rules.append(("kind", source.kind.map))
        said = [f"{value} ({rows:,})" for value, rows in seen.said(column)[:MOST_TOLD]]
        instead = f"; it says {', '.join(said)}" if said else ""
        for rule, words in rules:
            never = [word for word in words if folded(word) not in known]
            if never and (is_new_mapping or len(never) == len([*words])):
                told.append(f"{rule}: {column} was never {' or '.join(never)}{instead}")
        before = {
            folded(value) for what, name, value in self.before if (what, name) == ("value", column)
        }
        named = {*map(folded, source.value_rules[column])}
        is_kind, excludes = rules[-1][0] == "kind", source.rule(column)
        # Numbers that are compared are no words.
        has_words = is_kind or any(isinstance(one, str) for one in source.exclude.get(column, ()))
        new = [
            f"{value} ({rows:,} rows)"
            for value, rows in (seen.said(column) if has_words else ())
            if folded(value) not in before | named and not _fulfils(excludes, value)
        ][:MOST_TOLD]
        if new and (before or (is_kind and not told)):
            told.append(
                f"{column} says {', '.join(new)} for the first time"
                + (": `map` does not name it, so it is left out" if is_kind else ": is it a fact?")
            )
        return told


def _fulfils(rule: Rule, value: str) -> bool:
    try:
        return rule(value)
    except BadValue:
        return False


def _is_word(text: str, longest: int) -> bool:
    return len(text) <= longest and bool(WORD.match(text)) and db.redact(text) == text
