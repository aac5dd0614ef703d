"""The names by which ccxt asks a session for a request."""

from typing import Any


class Verbs:
    """One method per HTTP method, each the class's own ``request`` with the same options."""

    def request(self, method: str, url: Any, **options: Any) -> Any:
        """An async context manager of the answer, as aiohttp's."""
        raise NotImplementedError

    def get(self, url: Any, **options: Any) -> Any:
        """GET."""
        return self.request("GET", url, **options)

    def post(self, url: Any, **options: Any) -> Any:
        """POST."""
        return self.request("POST", url, **options)

    def put(self, url: Any, **options: Any) -> Any:
        """PUT."""
        return self.request("PUT", url, **options)

    def patch(self, url: Any, **options: Any) -> Any:
        """PATCH."""
        return self.request("PATCH", url, **options)

    def delete(self, url: Any, **options: Any) -> Any:
        """DELETE."""
        return self.request("DELETE", url, **options)
