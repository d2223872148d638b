"""The options of quantisation, which `convert` and `quantize` share, and what they become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from edgekit.cli.frame import FILE
from edgekit.cli.percent import PERCENT

SCHEMES = ("int8", "int8-per-tensor", "uint8", "int16x8", "dynamic", "fp16", "w8", "w4")
METHODS = ("minmax", "percentile", "entropy", "mse")
LAYOUTS = ("nchw", "nhwc")
RESIZES = ("stretch", "crop")
COLOURS = ("RGB", "BGR")

_FLAGS = (
    click.option(
        "--calibrate",
        metavar="DATA",
        help="Samples: .npz, .npy, .safetensors or .csv, a folder of images or arrays, `module:function` or "
        "`file.py:function` that yields them.  [default: samples.safetensors beside the model]",
    ),
    click.option("--calibrate-mean", metavar="M[,M,M]", help="Images: subtracted from pixels from 0 to 255."),
    click.option("--calibrate-std", metavar="S[,S,S]", help="Images: what pixels are divided by then."),
    click.option("--calibrate-layout", type=click.Choice(LAYOUTS), help="Images: axes of the input."),
    click.option("--calibrate-resize", type=click.Choice(RESIZES), help="Images: how to get the size."),
    click.option(
        "--calibrate-colour",
        type=click.Choice(COLOURS),
        default="RGB",
        show_default=True,
        help="Images: order of the channels.",
    ),
    click.option(
        "--method",
        type=click.Choice(METHODS),
        default="minmax",
        show_default=True,
        help="How ranges are found.",
    ),
    click.option(
        "--percentile",
        type=click.FloatRange(50, 100, min_open=True),
        default=99.99,
        show_default=True,
        help="Share of the values inside the range (`--method percentile`).",
    ),
    click.option(
        "--block-size",
        type=click.IntRange(min=0),
        help="Weights that share a scale (`w8`, `w4`); 0 for an output channel.",
    ),
    click.option(
        "--keep-float", multiple=True, metavar="NODE", help="A node that stays in float. Repeatable."
    ),
    click.option("--evaluate", type=FILE, help="Samples to judge with: .csv, .npz or .safetensors."),
    click.option("--labels-from", metavar="NAME", help="Array or column with the class of each sample."),
    click.option("--equalise", is_flag=True, help="Cross-layer equalisation, if it pays."),
    click.option("--bias-correction", is_flag=True, help="Bias correction, if it pays."),
    click.option("--auto", is_flag=True, help="Search until `--max-drop` holds; layers may stay in float."),
    click.option(
        "--max-drop",
        type=PERCENT,
        metavar="PERCENT",
        help="What may be lost, or exit 1.  [default with --auto: 1%]",
    ),
    click.option("--sensitivity", is_flag=True, help="Rank the layers by what they cost."),
)
_PLAIN = (
    "method", "percentile", "block_size", "evaluate", "labels_from", "equalise", "bias_correction", "auto",
    "max_drop", "sensitivity",
)  # fmt: skip
"""Options that `api.quantize` takes under the same name."""
_OTHERS = ("calibrate", "calibrate_mean", "calibrate_std", "calibrate_layout", "calibrate_resize",
           "calibrate_colour", "keep_float")  # fmt: skip


def quantize_flags(default: str | None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds the options of quantisation.

    Args:
        default: In words, the scheme where none is given; `None` for a model that stays in float then.
    """
    shown = f"  [default: {default}]" if default else ""
    scheme = click.option(
        "--scheme",
        type=click.Choice(SCHEMES),
        metavar="SCHEME",
        help=f"Quantise: what weights and activations become: {', '.join(SCHEMES)}.{shown}",
    )

    def decorate(body: Callable[..., Any]) -> Callable[..., Any]:
        for flag in reversed((scheme, *_FLAGS)):
            body = flag(body)
        return body

    return decorate


def take(context: click.Context, scheme: str | None, flags: dict[str, Any]) -> dict[str, Any] | None:
    """Takes the options of quantisation out of all options of a command.

    Args:
        context: Tells what stood on the command line.
        scheme: The scheme.
        flags: The other options by their names in Python; those of quantisation are removed.

    Returns:
        What `api.quantize` gets; `None` without a scheme.

    Raises:
        click.UsageError: For an option of quantisation without a scheme, and for numbers that are none.
    """
    mine = {name: flags.pop(name) for name in (*_PLAIN, *_OTHERS)}
    if scheme is None:
        for name in mine:
            if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
                raise click.UsageError(f"`--{name.replace('_', '-')}` needs `--scheme`", context)
        return None
    return {
        "scheme": scheme,
        "calibrate": _data(mine["calibrate"]),
        "preprocess": _preprocess(mine),
        "keep": mine["keep_float"],
        **{name: mine[name] for name in _PLAIN},
    }


def _data(text: str | None) -> str | Path | None:
    """Tells files and folders from functions: what exists is a path."""
    return Path(text) if text is not None and Path(text).exists() else text


def _preprocess(flags: Mapping[str, Any]) -> Any:
    from edgekit.consistency.data import Preprocess

    mean, std = (_numbers(f"--calibrate-{name}", flags[f"calibrate_{name}"]) for name in ("mean", "std"))
    others = (flags[f"calibrate_{name}"] for name in ("layout", "resize", "colour"))
    return Preprocess(mean, std, *others)


def _numbers(flag: str, text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise click.UsageError(f"`{flag}`: `{text}` is not a number or numbers with `,` between") from None
