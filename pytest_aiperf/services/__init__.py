"""Work that runs in processes of its own: the load engine, the embedded server, a user's own server."""
