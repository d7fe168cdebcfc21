"""Offline: purchase history in, a checked and evaluated artifact out."""
