"""Where inputs and outputs of the source model are found in a package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.artifact import Binding, Classes, Picture
from edgekit.ir import Model
from edgekit.lowering.coreml.option_types import CoreMlOptions, ImageInput
from edgekit.lowering.coreml.ports import Ported
from edgekit.lowering.coreml.shapes import sizes_of
from edgekit.lowering.ledger import Value


@dataclass(frozen=True, slots=True)
class Bindings:
    """Describes ports.

    Attributes:
        source: The source model.
        ported: The graph with its ports.
        names: What the ports are called.
        options: Images and flexible shapes.
        classes: Labels of the classifier.
    """

    source: Model
    ported: Ported
    names: Mapping[Value, str]
    options: CoreMlOptions
    classes: Classes | None

    def inputs(self) -> tuple[Binding, ...]:
        """Returns where each input of the source model is found."""
        images = {image.name: _picture(image) for image in self.options.image_inputs}
        rows = zip(self.source.inputs, self.ported.inputs, self.ported.boxed_inputs, strict=True)
        return tuple(
            Binding(
                self.names[port],
                np.dtype(np.uint8) if spec.name in images and port.dtype != np.float16 else port_dtype(port),
                boxed=boxed,
                picture=images.get(spec.name),
                sizes=sizes_of(spec.name, port, self.options),
                state=port in self.ported.states,
            )
            for spec, port, boxed in rows
        )

    def outputs(self) -> tuple[Binding, ...]:
        """Returns where each output of the source model is found."""
        wanted = self.options.classifier
        rows = zip(self.source.outputs, self.ported.outputs, self.ported.boxed_outputs, strict=True)
        return tuple(
            Binding(f"{wanted.label}_probs", np.dtype(np.float32), classes=self.classes)
            if wanted is not None and wanted.output == spec.name
            else Binding(self.names[port], port_dtype(port), boxed=boxed, state=port in self.ported.states)
            for spec, port, boxed in rows
        )


def port_dtype(value: Value) -> np.dtype[Any]:
    """Returns the dtype of a port."""
    return value.dtype if value.dtype.kind == "f" else np.dtype(np.int32)


def _picture(image: ImageInput) -> Picture:
    return Picture(image.scale, image.bias, image.colour)
