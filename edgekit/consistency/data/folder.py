"""A folder of images, arrays or tables of them as calibration samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from edgekit.consistency.data.lazy import FileSamples
from edgekit.consistency.data.preprocess import Image, Preprocess
from edgekit.consistency.samples import Sample, Samples, ports_of, read_arrays, split
from edgekit.diagnostics import Diagnostic, EdgekitError, Where, error
from edgekit.ir import Model
from edgekit.runners.base import check_inputs

IMAGES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".webp"))
ARRAYS = frozenset((".npy", ".npz", ".safetensors"))
SPOILT = 0.1
"""Share of the files that may be unreadable; with more, the folder is not what was meant."""


def folder_samples(model: Model, folder: Path, how: Preprocess, most: int) -> Samples:
    """Finds the samples of a folder; each is read when it is used.

    Every file is read once before, so that what is wrong is said at once.

    Args:
        model: The source model.
        folder: Its files of one kind, images or arrays, are taken in order of their names; others are
            left out, and so are folders inside it and files that begin with a dot.
        how: What happens to images.
        most: The most samples to take.

    Returns:
        The samples, with notes on what was left out.

    Raises:
        EdgekitError: EK404 for an empty or mixed folder, for images without preprocessing, and if more than
            a tenth of the files cannot be used; EK505 for arrays that do not fit the model.
    """
    names = sorted(p.name for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    images, arrays = (
        [name for name in names if Path(name).suffix.lower() in kind] for kind in (IMAGES, ARRAYS)
    )
    where = Where(file=str(folder))
    if images and arrays:
        raise error("EK404", f"the folder holds {len(images)} images and {len(arrays)} arrays", where=where)
    if not images and not arrays:
        kinds = ", ".join(sorted(IMAGES | ARRAYS))
        raise error(
            "EK404", "the folder holds neither images nor arrays", where=where, notes=(f"read: {kinds}",)
        )
    read, notes = _reader(model, folder, how, bool(images))
    found = _Scan(read)
    for name in images or arrays:
        if len(found.places) >= most:
            break
        found.look_at(name)
    found.check(where)
    left = len(names) - len(images or arrays)
    others = (f"{left} files of other kinds were left out",) if left else ()
    kind = "images" if images else "arrays"
    return Samples(kind, FileSamples(found.places[:most], read), (*notes, *others, *found.notes()))


Read = Callable[[str], Sequence[Sample]]


def _reader(model: Model, folder: Path, how: Preprocess, images: bool) -> tuple[Read, tuple[str, ...]]:
    ports = ports_of(model)
    if not images:
        names = [spec.name for spec in model.inputs]

        def read_file(name: str) -> Sequence[Sample]:
            arrays = read_arrays(folder / name, names)
            mine = {k: v for k, v in arrays.items() if k in names} if len(arrays) > len(names) else arrays
            return [finite(check_inputs(ports, one)) for one in split(model.inputs, mine)]

        return read_file, ()
    if len(model.inputs) != 1:
        raise error("EK404", f"an image is one input; the model has {len(model.inputs)}")
    image = Image.of(model.inputs[0], how)

    def read_image(name: str) -> Sequence[Sample]:
        return [check_inputs(ports, {image.spec.name: image.read(folder / name)})]

    return read_image, image.notes()


def finite(sample: Sample) -> Sample:
    """Holds a sample to finite numbers.

    Raises:
        EdgekitError: EK505 naming the input.
    """
    for name, array in sample.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            what = "NaN" if np.isnan(array).any() else "infinity"
            raise error("EK505", f"the input `{name}` holds {what}")
    return sample


@dataclass(slots=True)
class _Scan:
    """A first look at every file.

    Attributes:
        read: Reads a file.
        places: The samples found.
        broken: Files that cannot be read, with the reason.
        seen: How many files were looked at.
    """

    read: Read
    places: list[tuple[str, int]] = field(default_factory=list)
    broken: list[tuple[str, str]] = field(default_factory=list)
    seen: int = 0

    def look_at(self, name: str) -> None:
        """Reads a file; one that cannot be read is remembered, one that does not fit is an error."""
        self.seen += 1
        try:
            count = len(self.read(name))
        except EdgekitError as problem:
            first = problem.diagnostics[0]
            unreadable = first.code == "EK505" and "cannot be read" in first.message
            if not unreadable:
                raise EdgekitError(*(_of_file(d, name) for d in problem.diagnostics)) from problem
            self.broken.append((name, "; ".join(first.notes) or first.message))
        except (OSError, ValueError, SyntaxError) as problem:  # what Pillow says of damaged files
            self.broken.append(
                (name, str(problem).splitlines()[0] if str(problem) else type(problem).__name__)
            )
        else:
            self.places += [(name, number) for number in range(count)]

    def check(self, where: Where) -> None:
        """Refuses a folder of which too much cannot be read.

        Raises:
            EdgekitError: EK404 naming the first files.
        """
        if len(self.broken) > SPOILT * self.seen:
            listed = tuple(f"`{name}`: {why}" for name, why in self.broken[:5])
            message = f"{len(self.broken)} of {self.seen} files cannot be read"
            raise error("EK404", message, where=where, notes=listed)

    def notes(self) -> tuple[str, ...]:
        """Says which files were left out."""
        return tuple(f"`{name}` was left out, it cannot be read: {why}" for name, why in self.broken)


def _of_file(diagnostic: Diagnostic, name: str) -> Diagnostic:
    return replace(diagnostic, message=f"`{name}`: {diagnostic.message}")
