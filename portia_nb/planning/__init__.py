"""From a query or builder calls to a checked plan."""
