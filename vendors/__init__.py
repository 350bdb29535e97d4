"""What each vendor sends and wants to be sent, one module per wire format; nothing does I/O."""
