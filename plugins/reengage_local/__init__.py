"""Everything on one machine: the embedded server, the services, the demo, days in one process."""
