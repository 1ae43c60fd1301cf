"""The notebook face: magics, display, the live widget and its forms."""
