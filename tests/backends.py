"""Whether the database and the Redis of a distributed test run answer: exit code 0 if both do."""

import sys

import psycopg
import redis

CONNECT_SECONDS = 3


def answer(database_url: str, redis_url: str) -> bool:
    """Whether both servers can be reached; says on stderr which one cannot."""
    try:
        psycopg.connect(database_url, connect_timeout=CONNECT_SECONDS).close()
    except psycopg.Error:
        print("PostgreSQL does not answer at TEST_DATABASE_URL", file=sys.stderr)
        return False
    try:
        with redis.Redis.from_url(redis_url, socket_connect_timeout=CONNECT_SECONDS) as client:
            client.ping()
    except (redis.RedisError, OSError):
        print("Redis does not answer at TEST_REDIS_URL", file=sys.stderr)
        return False
    return True


if __name__ == "__main__":
    raise SystemExit(0 if answer(*sys.argv[1:3]) else 1)
