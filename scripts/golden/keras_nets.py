"""The golden networks written in Keras."""

from __future__ import annotations

import keras
from keras import layers


def digits_cnn() -> keras.Model:
    """The same layers as `nets.DigitsCNN`: [N, 8, 8, 1] -> logits [N, 10]."""
    image = keras.Input((8, 8, 1), name="image")
    x = layers.Conv2D(16, 3, padding="same", use_bias=False, name="conv1")(image)
    x = layers.BatchNormalization(name="norm1")(x)
    x = layers.ReLU(name="relu1")(x)
    x = layers.Conv2D(32, 3, padding="same", use_bias=False, name="conv2")(x)
    x = layers.BatchNormalization(name="norm2")(x)
    x = layers.ReLU(name="relu2")(x)
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.Conv2D(64, 3, padding="same", activation="relu", name="conv3")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(image, layers.Dense(10, name="logits")(x), name="digits_cnn")


def digits_lstm() -> keras.Model:
    """An LSTM that reads a digit row by row: [N, 8, 8] -> probabilities [N, 10]."""
    rows = keras.Input((8, 8), name="rows")
    x = layers.LSTM(40, name="lstm")(rows)
    x = layers.Dense(10, activation="softmax", name="probabilities")(x)
    return keras.Model(rows, x, name="digits_lstm")
