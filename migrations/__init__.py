"""The chain of schema changes, one for both databases. `chain.py` runs it; `NOTES.md` says what each one is for."""
