"""Tests against real kernels."""
