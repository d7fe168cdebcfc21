"""The store: events, consents, the catalogue, rules, keys and mails. It holds the truth."""
