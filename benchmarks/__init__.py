"""Speed and quality, measured: each a module run by name."""
