"""Answers that other projects recorded of the real providers, as an oracle of what is read of them."""
