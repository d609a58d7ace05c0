"""What the servers of several systems share: limits, refusals, connections, files. They need Starlette."""
