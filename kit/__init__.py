"""Plumbing that knows no domain: database, clock, ids, errors, HTTP, tasks, settings."""
