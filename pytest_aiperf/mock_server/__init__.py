"""The embedded OpenAI-compatible mock server: the default endpoint, and the ground truth of fidelity."""
