"""The bus on Apache Kafka: the log goes out to agents in other processes, and their answers come back."""
