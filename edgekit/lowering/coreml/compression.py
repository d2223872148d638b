"""How weights are compressed: coremltools' configuration for what the user wants."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

from edgekit.diagnostics import missing_package
from edgekit.lowering.coreml.option_types import Compression
from edgekit.lowering.coreml.tools import optimizers

Compressor = Callable[[Any, Any], Any]
"""`(model, configuration) -> model`."""


def compressor(wanted: Compression) -> tuple[Any, Compressor]:
    """Returns the configuration of all weights, and the function that compresses.

    Raises:
        EdgekitError: EK501 if a table is to be found by clustering and scikit-learn is missing.
    """
    opt = optimizers()
    if wanted.kind == "palettize":
        if wanted.mode == "kmeans" and importlib.util.find_spec("sklearn") is None:
            raise missing_package("scikit-learn", "coreml", "palettisation by k-means")
        return _table(opt, wanted), opt.palettize_weights
    if wanted.kind == "prune":
        config = opt.OpMagnitudePrunerConfig(
            target_sparsity=wanted.sparsity, weight_threshold=wanted.threshold
        )
        return config, opt.prune_weights
    return _linear(opt, wanted), opt.linear_quantize_weights


def _table(opt: Any, wanted: Compression) -> Any:
    grouped: dict[str, Any] = {}
    if wanted.block is not None:
        grouped = {"granularity": "per_grouped_channel", "group_size": wanted.block}
    return opt.OpPalettizerConfig(
        mode=wanted.mode, nbits=wanted.bits, weight_threshold=wanted.threshold, **grouped
    )


def _linear(opt: Any, wanted: Compression) -> Any:
    blocks: dict[str, Any] = {}
    if wanted.block is not None:
        blocks = {"granularity": "per_block", "block_size": wanted.block}
    return opt.OpLinearQuantizerConfig(
        mode="linear_symmetric", dtype=wanted.kind, weight_threshold=wanted.threshold, **blocks
    )
