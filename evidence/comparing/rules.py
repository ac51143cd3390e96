"""How one field is compared: the rules that an owner may write, each with its options."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from evidence.comparing.paths import parse_path
from evidence.comparing.result import Severity

Presence: TypeAlias = Literal["minor", "major", "severe", "ignore"]


class Strict(BaseModel):
    """An option with a typing error is refused, never passed over."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class _Rule(Strict):
    weight: float = Field(default=1.0, gt=0.0)
    """Of this field among its neighbours in the score."""
    severity: Severity | None = Field(default=None, strict=False)
    """Of a difference here; that of the nearest rule above when none is given, `major` at the top."""


class ExactRule(_Rule):
    """The same JSON value: 1 is 1.0, true is not 1, NaN is not even itself."""

    compare: Literal["exact"]


class _TextOptions(Strict):
    ignore_case: bool = True
    ignore_whitespace: bool = True
    ignore_punctuation: bool = False


class TextRule(_Rule, _TextOptions):
    """Text after Unicode compatibility forms (NFKC), letter case and runs of white space are made the same."""

    compare: Literal["text"]


class FuzzyRule(_Rule, _TextOptions):
    """Text that is alike to at least `threshold`, after the same normal form as `text`."""

    compare: Literal["fuzzy"]
    threshold: float = Field(ge=0.0, le=1.0)
    method: Literal["ratio", "token_sort", "token_set"] = "ratio"


class NumberRule(_Rule):
    """Numbers within `absolute`, or within `relative` times the larger of the two."""

    compare: Literal["number"]
    absolute: float = Field(default=0.0, ge=0.0)
    relative: float = Field(default=0.0, ge=0.0, lt=1.0)
    strings: bool = False
    """Whether text such as "10,487.60" is read as a number."""
    decimal: Literal[".", ","] = "."
    symbols: list[Annotated[str, Field(min_length=1)]] = []
    """What may stand before or after a number in text, such as a currency."""


class DateRule(_Rule):
    """Dates in ISO 8601 or one of `formats`; by calendar day in `timezone`, or by the moment."""

    compare: Literal["date"]
    formats: list[str] = []
    """For `strptime`, tried in this order after ISO 8601."""
    timezone: str = "UTC"
    """Of values that name none, and the one whose calendar day counts."""
    precision: Literal["day", "moment"] = "day"
    days: float = Field(default=0.0, ge=0.0)

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"no time zone is called {name!r}") from error
        return name

    @field_validator("formats")
    @classmethod
    def _readable(cls, formats: list[str]) -> list[str]:
        for form in formats:
            sample = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
            try:
                read = datetime.strptime(sample.strftime(form), form).replace(tzinfo=UTC)
            except ValueError as error:
                raise ValueError(f"{form!r} is not a date format: {error}") from error
            if read.date() != sample.date():
                raise ValueError(f"{form!r} does not hold year, month and day")
        return formats


class CustomRule(_Rule):
    """A comparator that somebody installed under the entry point group `phasegate.comparators`."""

    compare: Literal["custom"]
    name: str = Field(min_length=1)
    options: dict[str, Any] = {}


class _Members(_Rule):
    """What one side alone has, where that field or place has no rule of its own."""

    missing: Presence | None = None
    """Severity of what only the human output has, or `ignore`."""
    extra: Presence | None = None
    """Severity of what only the agent's output has, or `ignore`."""


class SetRule(_Rule):
    """Lists in which neither order nor repetition matters."""

    compare: Literal["set"]
    missing: Literal["differ", "ignore"] = "differ"
    extra: Literal["differ", "ignore"] = "differ"
    items: Literal["exact", "text"] = "exact"


class JsonRule(_Members):
    """Field by field, place by place; what has no rule of its own is compared by `leaves`."""

    compare: Literal["json"]
    leaves: "LeafRule" = ExactRule(compare="exact")
    null_is_missing: bool = False


class ListRule(_Members):
    """Lists by place, in any order, or matched by the fields named in `by`."""

    compare: Literal["list"]
    order: Literal["same", "any"] = "same"
    by: list[str] = []
    items: "Rule | None" = None
    """Of every member; as in the rest of the output when none is given."""

    @field_validator("by", mode="before")
    @classmethod
    def _one_name(cls, by: Any) -> Any:
        return [by] if isinstance(by, str) else by


def _written_short(rule: Any) -> Any:
    """`exact` is short for `{compare: exact}`."""
    return {"compare": rule} if isinstance(rule, str) else rule


LeafRule: TypeAlias = Annotated[
    ExactRule | TextRule | FuzzyRule | NumberRule | DateRule | CustomRule,
    Field(discriminator="compare"),
    BeforeValidator(_written_short),
]
Rule: TypeAlias = Annotated[
    ExactRule | TextRule | FuzzyRule | NumberRule | DateRule | CustomRule | SetRule | JsonRule | ListRule,
    Field(discriminator="compare"),
    BeforeValidator(_written_short),
]
AnyRule: TypeAlias = (
    ExactRule | TextRule | FuzzyRule | NumberRule | DateRule | CustomRule | SetRule | JsonRule | ListRule
)

TAGS = frozenset({"exact", "text", "fuzzy", "number", "date", "custom", "set", "json", "list"})


def _checked_path(path: str) -> str:
    parse_path(path)
    return path


class IgnoreRule(Strict):
    """A known-benign difference; `empty` is missing, null, or a text, list or object with nothing in it."""

    path: str
    when: Literal["always", "both_empty", "human_empty", "agent_empty"] = "always"

    _path = field_validator("path")(_checked_path)


class CleanRule(Strict):
    """What happens to a field before it is stored; exactly one of the four."""

    path: str
    redact: Literal[True] | str | None = None
    """True, or the text that takes its place."""
    round: int | None = Field(default=None, ge=0, le=15)
    """Digits after the decimal point."""
    strip: Literal[True] | None = None
    """White space at both ends of text."""
    remove: Literal[True] | None = None

    _path = field_validator("path")(_checked_path)

    @model_validator(mode="after")
    def _one_change(self) -> Self:
        if sum(change is not None for change in (self.redact, self.round, self.strip, self.remove)) != 1:
            raise ValueError("give exactly one of redact, round, strip, remove")
        return self
