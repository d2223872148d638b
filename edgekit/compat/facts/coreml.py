"""The facts of MIL ops, by MIL's parameter names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.compat.facts.base import Facts, Pair, from_end
from edgekit.lowering.coreml.builder import Slot
from edgekit.lowering.ledger import Value

_FEATURE_MAPS = ("x", "y", "values", "cond", "a", "b", "data", "updates", "input", "value")
"""Parameters that carry feature maps; every other one steers the op."""
_WEIGHTS = {"weight": "weights", "weight_ih": "weights", "weight_hh": "recurrence"}


class CoreMlFacts(Facts):
    """What a MIL op is."""

    SPACE = "NCHW"
    WINDOWED = frozenset({"conv", "conv_transpose", "avg_pool", "max_pool", "l2_pool"})

    @cached_property
    def _named(self) -> Mapping[str, tuple[Value, ...]]:
        """Operands by parameter."""
        inputs = self.emitted.inputs
        found: dict[str, tuple[Value, ...]] = {}
        for name, given in self.emitted.attrs.items():
            slots = [s for s in (given if isinstance(given, tuple) else (given,)) if isinstance(s, Slot)]
            values = [inputs[s.index] for s in slots]
            if values:
                found[name] = tuple(v for v in values if v is not None)
        return found

    @cached_property
    def roles(self) -> Mapping[str, Value]:
        """The operands that are no feature maps, by role."""
        return {
            _WEIGHTS.get(name, name): values[0]
            for name, values in self._named.items()
            if name not in _FEATURE_MAPS and values
        }

    @cached_property
    def ifms(self) -> tuple[Value, ...]:
        """The feature maps that go in."""
        return tuple(self._feature_maps())

    def _feature_maps(self) -> Iterator[Value]:
        if not self._named:  # read from a file that names no parameters
            yield from (v for v in self.emitted.inputs if v is not None)
        for name in _FEATURE_MAPS:
            yield from self._named.get(name, ())

    def letters(self, value: Value) -> str:
        """Batch, channels, then space."""
        return {0: "", 1: "C", 2: "NC", 3: "NCW", 4: "NCHW"}.get(
            value.rank, "NC" + "D" * (value.rank - 4) + "HW"
        )

    def param(self, role: str) -> NDArray[Any] | None:
        """Returns a parameter: an operand that is constant, or a plain value."""
        value = self.roles.get(role)
        if value is not None:
            return value.data
        given = self.emitted.attrs.get(role)
        return None if given is None or isinstance(given, Slot | str) else np.asarray(given)

    def attr(self, name: str) -> Any:
        """Returns a plain parameter."""
        given = self.emitted.attrs.get(name)
        if not isinstance(given, Slot):
            return given
        data = self.param(name)
        return None if data is None or data.size != 1 else data.reshape(-1)[0].item()

    @cached_property
    def kernel(self) -> Pair | None:
        """Height and width of the window."""
        weights = self.roles.get("weights")
        if "kernel_sizes" in self.emitted.attrs:
            return self._pair("kernel_sizes")
        if weights is None or self.name not in ("conv", "conv_transpose"):
            return None
        return _two(weights.shape[2:])

    @cached_property
    def stride(self) -> Pair | None:
        """Strides along height and width."""
        return self._pair("strides") or ((1, 1) if self.kernel else None)

    @cached_property
    def dilation(self) -> Pair | None:
        """Dilations along height and width."""
        return self._pair("dilations") or ((1, 1) if self.kernel else None)

    def _pair(self, role: str) -> Pair | None:
        given = self.ints(role)
        return None if given is None else _two(given)

    @property
    def padding(self) -> str | None:
        """`SAME`, `VALID` or `EXPLICIT`."""
        kind = self.attr("pad_type")
        return {"same": "SAME", "same_lower": "SAME", "valid": "VALID", "custom": "EXPLICIT"}.get(str(kind))

    @property
    def groups(self) -> int | None:
        """Groups of a convolution."""
        given = self.ints("groups")
        return given[0] if given else 1 if self.kernel else None

    @cached_property
    def axes(self) -> tuple[int, ...] | None:
        """The axes that the op works along."""
        given = self.ints("axes") or self.ints("axis")
        return None if given is None or self.ifm is None else from_end(given, self.ifm.rank)


def _two(sizes: Any) -> Pair | None:
    if None in tuple(sizes) or len(sizes) not in (1, 2):
        return None
    return (1, int(sizes[0])) if len(sizes) == 1 else (int(sizes[0]), int(sizes[1]))
