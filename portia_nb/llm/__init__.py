"""Language models behind one protocol: the `openai` client, presets, and the record player."""
