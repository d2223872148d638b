"""The little Markdown that our texts use, as HTML: paragraphs, headings, lists, code."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from markupsafe import Markup, escape


def inline(text: str) -> Markup:
    """Returns one line of text with its code spans; everything else is escaped."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if i % 2 else escape(part) for i, part in enumerate(parts)
    )


def blocks(text: str) -> Markup:
    """Returns a Markdown text as HTML."""
    return Markup("\n").join(_blocks(text.strip().split("\n")))


def _blocks(lines: list[str]) -> Iterator[Markup]:
    index = 0
    while index < len(lines):
        line = lines[index]
        end = index + 1
        if line.startswith("```"):
            while end < len(lines) and not lines[end].startswith("```"):
                end += 1
            yield _code(lines[index + 1 : end])
            end += 1
        elif line.startswith("    "):
            end = _run(lines, index, lambda text: text.startswith("    "))
            yield _code([text[4:] for text in lines[index:end]])
        elif line.startswith("#"):
            yield Markup("<h3>{}</h3>").format(inline(line.lstrip("# ")))
        elif line.startswith(("- ", "* ")):
            end = _run(lines, index, lambda text: bool(text.strip()))
            yield Markup("<ul>{}</ul>").format(Markup("").join(_items(lines[index:end])))
        elif line.strip():
            end = _run(lines, index, lambda text: bool(text.strip()) and not text.startswith(("```", "#")))
            yield Markup("<p>{}</p>").format(inline(" ".join(lines[index:end])))
        index = end


def _run(lines: list[str], start: int, belongs: Callable[[str], bool]) -> int:
    end = start
    while end < len(lines) and belongs(lines[end]):
        end += 1
    return max(end, start + 1)


def _items(lines: list[str]) -> Iterator[Markup]:
    items: list[str] = []
    for line in lines:
        if line.startswith(("- ", "* ")):
            items.append(line[2:])
        else:
            items[-1] += " " + line.strip()
    yield from (Markup("<li>{}</li>").format(inline(item)) for item in items)


def _code(lines: list[str]) -> Markup:
    return Markup("<pre><code>{}</code></pre>").format("\n".join(lines))
