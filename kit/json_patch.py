"""
How one JSON value becomes another, as an RFC 6902 JSON Patch: operations that any JSON Patch library applies.

Equal is what RFC 6902 calls equal: 1 and 1.0 are one number, true is none, the order of keys says nothing.
"""

from typing import Any

Operation = dict[str, Any]


def diff(before: Any, after: Any) -> list[Operation]:
    """
    The operations, in the order in which they are applied; none where both are equal.

    Of lists, what both begin and end with is left alone; elements in between are compared place by place. So a patch is
    short where one thing was changed, put in or taken out, and right in every case.
    """
    operations: list[Operation] = []
    _diff(before, after, "", operations)
    return operations


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def _diff(before: Any, after: Any, path: str, operations: list[Operation]) -> None:
    if isinstance(before, dict) and isinstance(after, dict):
        _diff_objects(before, after, path, operations)
    elif isinstance(before, list) and isinstance(after, list):
        _diff_lists(before, after, path, operations)
    elif not equal(before, after):
        operations.append({"op": "replace", "path": path, "value": after})


def _diff_objects(before: dict[str, Any], after: dict[str, Any], path: str, operations: list[Operation]) -> None:
    for key, value in before.items():
        place = f"{path}/{_escaped(key)}"
        if key in after:
            _diff(value, after[key], place, operations)
        else:
            operations.append({"op": "remove", "path": place})
    operations += [
        {"op": "add", "path": f"{path}/{_escaped(key)}", "value": value}
        for key, value in after.items()
        if key not in before
    ]


def _diff_lists(before: list[Any], after: list[Any], path: str, operations: list[Operation]) -> None:
    shorter = min(len(before), len(after))
    first = next((n for n in range(shorter) if not equal(before[n], after[n])), shorter)
    behind = next((n for n in range(shorter - first) if not equal(before[-1 - n], after[-1 - n])), shorter - first)
    old, new = before[first : len(before) - behind], after[first : len(after) - behind]
    both = min(len(old), len(new))
    for n in range(both):
        _diff(old[n], new[n], f"{path}/{first + n}", operations)
    gone = reversed(range(both, len(old)))  # from the end, so that no place moves before its turn
    operations += [{"op": "remove", "path": f"{path}/{first + n}"} for n in gone]
    come = range(both, len(new))
    operations += [{"op": "add", "path": f"{path}/{first + n}", "value": new[n]} for n in come]


def _escaped(key: str) -> str:
    """As a part of a JSON pointer, RFC 6901."""
    return key.replace("~", "~0").replace("/", "~1")
