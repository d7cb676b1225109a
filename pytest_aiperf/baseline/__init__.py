"""Stored measurements: their schema, the key that makes two of them comparable, and the files they live in."""
