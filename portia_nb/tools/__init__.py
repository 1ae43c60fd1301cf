"""What a step can call: Tool, the `@tool` decorator, registries and the built-in tools."""
