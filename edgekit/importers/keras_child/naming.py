"""Names of ONNX nodes that lead back to the TensorFlow node they help to express."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def names_tell_their_source() -> Iterator[None]:
    """Lets tf2onnx name a helper node after the TensorFlow node it helps to express.

    Without it a `Resize` is called `Resize__36` and nothing says which layer asked for it. tf2onnx has
    no setting for this; the process ends after the conversion, so replacing functions harms nobody.
    """
    from tf2onnx import graph as tf2onnx_graph
    from tf2onnx import handler, utils
    from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer

    current: list[str] = []
    make_node, create_mapping = tf2onnx_graph.Graph.make_node, handler.tf_op.create_mapping
    add_handler = TransposeOptimizer._add_handler

    def make_named_node(self: Any, op_type: str, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if current and len(args) < 6 and kwargs.get("name") is None and op_type != "Const":
            kwargs["name"] = utils.make_name(f"{current[-1]}/{op_type}")
        return make_node(self, op_type, inputs, *args, **kwargs)

    def noting(function: Any, position: int) -> Any:
        """Wraps a function that expresses the node which is its argument at `position`."""

        def noted(*args: Any, **kwargs: Any) -> Any:
            current.append(args[position].name)
            try:
                return function(*args, **kwargs)
            finally:
                current.pop()

        return noted

    def create_noting_mapping(*args: Any) -> Any:
        return {op: (noting(function, 1), kw) for op, (function, kw) in create_mapping(*args).items()}

    tf2onnx_graph.Graph.make_node = make_named_node
    handler.tf_op.create_mapping = staticmethod(create_noting_mapping)
    TransposeOptimizer._add_handler = noting(add_handler, 2)  # merges a Conv and its bias into a new Conv
    try:
        yield
    finally:
        tf2onnx_graph.Graph.make_node = make_node
        handler.tf_op.create_mapping = staticmethod(create_mapping)
        TransposeOptimizer._add_handler = add_handler
