"""`Match`: a group of nodes that one op stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir


@dataclass(frozen=True, slots=True)
class Match:
    """What a recogniser found.

    Attributes:
        op_type: The op that computes the same.
        inputs: Its operands; arrays become initializers of the operands' dtype.
        attributes: Its attributes.
        nodes: The nodes that it stands for, the last one of the pattern excepted.
    """

    op_type: str
    inputs: tuple[Any, ...]
    attributes: Mapping[str, Any]
    nodes: list[ir.Node]
