"""Shops of a deployment: each has a registry, a store, keys and settings of its own."""
