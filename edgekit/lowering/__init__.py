"""See the house plan: docs/architecture.md."""
