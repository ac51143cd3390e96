from typing import Any

import pytest

from evidence.comparing import ComparisonConfig, Kind, compare, storable


def stored(output: Any, human_output: Any, *rules: dict[str, Any]) -> list[dict[str, Any]]:
    """The differences that would be kept."""
    config = ComparisonConfig.parse({"clean": list(rules)})
    found = compare(output, human_output, config)
    kept = storable(found, config)
    assert (kept.kind, kept.severity, kept.score) == (found.kind, found.severity, found.score)
    return [
        {name: one[name] for name in ("path", "expected", "actual", "words")} for one in kept.to_dict()["differences"]
    ]


REDACT = {"path": "/iban", "redact": True}


@pytest.mark.parametrize(
    ("output", "human_output", "rule", "expected", "actual"),
    [
        pytest.param({"iban": "DE11"}, {"iban": "DE22"}, REDACT, "[redacted]", "[redacted]", id="a field"),
        pytest.param({"iban": "DE11"}, {}, REDACT, None, "[redacted]", id="of the agent only"),
        pytest.param({}, {"iban": "DE22"}, REDACT, "[redacted]", None, id="of the human only"),
        pytest.param({"a": {"iban": "DE11"}}, {}, {"path": "/a/iban", "remove": True}, None, {},
                     id="deeper in what differs"),
        pytest.param({"a": {"b": "DE11"}}, {"a": {"b": "DE22"}}, {"path": "/a", "redact": "gone"}, "gone", "gone",
                     id="around what differs"),
        pytest.param({"a": {"b": "DE11"}}, {"a": {"b": "DE22"}}, {"path": "/a", "remove": True}, None, None,
                     id="removed around what differs"),
        pytest.param(["DE11"], ["DE22"], {"path": "/*", "redact": True}, "[redacted]", "[redacted]", id="any place"),
        pytest.param("DE11", "DE22", {"path": "", "redact": True}, "[redacted]", "[redacted]", id="the whole"),
        pytest.param({"a/b": "DE11"}, {"a/b": "DE22"}, {"path": "/a~1b", "redact": True}, "[redacted]", "[redacted]",
                     id="a name with a slash"),
        pytest.param({"a": 1.234}, {"a": 5.678}, {"path": "/a", "round": 1}, 5.7, 1.2, id="rounded"),
    ],
)  # fmt: skip
def test_what_is_kept_of_a_difference_is_cleaned_with_its_words(
    output: Any, human_output: Any, rule: dict[str, Any], expected: Any, actual: Any
) -> None:
    [found] = stored(output, human_output, rule)

    assert (found["expected"], found["actual"]) == (expected, actual)
    assert "DE" not in str(found)
    assert "cleaned" in found["words"]


def test_what_is_cleaned_still_differs() -> None:
    config = ComparisonConfig.parse({"clean": [REDACT]})

    kept = storable(compare({"iban": "DE11"}, {"iban": "DE22"}, config), config)

    assert (kept.kind, len(kept.differences)) == (Kind.DIFFERENT, 1)


@pytest.mark.parametrize(
    "rule",
    [{"path": "/other", "redact": True}, {"path": "/a/b/c", "redact": True}, {"path": "/a", "strip": True}],
    ids=["another field", "deeper than there is", "white space of what holds it"],
)
def test_other_differences_stay_as_they_are(rule: dict[str, Any]) -> None:
    pair = ({"a": {"b": " x "}}, {"a": {"b": "y"}})

    assert stored(*pair, rule) == stored(*pair)
