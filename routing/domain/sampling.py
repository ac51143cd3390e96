"""
Who is in a share and who is drawn for an audit: fixed by hashes, never by a random generator.

A ramp position depends on rollout and case alone, so a case that is inside 5 % stays inside when the share
grows. An audit draw is keyed, so nobody without the key can predict or pick which case will be checked.
"""

import hashlib
import hmac
from uuid import UUID

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
    digest = hmac.digest(secret, b"audit\x00" + rollout_id.bytes + case_id.encode(), "sha256")
    return (int.from_bytes(digest[:8], "big") >> 11) * _SCALE
