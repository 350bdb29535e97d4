"""Where ticks come from, and who says that a second is over."""
