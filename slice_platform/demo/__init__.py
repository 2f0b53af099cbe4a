"""The demo: a year of real flights, with the mishaps of real deliveries, and answers to check it by."""
