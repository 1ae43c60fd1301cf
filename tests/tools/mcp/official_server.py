"""An MCP server written with the official package; run as a program: ``stdio``, ``sse`` or HTTP.

python official_server.py stdio
python official_server.py streamable-http     (says its address on standard error)
"""

import asyncio
import os
import sys
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations
from pydantic import BaseModel

server = MCPServer("official")


class Point(BaseModel):
    x: float
    y: float


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def add(a: int, b: int = 2) -> int:
    """Add two numbers."""
    return a + b


@server.tool(annotations=ToolAnnotations(read_only_hint=False, destructive_hint=True))
def erase(name: str) -> str:
    """Erase something."""
    return f"erased {name}"


@server.tool()
def mirror(point: Point) -> Point:
    """Mirror a point."""
    return Point(x=-point.x, y=-point.y)


@server.tool(structured_output=False)
def environment() -> str:
    """Tell the names in the server's environment."""
    return " ".join(sorted(os.environ))


@server.tool(structured_output=False)
def two_parts() -> list[Any]:
    """Answer in two parts."""
    return ["one", "two"]


@server.tool()
def fail() -> str:
    """Fail."""
    raise ValueError("no such thing")


@server.tool()
async def wait() -> str:
    """Wait for ever."""
    await asyncio.Event().wait()
    return "never"


@server.tool()
def crash() -> str:
    """Take the whole server down."""
    os._exit(3)


if __name__ == "__main__":
    way: Any = sys.argv[1]
    settings: Any = {} if way == "stdio" else {"port": 0}
    server.run(way, **settings)
