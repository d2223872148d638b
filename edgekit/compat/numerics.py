"""What a target asks of quantisation: the scheme that `edgekit quantize -t` takes."""

from __future__ import annotations

from edgekit.diagnostics import error
from edgekit.target import Target

DEFAULT = "int8"


def scheme_for(given: str | None, target: Target | None) -> str:
    """Returns the scheme to quantise with: the user's choice, else the target's, else int8.

    Raises:
        EdgekitError: EK202 if the target asks for something that no scheme of edgekit does.
    """
    if given is not None or target is None:
        return given or DEFAULT
    numerics = target.numerics
    lacking = "scales that are powers of two" if numerics.power_of_two else ""
    if numerics.scheme is None or lacking:
        raise error(
            "EK202",
            f"no scheme of edgekit's quantises for `{target.id}`"
            + (f": it needs {lacking}" if lacking else ""),
            notes=[numerics.note] if numerics.note else [],
            help="quantise with the vendor's tool, or choose a `--scheme` and know that it will not fit",
        )
    return numerics.scheme
