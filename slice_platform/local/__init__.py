"""The stand-ins of the local profile: what a laptop has in place of RDS and Redshift."""
