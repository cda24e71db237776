"""The HTTP shell: routes, and how a reply goes, or fails to go, over the wire."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from aiohttp import web

from polygon_sandbox.answers import served
from polygon_sandbox.contract import Endpoint, endpoint
from polygon_sandbox.flat_files.layout import BUCKET
from polygon_sandbox.flat_files.s3 import S3Request
from polygon_sandbox.replies import Reply
from polygon_sandbox.service import Incoming, Service

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build_app(service: Service, latency_ms: float) -> web.Application:
    """An application that answers every endpoint, each reply `latency_ms` after its request."""
    app = web.Application()
    for path in served():
        app.router.add_get(path, _handler(service, endpoint(path), latency_ms))
    for path in (f"/{BUCKET}", f"/{BUCKET}/{{key:.*}}"):
        app.router.add_get(path, _s3_handler(service, latency_ms))
    app.router.add_get("/{path:.*}", _handler(service, None, latency_ms))
    return app


def _handler(service: Service, endpoint: Endpoint | None, latency_ms: float) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        reply = service.answer(
            Incoming(
                endpoint=endpoint,
                origin=f"{request.scheme}://{request.host}",
                path=request.path,
                path_values=request.match_info,
                pairs=list(request.query.items()),
                authorization=request.headers.get("Authorization", ""),
            )
        )
        return await _after(latency_ms, request, reply)

    return handle


def _s3_handler(service: Service, latency_ms: float) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        asked = S3Request(
            method=request.method,
            raw_path=request.raw_path.partition("?")[0],
            path=request.path,
            pairs=parse_qsl(request.raw_path.partition("?")[2], keep_blank_values=True),
            headers={name.lower(): value for name, value in request.headers.items()},
        )
        # A file that nobody has asked for yet takes a while to make.
        origin = f"{request.scheme}://{request.host}"
        reply = await asyncio.to_thread(service.answer_s3, asked, origin)
        return await _after(latency_ms, request, reply)

    return handle


async def _after(latency_ms: float, request: web.Request, reply: Reply) -> web.StreamResponse:
    seconds = latency_ms / 1000 + reply.delay_seconds
    if seconds:
        await asyncio.sleep(seconds)
    return await _send(request, reply)


async def _send(request: web.Request, reply: Reply) -> web.StreamResponse:
    headers = {**reply.headers, "Content-Type": reply.content_type}
    if reply.wire == "whole":
        return web.Response(status=reply.status, body=reply.body, headers=headers)
    if reply.wire == "cut":
        headers["Content-Length"] = str(len(reply.body))
        response = web.StreamResponse(status=reply.status, headers=headers)
        await response.prepare(request)
        await response.write(reply.body[: len(reply.body) // 2])
        _abort(request)
        return response
    _linger_zero(request)
    _abort(request)
    return web.Response()


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _linger_zero(request: web.Request) -> None:
    """Make closing the socket send RST; a plain close would look like an orderly end."""
    sock = request.transport.get_extra_info("socket") if request.transport else None
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
