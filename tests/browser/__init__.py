"""The hosted pages in a real browser."""
