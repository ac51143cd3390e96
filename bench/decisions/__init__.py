"""How fast decisions are taken and stored, measured with real processes: `python -m bench.decisions`."""
