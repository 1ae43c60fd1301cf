"""What models are asked while a plan runs: one file a prompt, each a function of typed arguments."""
