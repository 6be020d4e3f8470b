"""The Open Inference Protocol, version 2, as a client speaks it: over REST and over gRPC."""
