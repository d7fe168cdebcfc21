"""Online: an artifact and a cache behind REST."""
