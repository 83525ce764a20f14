"""What each provider's and each library's answers look like: one module for a shape, and the list of them."""
