"""One file a command; each exports an `App` named `app`. Heavy imports stand inside the functions."""
