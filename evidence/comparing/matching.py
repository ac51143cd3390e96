"""Which member of one list belongs to which of the other: by place, by key, or in any order."""

from collections import defaultdict
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeAlias

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from evidence.comparing.comparators import Mismatch, differ, fingerprint, normal_text, same
from evidence.comparing.result import shown
from evidence.comparing.rules import SetRule, TextRule

LONGEST_UNORDERED = 200
"""Members, where each has to be held against each; beyond that a key is needed."""


class Missing:
    """Stands where one side has nothing; JSON's null is something."""


MISSING: Final = Missing()

Member: TypeAlias = tuple[str, Any, Any]
"""Place or name, what the agent has there, what the human has there."""


def by_place(actual: list[Any], expected: list[Any]) -> list[Member]:
    both = [(str(place), one, other) for place, (one, other) in enumerate(zip(actual, expected, strict=False))]
    shared = len(both)
    extra: list[Member] = [(str(shared + i), item, MISSING) for i, item in enumerate(actual[shared:])]
    missing: list[Member] = [(str(shared + i), MISSING, item) for i, item in enumerate(expected[shared:])]
    return both + extra + missing


def by_key(names: list[str], actual: list[Any], expected: list[Any]) -> list[Member]:
    """Members with the same key belong together, in their order where a key comes more than once."""

    def key(item: Any) -> Hashable:
        return fingerprint([item.get(name) for name in names] if isinstance(item, dict) else item)

    return _paired(actual, expected, key)


def in_any_order_exactly(actual: list[Any], expected: list[Any]) -> list[Member]:
    return _paired(actual, expected, fingerprint)


def _paired(actual: list[Any], expected: list[Any], key: Callable[[Any], Hashable]) -> list[Member]:
    waiting: dict[Hashable, list[int]] = defaultdict(list)
    for place in reversed(range(len(expected))):
        waiting[key(expected[place])].append(place)
    partners = []
    for item in actual:
        places = waiting.get(key(item))
        partners.append(places.pop() if places else -1)
    return _joined(actual, expected, partners)


def in_any_order(
    actual: list[Any], expected: list[Any], alike: Callable[[int, Any, Any], bool]
) -> list[Member] | Mismatch:
    """As many pairs of equal members as there can be.

    Equality with a tolerance is not transitive, so taking the first partner that fits could leave another without.
    """
    if max(len(actual), len(expected)) > LONGEST_UNORDERED:
        words = f"more than {LONGEST_UNORDERED} members in any order: name the field that tells them apart (by)"
        return Mismatch("error", words)
    if not actual or not expected:
        return by_place(actual, expected)
    fits = [[alike(place, one, other) for other in expected] for place, one in enumerate(actual)]
    partners = maximum_bipartite_matching(csr_array(np.array(fits, dtype=np.int8)), perm_type="column")
    return _joined(actual, expected, partners.tolist())


def _joined(actual: list[Any], expected: list[Any], partners: list[int]) -> list[Member]:
    """`partners` has the human's place for every one of the agent's, -1 for none."""
    taken = set(partners)
    members: list[Member] = [
        (str(place), item, expected[partner] if partner >= 0 else MISSING)
        for place, (item, partner) in enumerate(zip(actual, partners, strict=True))
    ]
    return members + [(str(i), MISSING, item) for i, item in enumerate(expected) if i not in taken]


_PLAIN_TEXT = TextRule(compare="text")


def compare_set(rule: SetRule, actual: Any, expected: Any) -> Mismatch | None:
    if not (isinstance(actual, list) and isinstance(expected, list)):
        return None if same(actual, expected) else differ(actual, expected, "type", "not both lists")

    def form(item: Any) -> Hashable:
        text = rule.items == "text" and isinstance(item, str)
        return fingerprint(normal_text(_PLAIN_TEXT, item) if text else item)

    agent, human = {form(item): item for item in actual}, {form(item): item for item in expected}
    extra = [item for key, item in agent.items() if key not in human]
    missing = [item for key, item in human.items() if key not in agent]
    words = []
    if missing and rule.missing != "ignore":
        words.append(f"the agent's output lacks {shown(missing)}")
    if extra and rule.extra != "ignore":
        words.append(f"only the agent's output has {shown(extra)}")
    return Mismatch("value", ", ".join(words)) if words else None
