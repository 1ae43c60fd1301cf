"""Old code's `import portia`, answered by ours, for one process and only when asked."""
