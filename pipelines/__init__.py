"""The stream: bytes in, output blocks out. Decoding, the resource stage, the account stage, the spool."""
