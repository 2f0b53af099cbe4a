"""What the platform does to infrastructure: AMI releases, uptime monitors, Cloud Custodian; all behind one fence."""
