"""What a feed is made of: its connection, what is measured of that, and what is said of it."""
