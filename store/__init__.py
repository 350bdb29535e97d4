"""What the store keeps beside its rings, and how both are seen from one second."""
