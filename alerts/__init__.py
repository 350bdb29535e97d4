"""Alerts: events carried out of the page."""
