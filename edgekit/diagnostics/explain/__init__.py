"""What each code means, why it exists, an example, and what to do: one Markdown file per code.

A file starts with `# CODE: title`, where the title is that of the table of codes, and a paragraph that
says what the code means. Then come `## Why`, `## Example` with a code block, and `## What to do`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
"""Where the texts are."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The text of one code.

    Attributes:
        code: The code.
        title: Its heading, without the code.
        summary: The first paragraph, on one line.
        markdown: The whole text.
    """

    code: str
    title: str
    summary: str
    markdown: str


def explanation(code: str) -> Explanation:
    """Returns the text of a code.

    Args:
        code: A key of `CODES`.

    Raises:
        FileNotFoundError: If there is no text for it.
    """
    markdown = (FOLDER / f"{code}.md").read_text(encoding="utf-8")
    heading, _, rest = markdown.partition("\n")
    first = rest.strip().split("\n\n", 1)[0]
    title = heading.removeprefix("# ").removeprefix(f"{code}: ")
    return Explanation(code, title, " ".join(first.split()), markdown)


def explained() -> tuple[str, ...]:
    """Returns the codes that have a text, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.md")))
