"""What can be wrong with a model on disk."""


class ArtifactError(Exception):
    """An artifact or a registry that is damaged, incomplete or foreign; the message names the file."""
