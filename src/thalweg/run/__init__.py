"""The driver: everything that touches the host."""
