"""Where people meet the system: the command `auditcast`."""
