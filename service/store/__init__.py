"""What the shop told the service: events, consents, catalogue changes, rules and keys. The store is the truth."""
