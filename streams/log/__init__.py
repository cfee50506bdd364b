"""The event log: a port of two methods, and the adapters that keep it."""
