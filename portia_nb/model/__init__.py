"""The nouns: references, plans, clarifications, events and runs, all frozen, plus the protocol of a language model."""
