"""The nouns: frozen, and parsed at the border."""
