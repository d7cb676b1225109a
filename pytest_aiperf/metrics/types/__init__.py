"""The metrics, one file for each that belong together."""
