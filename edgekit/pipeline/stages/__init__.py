"""The stages of a contract, one file per family; importing this fills the table of `stage.kinds`."""

from edgekit.pipeline.stage import Geometry
from edgekit.pipeline.stages.colour import Colour, YuvToRgb
from edgekit.pipeline.stages.geometry import Crop, CropSquare, Letterbox, Orientation
from edgekit.pipeline.stages.numbers import Dequantise, Layout, Normalise, Quantise, Sigmoid, Softmax
from edgekit.pipeline.stages.resize import Resize

__all__ = [
    "Colour",
    "Crop",
    "CropSquare",
    "Dequantise",
    "Geometry",
    "Layout",
    "Letterbox",
    "Normalise",
    "Orientation",
    "Quantise",
    "Resize",
    "Sigmoid",
    "Softmax",
    "YuvToRgb",
]
