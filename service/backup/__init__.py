"""Backups: copies of stores and registries from which a deployment is restored."""
