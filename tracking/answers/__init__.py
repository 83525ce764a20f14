"""From a provider's answer to counts: who answered, in which shape, and what it says was used. Knows no price."""
