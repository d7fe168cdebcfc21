"""Errors of a model on disk."""


class ArtifactError(Exception):
    """An artifact or a registry is damaged, incomplete or foreign; the message names the file."""
