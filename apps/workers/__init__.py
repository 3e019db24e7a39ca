"""The streaming mode: collector, stages and sink as processes on Kafka."""
