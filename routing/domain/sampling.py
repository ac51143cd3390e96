"""
Who is in a share, and what is drawn for an audit, for the blind arm or for a second opinion: fixed by hashes, never by
a random generator.

A ramp position depends on rollout and case alone, so a case that is inside 5 % stays inside when the share
grows. The other draws are keyed, so nobody without the key can predict or pick which case will be checked; each
has a word of its own, so that none says anything about another.
"""

import hashlib
import hmac
from typing import Any
from uuid import UUID

import orjson

ASSISTED, BLIND = "assisted", "blind"
"""The two arms of review: who rules saw the output at once, or answered before."""

_SCALE = 2.0**-53


def ramp_position(rollout_id: UUID, case_id: str) -> float:
    """Where a case stands on the ramp of a rollout, in [0, 1); inside a share when below it."""
    digest = hashlib.blake2b(case_id.encode(), key=rollout_id.bytes, digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) * _SCALE


def audit_position(secret: bytes, rollout_id: UUID, case_id: str) -> float:
    """
    The keyed draw of a case, in [0, 1); audited when below the audit rate.

    The attempt is left out on purpose: sending a case again must not be a second throw of the die.
    """
    return _position(secret, b"audit\x00" + rollout_id.bytes + case_id.encode())


def blind_position(secret: bytes, rollout_id: UUID, case_id: str) -> float:
    """The keyed draw of a case, in [0, 1); its reviewer answers before seeing the output when below the blind share."""
    return _position(secret, b"blind\x00" + rollout_id.bytes + case_id.encode())


def gold_position(secret: bytes, login: str, item_id: UUID) -> float:
    """The keyed draw of a case for a person, in [0, 1); a gold case goes before it when below the odds of gold."""
    return _position(secret, b"gold\x00" + item_id.bytes + login.encode())


def gold_rank(secret: bytes, login: str, gold_case_id: UUID) -> float:
    """In which order a person gets the gold cases of a pool: each person in another one."""
    return _position(secret, b"gold rank\x00" + gold_case_id.bytes + login.encode())


def second_position(secret: bytes, rollout_id: UUID, case_id: str) -> float:
    """The keyed draw of a case, in [0, 1); a second person is asked, too, when below the share of second opinions."""
    return _position(secret, b"second\x00" + rollout_id.bytes + case_id.encode())


def judged_position(secret: bytes, rollout_id: UUID, case_id: str) -> float:
    """The keyed draw of a case, in [0, 1); a third person says who was right when below the share of its comparison."""
    return _position(secret, b"judged\x00" + rollout_id.bytes + case_id.encode())


def order_position(secret: bytes, rollout_id: UUID, case_id: str) -> float:
    """Which of two outputs is shown first; nothing to do with what was drawn."""
    return _position(secret, b"order\x00" + rollout_id.bytes + case_id.encode())


def _position(secret: bytes, material: bytes) -> float:
    digest = hmac.digest(secret, material, "sha256")
    return (int.from_bytes(digest[:8], "big") >> 11) * _SCALE


def input_position(secret: bytes, agent: str, shown_input: Any, case_id: str) -> float:
    """
    The keyed draw of an input, in [0, 1), for the Sampling of activation conditions; of the case where it has none.

    By the input, since the same document sent again must be the same draw whatever it is called; and the same for all
    versions of an agent, so that two of them are looked at on the same documents.
    """
    what = b"case\x00" + case_id.encode()
    if shown_input is not None:
        what = b"input\x00" + orjson.dumps(
            shown_input, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str
        )
    digest = hmac.digest(secret, b"activation\x00" + agent.encode() + b"\x00" + what, "sha256")
    return (int.from_bytes(digest[:8], "big") >> 11) * _SCALE
