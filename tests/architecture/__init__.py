"""The rules of the house, enforced."""
