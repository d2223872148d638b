"""Pages of Markdown on targets: one for each family, and one that lists them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekit.report.describe.target import listing, sections
from edgekit.report.md import section_text
from edgekit.target import Target

_INTRODUCTION = """\
A target is a chip with its toolchain and version. The pages are written by `edgekit target docs` from the
descriptors in `targets/`. A *basis* says what a row rests on: `extracted` from the vendor's tool by machine,
`observed` when running it, `stated` in its documentation, found out by the `community`, or `recalled` and
not checked against a text. Conditions with *else unknown* leave the placement open.
"""


def pages(targets: Sequence[Target]) -> Mapping[str, str]:
    """Returns the text of each page, by the name of its file.

    Args:
        targets: All of them, families included.
    """
    by_id = {target.id: target for target in targets}
    families: dict[str, list[Target]] = {}
    for target in targets:
        families.setdefault(_root(target, by_id).id, []).append(target)
    families = {root: members for root, members in families.items() if any(not m.abstract for m in members)}
    written = {f"{root}.md": _page(by_id[root], members) for root, members in sorted(families.items())}
    return {"README.md": _index(targets, families), **written}


def _root(target: Target, by_id: Mapping[str, Target]) -> Target:
    """Returns the family whose page tells of a target: the nearest one that is only there to be extended."""
    while not target.abstract and target.extends in by_id:
        target = by_id[target.extends or ""]
    return target


def _index(targets: Sequence[Target], families: Mapping[str, Sequence[Target]]) -> str:
    concrete = [target for target in targets if not target.abstract]
    table = section_text(listing(concrete, {}).results[0])
    links = "\n".join(
        f"- [{root}]({root}.md): {_names(members)}" for root, members in sorted(families.items())
    )
    return f"# Targets\n\n{_INTRODUCTION}\n{table.strip()}\n\n## Pages\n\n{links}\n"


def _names(members: Sequence[Target]) -> str:
    return ", ".join(f"`{m.id}`" for m in members if not m.abstract)


def _page(root: Target, members: Sequence[Target]) -> str:
    parts = [f"# {root.title}", *(section_text(s).strip() for s in sections(root))]
    others = [m for m in members if m is not root]
    if others:
        parts.append("## Configurations")
        parts += [_difference(member, root) for member in others]
    return "\n\n".join(parts) + "\n"


def _difference(member: Target, root: Target) -> str:
    """Says what a configuration has that its family has not."""
    changed = [name for name, entry in member.ops.items() if root.ops.get(name) is not entry]
    lines = [f"### `{member.id}`", member.title]
    if member.note and member.note != root.note:
        lines.append(member.note)
    peaks = ", ".join(f"{dtype} {peak:g}" for dtype, peak in member.compute.macs_per_cycle.items())
    if peaks:
        lines.append(f"Multiply-accumulates per cycle: {peaks}.")
    if member.constants:
        lines.append("Limits: " + ", ".join(f"{k} = {v}" for k, v in member.constants.items()) + ".")
    if changed and not member.constants:
        only = member.model_copy(update={"ops": {name: member.ops[name] for name in changed}})
        lines.append(section_text(sections(only)[-2]).strip())
    return "\n\n".join(lines)
