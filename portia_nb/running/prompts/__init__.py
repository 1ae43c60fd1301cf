"""What models are asked while a plan runs: a file a prompt, each a function of typed arguments."""
