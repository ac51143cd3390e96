import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.audit.merkle import Frontier, inclusion_proof, is_included, leaf_hash, node_hash, root_of

# The eight leaves, roots and paths that the reference implementation of Certificate Transparency is tested with.
_INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
_LEAVES = [leaf_hash(bytes.fromhex(text)) for text in _INPUTS]
_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
_PATHS = [
    (0, 1, []),
    (
        0,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert root_of([]) == hashlib.sha256(b"").digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_the_published_roots_come_out(size: int) -> None:
    assert root_of(_LEAVES[:size]).hex() == _ROOTS[size - 1]


@pytest.mark.parametrize(("index", "size", "path"), _PATHS)
def test_the_published_proofs_come_out_and_hold(index: int, size: int, path: list[str]) -> None:
    proof = inclusion_proof(index, _LEAVES[:size])

    assert [node.hex() for node in proof] == path
    assert is_included(_LEAVES[index], index, size, proof, bytes.fromhex(_ROOTS[size - 1]))


def test_a_leaf_cannot_pass_for_a_node() -> None:
    left, right = _LEAVES[:2]

    assert leaf_hash(left + right) != node_hash(left, right)


@given(st.integers(0, 70), st.integers(0, 70))
def test_a_tree_that_was_put_away_goes_on_as_if_it_had_not_been(first: int, second: int) -> None:
    leaves = [leaf_hash(bytes([n])) for n in range(first + second)]
    tree = Frontier()
    for leaf in leaves[:first]:
        tree.append(leaf)
    again = Frontier.from_stored(tree.size, tree.stored())
    for leaf in leaves[first:]:
        again.append(leaf)

    assert again.root() == _by_definition(leaves)
    assert len(again.roots) == len(leaves).bit_count()


@given(st.data())
def test_every_leaf_is_shown_to_be_in_and_no_other_is(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, size - 1))
    leaves = [leaf_hash(bytes([n])) for n in range(size)]
    root, proof = root_of(leaves), inclusion_proof(index, leaves)

    assert is_included(leaves[index], index, size, proof, root)
    assert not is_included(leaf_hash(b"another"), index, size, proof, root)
    assert not is_included(leaves[index], index, size, [*proof, root], root)
    assert all(not is_included(leaves[index], other, size, proof, root) for other in range(size) if other != index)


@pytest.mark.parametrize("index", [-1, 8])
def test_there_is_no_proof_for_a_leaf_that_is_not_there(index: int) -> None:
    with pytest.raises(IndexError):
        inclusion_proof(index, _LEAVES)

    assert not is_included(_LEAVES[0], index, 8, [], bytes.fromhex(_ROOTS[7]))


def _by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word by word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    return node_hash(_by_definition(leaves[:middle]), _by_definition(leaves[middle:]))
