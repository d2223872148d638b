"""Layers that are one op in ONNX but that Keras or tf2onnx would take apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

AXIS, EPSILON = "_edgekit_axis", "_edgekit_epsilon"
"""Attributes of the `IdentityN` node that stands for a LayerNormalization while the model is traced."""


def one_op_call(layer: Any, package: Any) -> Callable[..., Any] | None:
    """Returns what to call instead of the layer's `call`, or `None` to leave the layer alone.

    Args:
        layer: A layer of Keras 3 or tf-keras.
        package: The module `keras` or `tf_keras` that the layer belongs to.
    """
    make = _CALLS.get(type(layer).__name__)
    is_own = type(layer) is getattr(package.layers, type(layer).__name__, None)
    return make(layer) if make is not None and is_own else None


def _dense_call(layer: Any) -> Callable[..., Any]:
    """Keras multiplies sequences as matrices between two reshapes of computed shapes."""
    original = layer.call

    def call(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        import tensorflow as tf

        if not isinstance(inputs, tf.Tensor) or (inputs.shape.rank or 0) < 3:
            return original(inputs, *args, **kwargs)
        kernel = tf.convert_to_tensor(layer.kernel)
        if inputs.dtype != kernel.dtype:
            return original(inputs, *args, **kwargs)
        outputs = tf.matmul(inputs, kernel)
        if layer.bias is not None:
            outputs = tf.nn.bias_add(outputs, tf.convert_to_tensor(layer.bias))
        return outputs if layer.activation is None else layer.activation(outputs)

    return call


def _embedding_call(layer: Any) -> Callable[..., Any]:
    """Keras 3 spells out that negative indices count from the end, which ONNX's Gather does by itself."""

    def call(inputs: Any) -> Any:
        import tensorflow as tf

        indices = inputs if inputs.dtype in (tf.int32, tf.int64) else tf.cast(inputs, tf.int32)
        return tf.cast(tf.gather(tf.convert_to_tensor(layer.embeddings), indices), layer.compute_dtype)

    return call


def _time_distributed_call(layer: Any) -> Callable[..., Any] | None:
    """Keras 3 copies the layer for each step; one copy can take all steps as a larger batch."""
    if not hasattr(layer.layer, "_call_has_training_arg"):
        return None  # tf-keras does so by itself
    original = layer.call

    def call(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        import tensorflow as tf

        inner = inputs.shape[2:].as_list()
        if args or kwargs.get("mask") is not None or None in inner:
            return original(inputs, *args, **kwargs)
        steps = inputs.shape[1] or tf.shape(inputs)[1]
        training = {"training": False} if layer.layer._call_has_training_arg else {}
        outputs = layer.layer.call(tf.reshape(inputs, [-1, *inner]), **training)
        if not isinstance(outputs, tf.Tensor) or None in outputs.shape[1:].as_list():
            return original(inputs, *args, **kwargs)
        return tf.reshape(outputs, [-1, steps, *outputs.shape[1:]])

    return call


def _upsample_call(layer: Any) -> Callable[..., Any] | None:
    """Keras 3 repeats rows and columns one axis at a time: seven nodes each."""
    if layer.data_format != "channels_last" or layer.interpolation != "nearest":
        return None

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


def _layer_norm_call(layer: Any) -> Callable[..., Any] | None:
    """Leaves a marker that `handlers` turn into one LayerNormalization."""
    if getattr(layer, "rms_scaling", False):
        return None
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
        marked.op._set_attr(AXIS, tf.compat.v1.AttrValue(i=axes[0]))
        marked.op._set_attr(EPSILON, tf.compat.v1.AttrValue(f=layer.epsilon))
        return marked

    return call


_CALLS: Mapping[str, Callable[[Any], Callable[..., Any] | None]] = MappingProxyType(
    {
        "BatchNormalization": _batch_norm_call,
        "Dense": _dense_call,
        "Embedding": _embedding_call,
        "LayerNormalization": _layer_norm_call,
        "TimeDistributed": _time_distributed_call,
        "UpSampling2D": _upsample_call,
    }
)
"""By the name of the layer's class."""
