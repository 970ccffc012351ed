"""What an attacker who may only send requests can learn or wear down."""
