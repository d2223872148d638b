"""Converts a MIL program to the files of an `.mlpackage`."""

from __future__ import annotations

import json
import tempfile
import uuid
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.artifact import Classes
from edgekit.lowering.coreml.compression import compressor
from edgekit.lowering.coreml.option_types import CoreMlOptions
from edgekit.lowering.coreml.tools import coremltools, model_proto, optimizers, quiet

PASSES = (
    "common::const_elimination",
    "common::dead_code_elimination",
    "common::expand_high_rank_reshape_and_transpose",
    "common::const_deduplication",
    "common::dedup_op_and_var_names",
    "common::add_fp16_cast",  # coremltools takes it out for fp32
    "common::const_elimination",
    "common::cast_optimization",
    "common::dead_code_elimination",
)
"""Chosen from coremltools' default: what splits high ranks, and what casting to fp16 needs.

Simplification is done before, on the hub IR, where it is verified; the default also holds passes that change
values (`fuse_elementwise_to_batchnorm`), and int16 indices (`add_int16_cast`).
"""
ORIGINS_NAME = "edgekit.origins"
"""Key of the user-defined metadata that holds the origin of each tensor, as JSON."""
LABELS_NAME = "edgekit.labels"
"""Key of the user-defined metadata that holds the class labels, one per line."""
MODEL_FILE = "Data/com.apple.CoreML/model.mlmodel"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "edgekit.mlpackage")
_DATE = "com.github.apple.coremltools.conversion_date"


@dataclass(frozen=True, slots=True)
class Package:
    """What was written.

    Attributes:
        files: Contents by path inside the package, the model first.
        tensors: Names of all tensors of the main function.
    """

    files: Mapping[str, bytes]
    tensors: frozenset[str]

    def actual(self, name: str) -> str | None:
        """Returns what a tensor of the program is called in the package; `None` if it is gone."""
        return next(iter(_actual(name, self.tensors)), None)

    def every(self, name: str) -> tuple[str, ...]:
        """Returns what a tensor of the program is called in the package, in each precision there."""
        return _actual(name, self.tensors)


def write(
    program: Any,
    options: CoreMlOptions,
    *,
    inputs: Sequence[Any] | None,
    keep: frozenset[str],
    origins: Mapping[str, Any],
    labels: str | None,
    classifier: tuple[str, Classes] | None = None,
) -> Package:
    """Writes a package.

    Args:
        program: The MIL program.
        options: Deployment target, precision, compression and metadata.
        inputs: coremltools' input types, where the program's own are not enough.
        keep: Names of tensors whose ops stay in fp32.
        origins: JSON by name of tensor.
        labels: Class labels, one per line, to store beside the model.
        classifier: An output of the program, and the labels of its elements.
    """
    ct = coremltools()
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder, warnings.catch_warnings(), quiet():
        warnings.simplefilter("ignore")
        made = ct.convert(
            program,
            source="milinternal",
            convert_to="mlprogram",
            inputs=None if inputs is None else list(inputs),
            minimum_deployment_target=getattr(ct.target, options.opset),
            compute_precision=_precision(ct, options, keep),
            pass_pipeline=ct.PassPipeline(list(PASSES), "edgekit"),
            skip_model_load=True,
            package_dir=str(Path(folder, "model.mlpackage")),
            classifier_config=None if classifier is None else _classifier(ct, *classifier),
        )
        made = _compressed(ct, made, options, Path(folder))
        tensors = _tensors(made.get_spec())
        found = {actual: o for name, o in origins.items() for actual in _actual(name, tensors)}
        texts = {ORIGINS_NAME: json.dumps(found, separators=(",", ":"), sort_keys=True)}
        if labels is not None:
            texts[LABELS_NAME] = labels
        return Package(_files(Path(made.package_path), options, texts), tensors)


def _actual(name: str, tensors: frozenset[str]) -> tuple[str, ...]:
    """Casting to fp16 renames what it recomputes; an output is cast back under its own name."""
    return tuple(n for n in (name, f"{name}_cast_fp16") if n in tensors)


def _precision(ct: Any, options: CoreMlOptions, keep: frozenset[str]) -> Any:
    if options.precision == "fp32":
        return ct.precision.FLOAT32
    types = frozenset(options.keep_fp32)
    return ct.transform.FP16ComputePrecision(
        op_selector=lambda op: op.op_type not in types and keep.isdisjoint(v.name for v in op.outputs)
    )


def _classifier(ct: Any, output: str, classes: Classes) -> Any:
    return ct.ClassifierConfig(list(classes.names), classes.label, output)


def _compressed(ct: Any, made: Any, options: CoreMlOptions, folder: Path) -> Any:
    """Stores the weights as the options say; the result is a package of its own."""
    wanted = options.compress_weights
    if wanted is None:
        return made
    config, compress = compressor(wanted)
    opt = optimizers()
    smaller = compress(made, opt.OptimizationConfig(global_config=config))
    smaller.save(str(folder / "compressed.mlpackage"))
    return ct.models.MLModel(str(folder / "compressed.mlpackage"), skip_model_load=True)


def _files(package: Path, options: CoreMlOptions, texts: Mapping[str, str]) -> dict[str, bytes]:
    """Reads a package; its model gets metadata and its manifest names that depend on nothing else."""
    paths = sorted(p.relative_to(package).as_posix() for p in package.rglob("*") if p.is_file())
    rest = [p for p in paths if p not in (MODEL_FILE, "Manifest.json")]
    return {
        MODEL_FILE: _model(package / MODEL_FILE, options, texts),
        "Manifest.json": _manifest((package / "Manifest.json").read_text()),
        **{path: (package / path).read_bytes() for path in rest},
    }


def _model(path: Path, options: CoreMlOptions, texts: Mapping[str, str]) -> bytes:
    spec = model_proto().FromString(path.read_bytes())
    meta = spec.description.metadata
    names = {
        "author": "author",
        "license": "license",
        "description": "shortDescription",
        "version": "versionString",
    }
    for name, text in options.metadata.items():
        setattr(meta, names[name], text)
    meta.userDefined.pop(_DATE, None)  # the same model gives the same bytes
    for name, text in texts.items():
        meta.userDefined[name] = text
    return bytes(spec.SerializeToString(deterministic=True))


def _manifest(text: str) -> bytes:
    fields = json.loads(text)
    fresh = {
        old: str(uuid.uuid5(_NAMESPACE, e["path"])).upper() for old, e in fields["itemInfoEntries"].items()
    }
    fields["itemInfoEntries"] = {fresh[old]: entry for old, entry in fields["itemInfoEntries"].items()}
    fields["rootModelIdentifier"] = fresh[fields["rootModelIdentifier"]]
    return (json.dumps(fields, indent=4, sort_keys=True) + "\n").encode()


def _tensors(spec: Any) -> frozenset[str]:
    function = spec.mlProgram.functions["main"]
    block = function.block_specializations[function.opset]
    made = {o.name for op in block.operations for o in op.outputs}
    return frozenset(made | {i.name for i in function.inputs})
