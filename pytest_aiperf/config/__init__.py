"""Configuration: one declaration per option, layers merged by precedence, one validated result."""
