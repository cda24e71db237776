"""What all stages share as processes: metrics, status over HTTP, logs, signals."""
