"""Pulse: monitors of services as files in git, brought to Elastic Heartbeat, or run by the platform itself."""
