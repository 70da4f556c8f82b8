"""Who is one person, from what cards say: pure functions of numbers, in time linear in the links.

Nodes are cards and the ids that they name; a link says that two nodes may be one person. What must
not happen is that two cards of one source become one person: they are two people, whatever they
share, and whatever is shared by both is neither's.
"""

from array import array
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

Link = tuple[int, int]

# Links that are looked at together: those of a person are never apart, and memory stays flat.
BATCH = 50_000


class Groups:
    """Disjoint sets of nodes. A node that was never joined is a group of its own."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}
        self._size: dict[int, int] = {}

    def of(self, node: int) -> int:
        """The node that names the group of a node."""
        parent = self._parent
        top = node
        while (above := parent.get(top, top)) != top:
            top = above
        while (above := parent.get(node, node)) != top:
            parent[node] = top
            node = above
        return top

    def join(self, one: int, other: int) -> None:
        one, other = self.of(one), self.of(other)
        if one == other:
            return
        if self._size.get(one, 1) < self._size.get(other, 1):
            one, other = other, one
        self._parent[other] = one
        self._size[one] = self._size.get(one, 1) + self._size.get(other, 1)


class Kin:
    """Cards and ids by number (from 1), and what links them, gathered as it comes: of millions, so
    kept as numbers alone.
    """

    def __init__(self) -> None:
        self._sources: dict[str, int] = {}
        self._cards = array("i")  # card and source in turn
        self._links = {by: array("i") for by in ("id", "phone", "email")}  # three numbers each

    def add_cards(self, rows: Iterable[tuple[int, str]]) -> None:
        """Cards, each with its source."""
        known = self._sources
        for card, source in rows:
            self._cards.extend((card, known.setdefault(source, len(known) + 1)))

    def add_links(self, rows: Iterable[tuple[str, int, int, bool]]) -> None:
        """What links them: by "id", "phone" or "email"; who, and the rest as for `people`."""
        for by, card, other, is_verified in rows:
            self._links[by].extend((card, other, is_verified))

    def persons(self, nodes: int) -> Any:
        """Who is one person, as `people` says it: an array of the number of each one's person.

        nodes: the highest number of a card or id.
        """
        import numpy as np
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        links = {
            by: np.frombuffer(found, np.int32).reshape(-1, 3) if found else np.empty((0, 3), int)
            for by, found in self._links.items()
        }
        persons, sources = np.arange(nodes + 1), np.zeros(nodes + 1, np.int32)
        cards = np.frombuffer(self._cards, np.int32).reshape(-1, 2)
        sources[cards[:, 0]] = cards[:, 1]
        ends = np.concatenate([found[:, :2] for found in links.values()])
        size = int(nodes + 1 - min(ends.min(initial=0), 0))
        # Values are counted from below 0: behind the nodes here.
        ends = np.where(ends < 0, nodes - ends, ends)
        graph = coo_array((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), (size, size))
        _, together = connected_components(graph, directed=False)
        # By what hangs together: several of them make a batch, none of them two.
        order = {
            by: found[np.argsort(together[found[:, 0]], kind="stable")]
            for by, found in links.items()
        }
        keys = {by: together[found[:, 0]] for by, found in order.items()}
        counted = np.cumsum(np.bincount(together[ends[:, 0]], minlength=1))
        begin = 0
        while begin < len(counted):
            before = counted[begin - 1] if begin else 0
            end = max(int(np.searchsorted(counted, before + BATCH, "right")), begin + 1)
            batch = {
                by: found[slice(*np.searchsorted(keys[by], (begin, end)))].tolist()
                for by, found in order.items()
            }
            whose = {node for found in batch.values() for link in found for node in link[:2]}
            linked = sorted(node for node in whose if node > 0)
            groups = people(
                {
                    n: source
                    for n, source in zip(linked, sources[linked].tolist(), strict=True)
                    if source
                },
                [(card, held) for card, held, _ in batch["id"]],
                batch["phone"],
                batch["email"],
            )
            persons[linked] = [groups.of(node) for node in linked]
            begin = end
        return persons


def people(
    cards: Mapping[int, Hashable],
    ids: Iterable[Link],
    phones: Iterable[tuple[int, int, bool]],
    emails: Iterable[tuple[int, int, bool]],
) -> Groups:
    """Who is one person.

    cards: the source of each card. ids: a card and an id (or another source's card) that it names.
    phones, emails: a card, a number for what it says (below 0), and whether its source has verified
    it; of a value that nobody has verified, nothing is given.

    Within a source only an equal verified phone makes one person of two cards. Between sources an
    explicit id counts first, then a phone, then an email. What several share by a stronger one, a
    weaker one gives to nobody.
    """
    phones = list(phones)
    groups = Groups()
    first: dict[Hashable, int] = {}
    for card, phone, is_verified in phones:
        if is_verified:
            groups.join(card, first.setdefault((cards[card], phone), card))
    shared: set[int] = set()
    for links in (
        ids,
        ((card, value) for card, value, _ in phones),
        ((card, value) for card, value, _ in emails),
    ):
        shared |= _link(groups, cards, [link for link in links if groups.of(link[0]) not in shared])
    return groups


def _link(groups: Groups, cards: Mapping[int, Hashable], links: list[Link]) -> set[int]:
    """Join what the links say is one person, as far as it leaves each source's persons apart.

    Where links would bring two persons of a source together, the persons of that source are taken
    out: what then still hangs together is one, and belongs to a person who was taken out if it has
    to do with this one alone. What has to do with several is nobody's: it is returned.
    """
    links = [(groups.of(one), groups.of(other)) for one, other in links]
    whole = Groups()
    for one, other in links:
        whole.join(one, other)
    linked = {node for link in links for node in link}

    sources: defaultdict[int, set[Hashable]] = defaultdict(set)  # of the cards in a group
    for card, source in cards.items():
        if (group := groups.of(card)) in linked:
            sources[group].add(source)
    seen: defaultdict[int, set[Hashable]] = defaultdict(set)
    twice: defaultdict[int, set[Hashable]] = defaultdict(set)
    for group, theirs in sources.items():
        top = whole.of(group)
        twice[top] |= seen[top] & theirs
        seen[top] |= theirs
    apart = {group for group, theirs in sources.items() if theirs & twice[whole.of(group)]}

    pieces = Groups()
    for one, other in links:
        if one not in apart and other not in apart:
            pieces.join(one, other)
    persons: defaultdict[int, set[int]] = defaultdict(set)  # taken out, that a piece has to do with
    for one, other in links:
        if (one in apart) != (other in apart):
            person, piece = (one, other) if one in apart else (other, one)
            persons[pieces.of(piece)].add(person)
    for node in linked - apart:
        piece = pieces.of(node)
        groups.join(node, piece)
        if len(persons[piece]) == 1:
            groups.join(piece, *persons[piece])
    return {groups.of(piece) for piece, theirs in persons.items() if len(theirs) > 1}
