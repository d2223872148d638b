"""The rules, one per file; `table` finds them."""
