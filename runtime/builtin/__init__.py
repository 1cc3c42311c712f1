"""The fleet that a newcomer meets: two small servers, one of them a process of its own."""
