"""How well a model does on samples it has not seen."""

from __future__ import annotations

from .detection import IOU, SCORE, detections, iou
from .spec import FloatArray, IntArray, Metric


def _top1(outputs: list[FloatArray], labels: IntArray) -> float:
    return float((outputs[0].argmax(axis=1) == labels).mean())


def _detection_f1(outputs: list[FloatArray], labels: IntArray) -> float:
    classes, boxes = outputs
    hits = found = present = 0
    for scene, rows in enumerate(labels):
        open_truths = [tuple(int(v) for v in row) for row in rows[rows[:, 0] >= 0]]
        present += len(open_truths)
        for detection in detections(classes[scene], boxes[scene]):
            found += 1
            match = next(
                (
                    truth
                    for truth in open_truths
                    if truth[0] == detection.label and iou(truth[1:], detection.box) >= IOU
                ),
                None,
            )
            if match is not None:
                open_truths.remove(match)
                hits += 1
    return 2 * hits / (found + present)


TOP1 = Metric("top-1", "share of samples whose largest output is the label's", _top1)
DETECTION_F1 = Metric(
    "F1",
    f"harmonic mean of precision and recall; a detection (softmax score at least {SCORE}) is right "
    f"when its class is the digit's and its box has an IoU of at least {IOU} with the digit's",
    _detection_f1,
)
