"""What observes and releases on a cluster: it speaks HTTP, the Kubernetes API, and runs helm."""
