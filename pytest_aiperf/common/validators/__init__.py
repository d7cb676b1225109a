"""What is checked of data when it is loaded, before any request."""
