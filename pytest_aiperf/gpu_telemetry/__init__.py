"""What the GPUs did while the load ran, and which GPUs they are. Imported when used."""
