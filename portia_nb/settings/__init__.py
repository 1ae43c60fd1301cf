"""What `Config` is read from: the choices it knows, the environment, and files with profiles."""
