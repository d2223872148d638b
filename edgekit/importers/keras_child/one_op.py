"""Layers that are one op in ONNX but that Keras or tf2onnx would take apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_AXIS, _EPSILON = "_edgekit_axis", "_edgekit_epsilon"
"""Attributes of the `IdentityN` node that stands for a LayerNormalization while the model is traced."""


def one_op_call(layer: Any, package: Any) -> Callable[..., Any] | None:
    """Returns what to call instead of the layer's `call`, or `None` to leave the layer alone.

    Args:
        layer: A layer of Keras 3 or tf-keras.
        package: The module `keras` or `tf_keras` that the layer belongs to.
    """
    layers = package.layers
    if type(layer) is layers.UpSampling2D:
        channels_last = layer.data_format == "channels_last"
        return _upsample_call(layer) if channels_last and layer.interpolation == "nearest" else None
    if type(layer) is layers.BatchNormalization:
        return _batch_norm_call(layer)
    if type(layer) is layers.LayerNormalization and not getattr(layer, "rms_scaling", False):
        return _layer_norm_call(layer)
    return None


def _upsample_call(layer: Any) -> Callable[..., Any]:
    """Keras 3 repeats rows and columns one axis at a time: seven nodes each."""

    def call(images: Any) -> Any:
        import tensorflow as tf

        sizes = [s or tf.shape(images)[1 + i] for i, s in enumerate(images.shape[1:3])]
        size = [s * f for s, f in zip(sizes, layer.size, strict=True)]
        return tf.raw_ops.ResizeNearestNeighbor(images=images, size=size)

    return call


def _batch_norm_call(layer: Any) -> Callable[..., Any]:
    """Keras 3 spells the normalisation of images out; the fused op becomes a BatchNormalization."""
    original = layer.call

    def call(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        import tensorflow as tf

        axis = layer.axis[0] if isinstance(layer.axis, list | tuple) else layer.axis
        plain = inputs.shape.rank == 4 and axis in (-1, 3) and inputs.dtype == tf.float32
        if not plain or kwargs.get("mask") is not None:
            return original(inputs, *args, **kwargs)
        channels = [inputs.shape[3]]
        return tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(layer.gamma) if layer.scale else tf.ones(channels),
            offset=tf.convert_to_tensor(layer.beta) if layer.center else tf.zeros(channels),
            mean=tf.convert_to_tensor(layer.moving_mean),
            variance=tf.convert_to_tensor(layer.moving_variance),
            epsilon=layer.epsilon,
            is_training=False,
        ).y

    return call


def _layer_norm_call(layer: Any) -> Callable[..., Any]:
    """Leaves a marker that `layer_norm_handler` turns into one LayerNormalization."""
    original = layer.call

    def call(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        import tensorflow as tf

        rank = inputs.shape.rank
        axes = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
        axes = sorted(a % rank for a in axes)
        sizes = [inputs.shape[a] for a in axes]
        trailing = axes == list(range(rank - len(axes), rank)) and None not in sizes
        if not trailing or inputs.dtype != tf.float32:
            return original(inputs, *args, **kwargs)
        scale = tf.convert_to_tensor(layer.gamma) if layer.scale else tf.ones(sizes)
        offset = tf.convert_to_tensor(layer.beta) if layer.center else tf.zeros(sizes)
        marked = tf.raw_ops.IdentityN(input=[inputs, scale, offset])[0]
        marked.op._set_attr(_AXIS, tf.compat.v1.AttrValue(i=axes[0]))
        marked.op._set_attr(_EPSILON, tf.compat.v1.AttrValue(f=layer.epsilon))
        return marked

    return call


def layer_norm_handler(ctx: Any, node: Any, name: str, _: Any) -> None:
    """The tf2onnx handler of `IdentityN`: the marker of a LayerNormalization, or what it is by name."""
    inputs, outputs = list(node.input), list(node.output)
    shapes, dtypes = node.output_shapes, node.output_dtypes
    axis, epsilon = node.get_attr(_AXIS), node.get_attr(_EPSILON)
    ctx.remove_node(name)
    if axis is None:
        for i, (source, output) in enumerate(zip(inputs, outputs, strict=True)):
            ctx.make_node(
                "Identity",
                [source],
                outputs=[output],
                shapes=[shapes[i]],
                dtypes=[dtypes[i]],
                name=f"{name}_{i}",
            )
        return
    ctx.make_node(
        "LayerNormalization",
        inputs,
        outputs=outputs[:1],
        shapes=shapes[:1],
        dtypes=dtypes[:1],
        attr={"axis": axis.i, "epsilon": epsilon.f},
        name=name,
    )
