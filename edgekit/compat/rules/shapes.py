"""Rules that compare shapes of tensors."""

from __future__ import annotations

from edgekit.compat.facts import Facts
from edgekit.compat.finding import Finding, fails, unknown
from edgekit.compat.rules.registry import rule
from edgekit.lowering.ledger import Shape


@rule("same-shapes")
def same_shapes(op: Facts) -> Finding | None:
    """all feature maps that go in must have one shape"""
    shapes = {v.shape for v in op.ifms}
    if len(shapes) < 2:
        return None
    if any(_differ(a, b) for a in shapes for b in shapes):
        return fails(" and ".join(sorted(str(list(s)) for s in shapes)))
    return unknown("a size")


def _differ(a: Shape, b: Shape) -> bool:
    """Tells whether two shapes are certainly different."""
    return len(a) != len(b) or any(
        x != y for x, y in zip(a, b, strict=True) if x is not None and y is not None
    )


@rule("one-side-broadcasts")
def one_side_broadcasts(op: Facts) -> Finding | None:
    """at most one of the two feature maps may be broadcast"""
    if len(op.ifms) != 2 or op.ofm is None:
        return None
    shapes = [v.static_shape for v in (*op.ifms, op.ofm)]
    if None in shapes:
        return unknown("a size")
    first, second, result = (_stripped(s) for s in shapes if s is not None)
    if first != result and second != result:
        return fails(f"{list(op.ifms[0].shape)} and {list(op.ifms[1].shape)}")
    return None


def _stripped(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without its leading ones."""
    start = next((i for i, d in enumerate(shape) if d != 1), len(shape))
    return shape[start:]


@rule("broadcast-like")
def broadcast_like(op: Facts, *, kinds: tuple[str, ...]) -> Finding | None:
    """the smaller feature map must be one of {kinds}

    `same` is the shape of the other one, `scalar` one element, `channel` one value per channel,
    `spatial` one value per position.
    """
    if len(op.ifms) != 2:
        return None
    big, small = sorted(op.ifms, key=lambda v: v.rank)[::-1]
    if big.static_shape is None or small.static_shape is None:
        return unknown("a size")
    if _count(small.static_shape) > _count(big.static_shape):
        big, small = small, big
    kind = _kind(op, big.static_shape or (), small.static_shape or ())
    return None if kind in kinds else fails(f"{list(small.shape)} against {list(big.shape)}")


def _count(shape: tuple[int, ...]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def _kind(op: Facts, big: tuple[int, ...], small: tuple[int, ...]) -> str:
    if _stripped(big) == _stripped(small):
        return "same"
    if _count(small) == 1:
        return "scalar"
    padded = (1,) * (len(big) - len(small)) + small
    channel = op.SPACE[-len(big) :].find("C") if len(big) <= len(op.SPACE) else -1
    wide = [i for i, d in enumerate(padded) if d != 1]
    if wide == [channel]:
        return "channel"
    return "spatial" if channel not in wide and all(padded[i] == big[i] for i in wide) else "other"


@rule("matches-ofm-channels")
def matches_ofm_channels(op: Facts, *, of: str) -> Finding | None:
    """{of} must have one element per channel of the result"""
    if op.ofm is None:
        return unknown("the result")
    channels = op.size(op.ofm, "C")
    for value in op.tensors(of):
        shape = value.static_shape
        if shape is None or channels is None:
            return unknown("a size")
        if _count(shape) != channels:
            return fails(f"{_count(shape)} elements for {channels} channels")
    return None


@rule("ranks-equal")
def ranks_equal(op: Facts) -> Finding | None:
    """all feature maps must have one rank"""
    ranks = op.ranks
    return fails(", ".join(map(str, ranks))) if len(set(ranks)) > 1 else None


@rule("gpu-broadcast")
def gpu_broadcast(op: Facts) -> Finding | None:
    """where ranks differ, each axis of the smaller feature map must be 1 or that of the larger one

    The axes are compared from the last one.
    """
    if len(op.ifms) != 2 or op.ifms[0].rank == op.ifms[1].rank:
        return None
    small, big = sorted(op.ifms, key=lambda v: v.rank)
    pairs = list(zip(small.shape[::-1], big.shape[::-1], strict=False))
    if any(a not in (1, b) for a, b in pairs if a is not None and b is not None):
        return fails(f"{list(small.shape)} against {list(big.shape)}")
    return unknown("a size") if any(None in pair for pair in pairs) else None


@rule("splits-evenly")
def splits_evenly(op: Facts) -> Finding | None:
    """all parts must have one size"""
    shapes = {v.shape for v in op.ofms}
    if any(_differ(a, b) for a in shapes for b in shapes):
        return fails(" and ".join(sorted(str(list(s)) for s in shapes)))
    return None if all(v.static_shape is not None for v in op.ofms) else unknown("a size")
