"""The account stage: rating with its state, one output block per block."""
