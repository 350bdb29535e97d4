"""What Market Pulse costs, as ratios within one run: ``python -m benchmarks``."""
