"""Configuration files: YAML with variables, read into options and written from a configuration."""
