"""The prices we know beside those other packages know."""
