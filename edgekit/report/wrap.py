"""Line breaks for people who copy from the terminal."""

from __future__ import annotations

import re
import textwrap

_QUOTED = re.compile(r"`[^`]*`")
_GLUE = "\x00"


def wrap(text: str, width: int, *, first: str = "", rest: str = "") -> list[str]:
    """Breaks lines between words only, and never inside backticks: what is cut cannot be copied.

    Args:
        text: Words; white space between them is not kept.
        width: Columns to stay within, if no single word is longer.
        first: What the first line begins with.
        rest: What the other lines begin with.

    Returns:
        At least one line.
    """
    glued = _QUOTED.sub(lambda m: m[0].replace(" ", _GLUE), text)
    lines = textwrap.wrap(
        glued,
        max(width, 20),
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_GLUE, " ") for line in lines] or [first]
