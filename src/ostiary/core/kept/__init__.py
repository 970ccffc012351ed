"""What is kept about an account, as its owner may read it: each part of ostiary says it of its own tables."""
