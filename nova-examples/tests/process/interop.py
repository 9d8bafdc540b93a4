"""Talks to a running notes app, whose address is the argument: see interop.rs."""

import asyncio
import json
import sys
import urllib.request

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

ADDRESS = sys.argv[1]


def create(title):
    note = json.dumps({"title": title, "body": "B", "author": "ann"}).encode()
    request = urllib.request.Request(
        f"http://{ADDRESS}/api/notes", note, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request) as response:
        assert response.status == 201
        return json.load(response)


def socket(path, **options):
    return connect(f"ws://{ADDRESS}{path}", open_timeout=5, **options)


async def receive(ws):
    return await asyncio.wait_for(ws.recv(), 5)


async def notifications():
    async with socket("/notifications") as ann, socket("/notifications") as bob:
        notes = [await asyncio.to_thread(create, f"note {n}") for n in range(60)]
        for ws in (ann, bob):
            events = [json.loads(await receive(ws)) for _ in notes]
            assert events == [{"event": "note_created", "data": note} for note in notes]

        async def writer(name):
            return [await asyncio.to_thread(create, f"{name}/{n}") for n in range(25)]

        written = await asyncio.gather(*(writer(name) for name in range(8)))
        expected = sorted(note["id"] for notes in written for note in notes)
        for ws in (ann, bob):
            events = [json.loads(await receive(ws)) for _ in expected]
            assert sorted(event["data"]["id"] for event in events) == expected
            await ws.send("ping")
            assert await receive(ws) == "pong"


async def chat_and_echo():
    async with socket("/chat") as ann, socket("/chat") as bob, socket("/ws") as echo:
        await ann.send(b"binary")
        await ann.send(["frag", "ments"])
        assert await receive(ann) == await receive(bob) == "fragments"
        await echo.send("hello")
        assert await receive(echo) == "Echo: hello"
        assert await (await echo.ping()) >= 0


async def refusals():
    for path, origin, status in [
        ("/chat", "http://evil.example", 403),
        ("/nothing", None, 404),
        ("/heartbeat", None, 200),
    ]:
        try:
            async with socket(path, origin=origin):
                raise AssertionError(f"{path} was opened")
        except InvalidStatus as refused:
            assert refused.response.status_code == status, path
    async with socket("/ws") as ws:
        await ws.send("a" * 65_537)
        try:
            await receive(ws)
            raise AssertionError("a message of 65,537 bytes was answered")
        except ConnectionClosed as closed:
            assert closed.rcvd.code == 1009


async def main():
    await notifications()
    await chat_and_echo()
    await refusals()
    print("all is well")


asyncio.run(main())
