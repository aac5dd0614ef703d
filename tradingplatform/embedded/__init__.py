"""One process that is everything, with a rehearsal exchange beside it."""
