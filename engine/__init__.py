"""What happens every second, and what may be asked of any second."""
