"""Whole-product tests: through the public API, over real sockets, into the real journal."""
