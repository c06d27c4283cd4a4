"""The router: copies messages between the two who have the same token."""

import asyncio

import grpc
import jwt
from identity import bearer, stream_of
from jumpstarter_protocol import router_pb2, router_pb2_grpc


class Router(router_pb2_grpc.RouterServiceServicer):
    """RouterService. The first peer of a stream waits for ever; the second one begins the copying."""

    def __init__(self, state):
        self.state = state
        self.waiting = {}
        self.pairs = 0
        self.open = 0

    async def Stream(self, _, context):
        try:
            stream = stream_of(bearer(context) or "")
        except jwt.InvalidTokenError as error:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, f"invalid token: {error}")
        self.open += 1
        try:
            if stream in self.waiting:
                await self.pair(context, *self.waiting.pop(stream))
            else:
                done = asyncio.Event()
                self.waiting[stream] = (context, done)
                try:
                    await done.wait()
                finally:
                    if self.waiting.get(stream) == (context, done):
                        del self.waiting[stream]
                    done.set()
        finally:
            self.open -= 1

    async def pair(self, second, first, done):
        self.pairs += 1
        copies = [asyncio.create_task(copy(first, second)), asyncio.create_task(copy(second, first))]
        gone = asyncio.create_task(done.wait())
        try:
            # The end of one direction ends nothing; the failure of one ends both.
            pending = {*copies, gone}
            while pending - {gone}:
                over, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                if gone in over or any(task.cancelled() or task.exception() for task in over):
                    break
        finally:
            for task in (*copies, gone):
                task.cancel()
            done.set()


async def copy(source, sink):
    while (frame := await source.read()) is not grpc.aio.EOF:
        await sink.write(router_pb2.StreamResponse(payload=frame.payload, frame_type=frame.frame_type))
