"""What the server says of itself while it is measured: its Prometheus page and its version. Imported when used."""
