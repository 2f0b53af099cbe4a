"""Cloud Custodian over many accounts: looks at them every day, tells what it found, and mends what is critical."""
