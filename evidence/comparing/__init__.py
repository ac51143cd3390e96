"""Output against human output: what counts as equal, what differs where and how gravely.

Three separate ideas. *Compare* decides. *Ignore* takes known-benign differences out of numerator and denominator.
*Clean* changes only what is stored of the differences (`storable`), never what is compared. What cannot be compared
is an error, and what does not fit the agent's schema an invalid output: neither is agreement, and neither is a
disagreement.
"""

from evidence.comparing.cleaning import clean, storable
from evidence.comparing.config import ComparisonConfig, ComparisonConfigError, Problem
from evidence.comparing.result import Comparison, Difference, Kind, Severity
from evidence.comparing.schema import OutputSchema, OutputSchemaError
from evidence.comparing.walk import compare

__all__ = [
    "Comparison",
    "ComparisonConfig",
    "ComparisonConfigError",
    "Difference",
    "Kind",
    "OutputSchema",
    "OutputSchemaError",
    "Problem",
    "Severity",
    "clean",
    "compare",
    "storable",
]
