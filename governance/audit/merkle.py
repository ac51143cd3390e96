"""
The Merkle tree of RFC 6962: one hash stands for a whole list, and a short proof shows what is in it.

Leaves and inner nodes are hashed with different first bytes, so that neither can be passed off as the other.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(slots=True)
class Frontier:
    """
    All that is needed to go on with a tree of `size` leaves: the roots of its full subtrees, largest first.

    There is one for every bit that is set in `size`, so a log of a billion events has at most thirty.
    """

    size: int = 0
    roots: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> None:
        node, size = leaf, self.size
        while size & 1:  # a full subtree of the same height waits to its left
            node = node_hash(self.roots.pop(), node)
            size >>= 1
        self.roots.append(node)
        self.size += 1

    def root(self) -> bytes:
        if not self.roots:
            return hashlib.sha256(b"").digest()
        node = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            node = node_hash(left, node)
        return node

    def stored(self) -> list[str]:
        return [root.hex() for root in self.roots]

    @classmethod
    def from_stored(cls, size: int, roots: Sequence[str]) -> Self:
        return cls(size, [bytes.fromhex(root) for root in roots])


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes."""
    tree = Frontier()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """The hashes beside the way from a leaf up to the root (RFC 6962, 2.1.1), lowest first."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"there is no leaf {index} in a tree of {len(leaves)}")
    if len(leaves) == 1:
        return []
    middle = 1 << ((len(leaves) - 1).bit_length() - 1)  # the largest power of two below the size
    if index < middle:
        return [*inclusion_proof(index, leaves[:middle]), root_of(leaves[middle:])]
    return [*inclusion_proof(index - middle, leaves[middle:]), root_of(leaves[:middle])]


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof leads from the leaf at `index` to the root of `size` leaves (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            node = node_hash(sibling, node)
            while place and not place & 1:
                place >>= 1
                last >>= 1
        else:
            node = node_hash(node, sibling)
        place >>= 1
        last >>= 1
    return last == 0 and node == root
