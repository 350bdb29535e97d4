"""Attacks: bad input and faults that are cheap to repeat, each tried on the real parts.

``python -m benchmarks.attacks`` tries them with one seed and prints what came of them; a test tries
a few of each.
"""
