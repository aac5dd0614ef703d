"""Real processes, real sockets, real kills: nothing is lost and nothing is done twice."""
