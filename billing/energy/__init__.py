"""What a supplier of energy bills by operations: which there are, what became of them. Pure rules."""
