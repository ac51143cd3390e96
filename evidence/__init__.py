"""
What the numbers allow us to say: comparisons, bounds and alarms, free of I/O, clock and chance.

`__version__` names the rules that verdicts follow from; every evidence snapshot keeps it. Raise it by hand with any
change here, or to the rules in `rollout/domain`, that can give other figures or verdicts for the same counts: the
second number for a change that records of before still agree with, the first for one they do not.
"""

from typing import Final

__version__: Final = "1.0"
