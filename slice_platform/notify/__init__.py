"""Jarvis: people are told what happened."""
