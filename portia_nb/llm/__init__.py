"""Language models behind one protocol: the `openai` client, provider presets, and the record player."""
