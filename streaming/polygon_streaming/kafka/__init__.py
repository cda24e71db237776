"""What all stages share of Kafka: clients, what errors mean, waiting, lag."""
