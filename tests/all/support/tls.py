"""A proxy that terminates TLS in front of a server on this machine: tls.py CERTIFICATE KEY.

It prints its own port, reads the server's port from its input, and serves until that input ends.
"""
import asyncio
import ssl
import sys


async def pump(reader, writer):
    try:
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[1:3])
    loop = asyncio.get_running_loop()
    port = loop.create_future()

    async def serve(reader, writer):
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", await asyncio.shield(port))
        except OSError:
            return writer.close()
        await asyncio.gather(pump(reader, server_writer), pump(server_reader, writer))

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    print(listener.sockets[0].getsockname()[1], flush=True)
    port.set_result(int(await loop.run_in_executor(None, sys.stdin.readline)))
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
