"""Tests of the client side, against an issuer and a service that listen on a real port."""
