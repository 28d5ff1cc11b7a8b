"""Measurements: `python -m tests.bench`. Figures, no assertions."""
