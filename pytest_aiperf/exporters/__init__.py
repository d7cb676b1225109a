"""Outlets: what is shown and written. They read a measurement and decide nothing."""
