"""What is asked: prompts made here or read from files."""
