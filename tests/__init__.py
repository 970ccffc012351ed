"""The claims ostiary makes about itself, each shown through a public surface."""
