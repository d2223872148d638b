"""A share, given in percent."""

from __future__ import annotations

import math
from typing import Any

import click


class _Percent(click.ParamType):  # type: ignore[type-arg]
    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Reads `1%` or `1` as 0.01."""
        if isinstance(value, float):
            return value
        try:
            share = float(str(value).strip().removesuffix("%")) / 100
        except ValueError:
            share = math.nan
        if not 0 <= share <= 1:
            self.fail(f"`{value}` is not a percentage from 0 to 100", param, ctx)
        return share


PERCENT = _Percent()
