"""A plan as a picture: layout, SVG, Graphviz source and plain text."""
