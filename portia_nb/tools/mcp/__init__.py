"""Tools of MCP servers, reached through the official `mcp` package (the extra ``mcp``)."""
