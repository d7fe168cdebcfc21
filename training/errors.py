"""Errors in what a user gives to training."""

from __future__ import annotations


class InputError(Exception):
    """A sentence that names the file or option, the problem and the count.

    The command line prints it and exits with status 2.
    """


class NobodyAllowsError(InputError):
    """Nothing is left to learn from, since everybody it is of was erased or says no."""
