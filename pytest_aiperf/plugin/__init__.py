"""The registry: what exists by category and name, imported only when asked for."""
