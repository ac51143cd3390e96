"""Signs checkpoints of the audit log with a key that only this installation can make."""

from datetime import UTC, datetime
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_PURPOSE = b"phasegate audit log, Ed25519 signing key, 1"


@lru_cache(maxsize=4)
def _key(secret: bytes) -> Ed25519PrivateKey:
    seed = HKDF(hashes.SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret)
    return Ed25519PrivateKey.from_private_bytes(seed)


def _statement(size: int, root: str, at: datetime) -> bytes:
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    return f"phasegate audit log\n{size}\n{root}\n{moment}\n".encode()


def sign(secret: bytes, size: int, root: str, at: datetime) -> str:
    return _key(secret).sign(_statement(size, root, at)).hex()


def is_signed(secret: bytes, size: int, root: str, at: datetime, signature: str) -> bool:
    try:
        _key(secret).public_key().verify(bytes.fromhex(signature), _statement(size, root, at))
    except (InvalidSignature, ValueError):
        return False
    return True


def public_key(secret: bytes) -> str:
    """What an auditor needs to check signatures without us, hex."""
    return _key(secret).public_key().public_bytes_raw().hex()
