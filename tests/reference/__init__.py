"""Slow twins in float64 NumPy, written from the formulas of the docstrings, and the means to compare with them."""
