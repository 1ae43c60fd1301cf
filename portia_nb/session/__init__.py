"""`Portia`: the one place where planning, running, storage, tools and models are wired together."""
