"""The rules that descriptors may name, one family per file."""

from __future__ import annotations

from edgekit.compat.rules.registry import Rule, graph_rule, graph_rules, rule, rules

__all__ = ["Rule", "graph_rule", "graph_rules", "rule", "rules"]
