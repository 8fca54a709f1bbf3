"""The pages: a Flask application in a few threads of its own."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, TypeVar

from flask import Response as FlaskResponse
from werkzeug.test import EnvironBuilder

from imgcdn.errors import Overloaded, SourceNotFound
from imgcdn.service.assembly import Parts
from imgcdn.web.pages.application import create_pages
from imgcdn.web.request import Request
from imgcdn.web.responses import Response

T = TypeVar("T")

_THREADS = 4

#: Requests for pages that may run or wait.
_MAX_WAITING = 32


class Pages:
    """
    Serves the pages of one process.

    Args:
        parts: The service and its components.
    """

    def __init__(self, parts: Parts) -> None:
        self._app = create_pages(parts, self._run)
        self._threads: ThreadPoolExecutor | None = None  # made after the fork
        self._loop: asyncio.AbstractEventLoop | None = None
        #: Requests for pages that are not answered yet.
        self.waiting = 0

    async def answer(self, request: Request) -> Response:
        """
        Return a page.

        Raises:
            SourceNotFound: There is no such page.
            Overloaded: Too many pages are requested at the same time.
        """
        if self.waiting >= _MAX_WAITING:
            raise Overloaded("Too many pages are requested. Try again in a second.")
        self._loop = asyncio.get_running_loop()
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="pages")
        self.waiting += 1
        try:
            return await self._loop.run_in_executor(self._threads, self._call, request)
        finally:
            self.waiting -= 1

    def _call(self, request: Request) -> Response:
        # The host is constant: a page must not depend on what a client calls us.
        environ = EnvironBuilder(
            path=request.path,
            query_string=request.target.partition("?")[2],
            method=request.method,
            base_url=f"http://localhost{request.mounted_at}",
        ).get_environ()
        page = FlaskResponse.from_app(self._app, environ, buffered=True)
        if page.status_code == HTTPStatus.NOT_FOUND:
            raise SourceNotFound("There is no such page. Pictures are at /img?url=/photo.jpg")
        # A static file has a Date of Flask's, and every response gets ours when it leaves.
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in page.headers if name != "Date"]
        return Response(page.status_code, headers, page.get_data())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
