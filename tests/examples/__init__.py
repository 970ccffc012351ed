"""The examples, as a developer would start them."""
