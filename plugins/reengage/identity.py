"""Who is one person, from what cards say: pure functions of numbers, in time linear in the links.

Nodes are cards and the ids that they name; a link says that two nodes may be one person. What must
not happen is that two cards of one source become one person: they are two people, whatever they
share, and whatever is shared by both is neither's.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping

Link = tuple[int, int]


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


def people(
    cards: Mapping[int, str], ids: Iterable[Link], phones: Iterable[tuple[int, int, bool]],
    emails: Iterable[tuple[int, int, bool]],
) -> Groups:  # fmt: skip
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


def _link(groups: Groups, cards: Mapping[int, str], links: list[Link]) -> set[int]:
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

    sources: defaultdict[int, set[str]] = defaultdict(set)  # of the cards in a group
    for card, source in cards.items():
        if (group := groups.of(card)) in linked:
            sources[group].add(source)
    seen: defaultdict[int, set[str]] = defaultdict(set)
    twice: defaultdict[int, set[str]] = defaultdict(set)
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
