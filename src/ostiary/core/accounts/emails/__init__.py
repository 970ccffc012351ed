"""The e-mail addresses of an account: several, one of them primary; each proven one identifies the account."""
