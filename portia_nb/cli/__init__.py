"""The terminal face: `portia-nb`."""
