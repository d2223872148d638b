"""The golden models: what each learns, from what, and how."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import (
    detection,
    keras_export,
    keras_nets,
    keras_training,
    nets,
    torch_export,
    torch_training,
)
from . import digits as digit_data
from . import photographs as photo_data
from . import scenes as scene_data
from .metrics import DETECTION_F1, TOP1
from .spec import Dataset, Port, Recipe

# One seed for all, so that the models of the digits share their held-out fifth.
SEED = 7
# Background cells outnumber digits by more than ten to one.
BACKGROUND_WEIGHT = 0.15
BOX_WEIGHT = 5.0
DIGIT_LABELS = "[32] int64: the digit, 0..9"


def _train_digits_cnn_keras(recipe: Recipe, data: Dataset, folder: Path) -> None:
    keras_training.seeded(recipe.seed)
    net = keras_nets.digits_cnn()
    net = keras_training.fit(net, data.train, epochs=25, rate=3e-3, from_logits=True)
    keras_export.export(net, recipe, folder)


def _train_digits_lstm_keras(recipe: Recipe, data: Dataset, folder: Path) -> None:
    keras_training.seeded(recipe.seed)
    net = keras_nets.digits_lstm()
    net = keras_training.fit(net, data.train, epochs=60, rate=1e-2, from_logits=False)
    keras_export.export(net, recipe, folder)


def _train_digits_cnn_torch(recipe: Recipe, data: Dataset, folder: Path) -> None:
    torch_training.seeded(recipe.seed)
    _classify(nets.DigitsCNN(), recipe, data, folder, epochs=25, rate=1e-2)


def _train_digits_gru_torch(recipe: Recipe, data: Dataset, folder: Path) -> None:
    torch_training.seeded(recipe.seed)
    _classify(nets.DigitsGRU(), recipe, data, folder, epochs=60, rate=1e-2)


def _train_mobile_se_torch(recipe: Recipe, data: Dataset, folder: Path) -> None:
    torch_training.seeded(recipe.seed)
    # Its exported program would be larger than a shipped file may be.
    _classify(nets.MobileSE(), recipe, data, folder, epochs=8, rate=1e-2, program=False)


def _classify(
    net: nn.Module,
    recipe: Recipe,
    data: Dataset,
    folder: Path,
    *,
    epochs: int,
    rate: float,
    program: bool = True,
) -> None:
    inputs, labels = torch.from_numpy(data.train.inputs), torch.from_numpy(data.train.labels)
    net = torch_training.fit(net, inputs, (labels,), functional.cross_entropy, epochs, rate)
    torch_export.export(net, recipe, folder, program=program)


def _train_detector_torch(recipe: Recipe, data: Dataset, folder: Path) -> None:
    torch_training.seeded(recipe.seed)
    classes, boxes = (torch.from_numpy(t) for t in detection.targets(data.train.labels))
    inputs = torch.from_numpy(data.train.inputs)
    net = torch_training.fit(nets.Detector(), inputs, (classes, boxes), _detector_loss, epochs=10, rate=1e-2)
    torch_export.export(net, recipe, folder, program=True)


def _detector_loss(maps: tuple[Tensor, Tensor], classes: Tensor, boxes: Tensor) -> Tensor:
    """Cross entropy over all cells, and the boxes' distance where a digit is."""
    weights = torch.ones(detection.CLASSES + 1)
    weights[detection.BACKGROUND] = BACKGROUND_WEIGHT
    object_cells = (classes != detection.BACKGROUND)[:, None].expand_as(boxes)
    box_loss = functional.smooth_l1_loss(maps[1][object_cells], boxes[object_cells], beta=0.1)
    return functional.cross_entropy(maps[0], classes, weights) + BOX_WEIGHT * box_loss


