"""Invariants of what was stored and counted: checks them by recounting, and repairs what can be derived."""
