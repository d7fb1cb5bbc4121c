"""Proofs against the RFC's recursion, published vectors and trees of 2^62 leaves."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.errors import ProofError
from tallystick_merkle.hashing import EMPTY_ROOT, MAX_SIZE
from tallystick_merkle.proof import (
    check_consistency,
    check_inclusion,
    plan_consistency,
    plan_inclusion,
    plan_root,
    plan_spans,
    root_from_inclusion,
)
from tallystick_merkle.shape import inclusion_spans
from tests.reference.rfc6962 import leaf
from tests.reference.sparse import SparseTree
from tests.unit.merkle.trees import (
    LARGE_SIZES,
    MOST,
    assembled,
    leaves_to,
    reference,
)
from tests.vectors.known import answers, merkle_cases, raw

TREE8 = answers()["tree8"]
LEAVES8 = [bytes.fromhex(value) for value in TREE8["leaf_hashes"]]
ROOTS8 = {
    int(size): bytes.fromhex(root) for size, root in TREE8["roots_by_size"].items()
}
SIZES = st.integers(1, MAX_SIZE)


def unhex(values: list[str]) -> list[bytes]:
    return [bytes.fromhex(value) for value in values]


@pytest.mark.parametrize("case", TREE8["inclusion"])
def test_paths_of_the_classic_tree_verify(case: dict[str, Any]) -> None:
    index, size = case["index"], case["size"]

    check_inclusion(
        index=index,
        size=size,
        leaf=LEAVES8[index],
        path=unhex(case["path"]),
        root=ROOTS8[size],
    )


@pytest.mark.parametrize("case", TREE8["consistency"])
def test_consistency_proofs_of_the_classic_tree_verify(case: dict[str, Any]) -> None:
    old, new = case["old"], case["new"]

    check_consistency(
        old=old,
        new=new,
        old_root=ROOTS8[old],
        new_root=ROOTS8[new],
        proof=unhex(case["proof"]),
    )


def test_all_published_cases_are_here() -> None:
    assert len(merkle_cases("inclusion")) == 98
    assert len(merkle_cases("consistency")) == 98


@pytest.mark.parametrize(
    "case", merkle_cases("inclusion"), ids=lambda case: case["name"]
)
def test_published_inclusion_case(case: dict[str, Any]) -> None:
    def check() -> None:
        check_inclusion(
            index=case["leafIdx"],
            size=case["treeSize"],
            leaf=raw(case["leafHash"]),
            path=[raw(value) for value in case["proof"] or ()],
            root=raw(case["root"]),
        )

    if case["wantErr"]:
        with pytest.raises(ProofError):
            check()
    else:
        check()


@pytest.mark.parametrize(
    "case", merkle_cases("consistency"), ids=lambda case: case["name"]
)
def test_published_consistency_case(case: dict[str, Any]) -> None:
    def check() -> None:
        check_consistency(
            old=case["size1"],
            new=case["size2"],
            old_root=raw(case["root1"]),
            new_root=raw(case["root2"]),
            proof=[raw(value) for value in case["proof"] or ()],
        )

    # One good case has "roots" of twelve bytes; a root has 32, so we refuse it too.
    if case["wantErr"] or len(raw(case["root1"])) != 32:
        with pytest.raises(ProofError):
            check()
    else:
        check()


def test_every_path_to_size_130_is_the_reference_s() -> None:
    tree, leaves = reference(), leaves_to(MOST)

    for size in range(1, MOST + 1):
        root = tree.root(size)
        for index in range(size):
            path = assembled(plan_inclusion(index=index, size=size), tree)
            assert path == tree.path(index, size)
            check_inclusion(
                index=index, size=size, leaf=leaves[index], path=path, root=root
            )


def test_every_consistency_proof_to_size_130_is_the_reference_s() -> None:
    tree = reference()

    for new in range(1, MOST + 1):
        for old in range(1, new + 1):
            proof = assembled(plan_consistency(old=old, new=new), tree)
            assert proof == tree.proof(old, new)
            check_consistency(
                old=old,
                new=new,
                old_root=tree.root(old),
                new_root=tree.root(new),
                proof=proof,
            )


def test_every_root_to_size_130_is_the_reference_s() -> None:
    tree = reference()

    for size in range(MOST + 1):
        assert assembled(plan_root(size), tree) == [tree.root(size)]


def test_the_root_of_nothing_needs_no_node() -> None:
    assert plan_root(0).assemble([]) == (EMPTY_ROOT,)


@pytest.mark.parametrize("size", [-1, MAX_SIZE + 1])
def test_no_root_is_planned_for_a_size_no_tree_has(size: int) -> None:
    with pytest.raises(ProofError, match="no tree has"):
        plan_root(size)


def test_from_size_zero_nothing_is_planned() -> None:
    assert plan_consistency(old=0, new=7).assemble([]) == ()


@pytest.mark.parametrize("size", LARGE_SIZES)
def test_paths_of_huge_trees_verify(size: int) -> None:
    for index in {0, 1, size // 3, size // 2, size - 2, size - 1}:
        tree = SparseTree({index: leaf(b"marked")})
        path = assembled(plan_inclusion(index=index, size=size), tree)

        assert path == tree.path(index, size)
        check_inclusion(
            index=index,
            size=size,
            leaf=leaf(b"marked"),
            path=path,
            root=tree.root(size),
        )


@pytest.mark.parametrize("new", LARGE_SIZES)
def test_consistency_proofs_of_huge_trees_verify(new: int) -> None:
    for old in {1, 2, 255, min(256, new), new // 3, new // 2, new - 1, new}:
        tree = SparseTree({old - 1: leaf(b"last of the old"), new - 1: leaf(b"last")})
        proof = assembled(plan_consistency(old=old, new=new), tree)

        assert proof == tree.proof(old, new)
        check_consistency(
            old=old,
            new=new,
            old_root=tree.root(old),
            new_root=tree.root(new),
            proof=proof,
        )


@given(SIZES, st.data())
def test_the_plan_of_a_path_is_that_of_its_spans(
    size: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, size - 1))

    plan = plan_inclusion(index=index, size=size)

    assert plan == plan_spans(inclusion_spans(index, size))


@given(SIZES, st.data())
def test_a_path_proves_no_other_leaf_index_or_root(
    size: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, size - 1))
    tree = SparseTree({index: leaf(b"marked")})
    path, root = tree.path(index, size), tree.root(size)

    found = root_from_inclusion(index=index, size=size, leaf=leaf(b"marked"), path=path)

    assert found == root
    with pytest.raises(ProofError, match="leads to root"):
        check_inclusion(
            index=index, size=size, leaf=leaf(b"other"), path=path, root=root
        )
    if size > 1:
        other = data.draw(st.integers(0, size - 1).filter(lambda at: at != index))
        with pytest.raises(ProofError):
            check_inclusion(
                index=other, size=size, leaf=leaf(b"marked"), path=path, root=root
            )


@given(SIZES, st.data())
def test_a_consistency_proof_proves_no_other_old_root(
    new: int, data: st.DataObject
) -> None:
    old = data.draw(st.integers(1, new))
    tree = SparseTree({old - 1: leaf(b"marked")})
    forked = SparseTree({old - 1: leaf(b"forked")})

    for proof in (tree.proof(old, new), forked.proof(old, new)):
        with pytest.raises(ProofError, match="is not a prefix"):
            check_consistency(
                old=old,
                new=new,
                old_root=forked.root(old),
                new_root=tree.root(new),
                proof=proof,
            )


@given(SIZES, st.integers(0, MAX_SIZE), st.lists(st.binary(max_size=33), max_size=65))
def test_any_path_raises_only_a_proof_error(
    size: int, index: int, path: list[bytes]
) -> None:
    with pytest.raises(ProofError):
        check_inclusion(
            index=index, size=size, leaf=b"x" * 32, path=path, root=b"y" * 32
        )


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_hash_that_is_not_32_bytes_is_refused(length: int) -> None:
    odd = b"a" * length

    with pytest.raises(ProofError, match="expected 32"):
        check_inclusion(index=0, size=2, leaf=b"l" * 32, path=[odd], root=b"r" * 32)
    with pytest.raises(ProofError, match="expected 32"):
        check_inclusion(index=0, size=1, leaf=odd, path=[], root=odd)
    with pytest.raises(ProofError, match="expected 32"):
        check_consistency(old=1, new=1, old_root=odd, new_root=odd, proof=[])
    with pytest.raises(ProofError, match="expected 32"):
        check_consistency(
            old=1, new=2, old_root=b"o" * 32, new_root=b"n" * 32, proof=[odd]
        )


@pytest.mark.parametrize("count", [0, 2])
def test_a_proof_of_another_length_is_refused(count: int) -> None:
    proof = [b"a" * 32] * count

    with pytest.raises(ProofError, match=f"expected 1 hashes, found {count}"):
        check_inclusion(index=0, size=2, leaf=b"l" * 32, path=proof, root=b"r" * 32)
    with pytest.raises(ProofError, match=f"expected 1 hashes, found {count}"):
        check_consistency(
            old=1, new=2, old_root=b"o" * 32, new_root=b"n" * 32, proof=proof
        )


def test_equal_sizes_with_other_roots_are_inconsistent() -> None:
    with pytest.raises(ProofError, match="is not a prefix"):
        check_consistency(
            old=3, new=3, old_root=b"o" * 32, new_root=b"n" * 32, proof=[]
        )


def test_a_plan_refuses_another_number_of_nodes() -> None:
    with pytest.raises(ProofError, match="expected 3 node hashes, found 2"):
        plan_inclusion(index=0, size=8).assemble([b"a" * 32] * 2)


def test_every_small_planned_path_is_the_plan_of_its_spans() -> None:
    for size in range(1, 131):
        for index in range(size):
            assert plan_inclusion(index=index, size=size) == plan_spans(
                inclusion_spans(index, size)
            )
