"""What the planner says to a model, one file for each conversation."""