RECIPES = (
    Recipe(
        id="digits_cnn_keras",
        title="Handwritten digits, a small CNN in Keras",
        task="image-classification",
        seed=SEED,
        sources=(digit_data.DIGITS,),
        split=digit_data.SPLIT,
        preprocessing=digit_data.PREPROCESSING,
        labels=DIGIT_LABELS,
        input=Port("image", (1, 8, 8, 1), "NHWC, grey"),
        outputs=(Port("logits", (1, 10), "one logit per digit"),),
        metric=TOP1,
        tools=("tensorflow", "keras", "tf2onnx"),
        data=digit_data.digits_nhwc,
        train=_train_digits_cnn_keras,
    ),
    Recipe(
        id="digits_cnn_torch",
        title="Handwritten digits, the same small CNN in PyTorch",
        task="image-classification",
        seed=SEED,
        sources=(digit_data.DIGITS,),
        split=digit_data.SPLIT,
        preprocessing=digit_data.PREPROCESSING,
        labels=DIGIT_LABELS,
        input=Port("image", ("N", 1, 8, 8), "NCHW, grey"),
        outputs=(Port("logits", ("N", 10), "one logit per digit"),),
        metric=TOP1,
        tools=("torch", "onnxscript"),
        data=digit_data.digits_nchw,
        train=_train_digits_cnn_torch,
    ),
    Recipe(
        id="mobile_se_torch",
        title="Which photograph a patch is from: inverted residuals, squeeze-excite, hard-swish",
        task="image-classification",
        seed=SEED,
        sources=photo_data.PHOTOGRAPHS,
        split=photo_data.SPLIT,
        preprocessing=photo_data.PREPROCESSING,
        labels="[32] int64: the photograph's place in `data`, counted from 0",
        input=Port("image", (1, 3, 40, 40), "NCHW, RGB"),
        outputs=(Port("logits", (1, 7), "one logit per photograph, in the order of `data`"),),
        metric=TOP1,
        tools=("torch", "onnxscript"),
        data=photo_data.photograph_patches,
        train=_train_mobile_se_torch,
    ),
    Recipe(
        id="digits_gru_torch",
        title="Handwritten digits read row by row, a GRU in PyTorch",
        task="sequence-classification",
        seed=SEED,
        sources=(digit_data.DIGITS,),
        split=digit_data.SPLIT,
        preprocessing=digit_data.PREPROCESSING,
        labels=DIGIT_LABELS,
        input=Port("rows", (1, 8, 8), "batch, time (rows from the top), features (columns)"),
        outputs=(Port("logits", (1, 10), "one logit per digit"),),
        metric=TOP1,
        tools=("torch", "onnxscript"),
        data=digit_data.digits,
        train=_train_digits_gru_torch,
    ),
    Recipe(
        id="digits_lstm_keras",
        title="Handwritten digits read row by row, an LSTM in Keras",
        task="sequence-classification",
        seed=SEED,
        sources=(digit_data.DIGITS,),
        split=digit_data.SPLIT,
        preprocessing=digit_data.PREPROCESSING,
        labels=DIGIT_LABELS,
        input=Port("rows", ("N", 8, 8), "batch, time (rows from the top), features (columns)"),
        outputs=(Port("probabilities", ("N", 10), "softmax over the digits"),),
        metric=TOP1,
        tools=("tensorflow", "keras", "tf2onnx"),
        data=digit_data.digits,
        train=_train_digits_lstm_keras,
    ),
    Recipe(
        id="detector_torch",
        title="Digits in a scene: two scales joined, a class map and a box map",
        task="object-detection",
        seed=SEED,
        sources=(digit_data.DIGITS,),
        split=scene_data.SPLIT,
        preprocessing=scene_data.PREPROCESSING,
        labels=(
            "[32, 3, 5] int64: class, left, top, right, bottom in pixels (right and bottom "
            "exclusive); rows of -1 stand for no digit"
        ),
        input=Port("scene", (1, 1, 48, 48), "NCHW, grey"),
        outputs=(
            Port("classes", (1, 11, 6, 6), "logits per cell: ten digits, then background"),
            Port(
                "boxes",
                (1, 4, 6, 6),
                "per cell: centre x and y within the cell (0..1), width and height as parts of the picture",
            ),
        ),
        metric=DETECTION_F1,
        tools=("torch", "onnxscript"),
        data=scene_data.scenes,
        train=_train_detector_torch,
    ),
)
