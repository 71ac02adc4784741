"""How one talks to the broker: one set of connection settings for every client, topics and their checks, views."""
