"""Access: who may do what. Today only that an account holds a role; permissions and policies come on top of it."""
