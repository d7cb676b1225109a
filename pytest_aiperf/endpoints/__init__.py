"""PYTEST_DONT_REWRITE. Knowledge of APIs: one file per endpoint, which formats a request and reads an answer."""
