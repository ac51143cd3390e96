"""One digest for a JSON value, wherever it was kept."""

import hashlib
from typing import Any

import pytest

from kit.json_digest import sha256_of


def test_is_of_plain_json_that_anybody_can_write() -> None:
    written = '{"a":[1,0.5,null,true],"name":"Müller \\"A\\""}'

    assert (
        sha256_of({"name": 'Müller "A"', "a": [1.0, 0.5, None, True]}) == hashlib.sha256(written.encode()).hexdigest()
    )


@pytest.mark.parametrize(
    ("one", "as_kept"),
    [
        pytest.param({"b": 1, "a": {"d": 2, "c": 3}}, {"a": {"c": 3, "d": 2}, "b": 1}, id="keys in another order"),
        pytest.param(12.0, 12, id="a lone whole number"),
        pytest.param([-0.0], [0.0], id="no negative nought"),
        pytest.param([1e22, 1.2345678901234567e18], [10**22, 1234567890123456800], id="digits of large ones"),
        pytest.param([1e308], [10**308], id="the largest"),
    ],
)
def test_is_the_same_however_the_value_was_kept(one: Any, as_kept: Any) -> None:
    assert sha256_of(one) == sha256_of(as_kept)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, "1"),
        (1, True),
        (None, {}),
        ([1, 2], [2, 1]),
        (0.1, 0.10000000000000002),
        ({"a": None}, {}),
        (2**60, 2**60 + 1),
    ],
)
def test_tells_one_value_from_another(one: Any, other: Any) -> None:
    assert sha256_of(one) != sha256_of(other)
