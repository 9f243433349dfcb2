"""What a newcomer does: two clients of somebody else's making, Debian's
python3-websockets, talk to each other."""

import asyncio
import json

import websockets

from chat import *


def connect(server, user, query=''):
    return websockets.connect('ws://127.0.0.1:%d/ws%s' % (server.port, query), subprotocols=['chat.v1'],
                              extra_headers={'Authorization': 'Bearer ' + server.token(user)})


async def receive(ws):
    return json.loads(await asyncio.wait_for(ws.recv(), 10 * SLOW))


async def call(ws, key, method, **params):
    await ws.send(json.dumps({'jsonrpc': '2.0', 'id': key, 'method': method, 'params': params}))
    while True:
        message = await receive(ws)
        if message.get('id') == key:
            return message['result']


@test('two python3-websockets clients exchange direct messages')
def _():
    server = Server()

    async def run():
        async with connect(server, 'alice') as alice, connect(server, 'bob') as bob:
            equal(alice.subprotocol, 'chat.v1', 'subprotocol')
            ready = await receive(alice)
            equal(ready['method'], 'session.ready')
            equal(ready['params']['user'], 'alice')
            equal((await receive(bob))['params']['inbox_id'], 0)
            sent = await call(alice, 'a1', 'message.send', to='bob', client_id='1', text='hello bob')
            got = (await receive(bob))['params']
            equal(got['inbox_id'], 1)
            equal(got['message']['text'], 'hello bob')
            equal(got['message']['sender'], 'alice')
            equal(got['message']['channel'], sent['channel'])
            back = await call(bob, 7, 'message.send', channel=sent['channel'], client_id='1', text='hello alice')
            equal(back['message_id'], 2)
            equal((await receive(alice))['params']['message']['text'], 'hello alice')
    asyncio.run(run())


@test('a group of three python3-websockets clients: each gets every message once')
def _():
    server = Server()

    async def run():
        async with connect(server, 'alice') as alice, connect(server, 'bob') as bob, \
                connect(server, 'carol') as carol:
            for ws in (alice, bob, carol):
                await receive(ws)
            made = await call(alice, 1, 'channel.create', name='friends', members=['bob', 'carol'])
            channel = made['channel']['channel']
            for ws in (bob, carol):
                equal((await receive(ws))['method'], 'channel.updated')
            await call(bob, 1, 'message.send', channel=channel, client_id='1', text='to all')
            equal((await receive(carol))['params']['message']['text'], 'to all')
            message = await receive(alice)
            while message.get('method') != 'message.new':
                message = await receive(alice)
            equal(message['params']['message']['sender'], 'bob')
    asyncio.run(run())


@test('a client that reconnects with after= gets exactly what it missed, in order')
def _():
    server = Server()

    async def run():
        async with connect(server, 'alice') as alice:
            await receive(alice)
            async with connect(server, 'bob') as bob:
                await receive(bob)
                await call(alice, 1, 'message.send', to='bob', client_id='first', text='seen')
                last = (await receive(bob))['params']['inbox_id']
            for i in range(300):
                await call(alice, i, 'message.send', to='bob', client_id='m%d' % i, text='missed %d' % i)
            async with connect(server, 'bob', '?after=%d' % last) as bob:
                equal((await receive(bob))['params']['inbox_id'], last + 300)
                for i in range(300):
                    event = (await receive(bob))['params']
                    equal((event['inbox_id'], event['message']['text']), (last + 1 + i, 'missed %d' % i))
                await call(alice, 'x', 'message.send', to='bob', client_id='live', text='live')
                equal((await receive(bob))['params']['message']['text'], 'live')
    asyncio.run(run())


main()
