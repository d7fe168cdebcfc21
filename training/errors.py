"""What can be wrong with the files a shop gives us."""

from __future__ import annotations


class InputError(Exception):
    """One clear sentence that names the file, the column and the count; the command line exits with status 2."""
