"""The same facts for programs."""
