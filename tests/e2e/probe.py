"""Talks TCP and UDP inside a container's network, which has no tool that could.

    probe.py serve NAME PORT            answers both with "NAME CLIENT-ADDRESS", by IPv4 and IPv6, until its input ends
    probe.py ask PORT ADDRESS…          prints, as JSON, what each address answered by TCP and by UDP, null for nothing
    probe.py hammer PORT ADDRESS        asks by TCP, connection after connection, until its input ends; prints as JSON how
                                        often who answered, and what went wrong
"""

import collections
import json
import select
import socket
import sys
import threading

WAIT = 1.0


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def plain(address):
    return address.removeprefix("::ffff:")


def serve(name, port):
    # Both families on one socket each.
    stream = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512)
    datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    datagrams.bind(("::", port))
    print("serving", flush=True)
    while True:
        ready, _, _ = select.select([sys.stdin, stream, datagrams], [], [])
        if sys.stdin in ready and not sys.stdin.buffer.read1(1):
            return
        if stream in ready:
            connection, peer = stream.accept()
            with connection:
                connection.sendall(f"{name} {plain(peer[0])}".encode())
        if datagrams in ready:
            _, peer = datagrams.recvfrom(64)
            datagrams.sendto(f"{name} {plain(peer[0])}".encode(), peer)


def ask_tcp(address, port):
    with socket.create_connection((address, port), timeout=WAIT) as connection:
        answer = b""
        while piece := connection.recv(256):
            answer += piece
        return answer.decode() or None


def ask_udp(address, port):
    with socket.socket(family(address), socket.SOCK_DGRAM) as client:
        client.settimeout(WAIT)
        client.connect((address, port))
        client.send(b"?")
        return client.recv(256).decode()


def ask(port, addresses):
    answers = {}

    def one(address):
        found = {}
        for name, way in (("tcp", ask_tcp), ("udp", ask_udp)):
            try:
                found[name] = way(address, port)
            except OSError:
                found[name] = None
        answers[address] = found

    threads = [threading.Thread(target=one, args=(address,)) for address in addresses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(answers))


def hammer(port, address):
    answered, failed = collections.Counter(), collections.Counter()
    print("hammering", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        try:
            answered[(ask_tcp(address, port) or "nothing").split()[0]] += 1
        except OSError as error:
            failed[type(error).__name__ + ": " + str(error)] += 1
    print(json.dumps({"answered": answered, "failed": failed}))


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "serve":
        serve(rest[0], int(rest[1]))
    elif what == "ask":
        ask(int(rest[0]), rest[1:])
    elif what == "hammer":
        hammer(int(rest[0]), rest[1])
