"""The tools that come with portia_nb, one file each."""
