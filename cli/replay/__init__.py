"""Recorded work through the same router, comparison, labels, gates and advances as live work."""
