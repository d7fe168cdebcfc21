"""The demonstration shop: pages on which every call of the API can be seen at work."""
