"""A store of every format that portia_nb has had, kept as test data, and what made it."""
