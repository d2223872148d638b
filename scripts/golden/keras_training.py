"""Training a Keras network on the CPU, the same way each time."""

from __future__ import annotations

import keras
import tensorflow as tf

from .spec import Split

THREADS = 2
BATCH = 64


def seeded(seed: int) -> None:
    """Fix Keras's random numbers and TensorFlow's order of sums."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    # TensorFlow takes its thread counts before its first op only, so later models keep them.
    if tf.config.threading.get_intra_op_parallelism_threads() != THREADS:
        tf.config.threading.set_intra_op_parallelism_threads(THREADS)
        tf.config.threading.set_inter_op_parallelism_threads(1)


def fit(net: keras.Model, split: Split, epochs: int, rate: float, *, from_logits: bool) -> keras.Model:
    """Minimise the cross entropy with Adam and a cosine rate.

    Returns:
        An uncompiled copy of the trained network, so that what is saved of it carries no
        optimiser state.
    """
    steps = epochs * -(-len(split.labels) // BATCH)
    net.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps)),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits),
    )
    net.fit(split.inputs, split.labels, batch_size=BATCH, epochs=epochs, verbose=0)
    plain = keras.Model.from_config(net.get_config())
    plain.set_weights(net.get_weights())
    return plain
