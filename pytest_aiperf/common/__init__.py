"""Ground floor: what every other package may use and what uses no other package."""
