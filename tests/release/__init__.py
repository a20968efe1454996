"""The distribution as its users install it, without a compiler."""
