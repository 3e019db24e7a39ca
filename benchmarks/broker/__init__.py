"""A real Kafka for tests and benchmarks: Apache Kafka 4 in KRaft mode, one broker on loopback."""
