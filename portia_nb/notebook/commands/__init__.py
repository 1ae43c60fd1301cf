"""The commands of the notebook face: what each is called, takes and does."""
