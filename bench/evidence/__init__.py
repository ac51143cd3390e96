"""What the evidence engine promises, measured: `python -m bench.evidence`, written to `bench/evidence.md`."""
