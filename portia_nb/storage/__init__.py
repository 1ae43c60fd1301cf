"""Where events stay: the SQLite journal, and memory."""
