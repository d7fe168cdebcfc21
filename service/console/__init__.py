"""The console: pages for those who run a shop, on the public API alone."""
