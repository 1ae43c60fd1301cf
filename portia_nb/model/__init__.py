"""The nouns: references, plans, clarifications, events, runs; and what a language model is."""
