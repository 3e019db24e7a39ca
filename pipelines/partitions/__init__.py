"""The stages on one partition each: a message in, messages out; pure, so that agents stay thin."""
