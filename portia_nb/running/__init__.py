"""From a plan to events: a pure asyncio executor that knows no store, vendor or notebook."""
