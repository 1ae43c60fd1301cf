"""Tests of the language models, against servers on loopback."""
