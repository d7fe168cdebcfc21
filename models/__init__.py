"""The recommenders: arrays and frozen dataclasses in, the same out. No clock, no web, no SQL."""
