"""The pytest plugin: hooks that delegate."""
