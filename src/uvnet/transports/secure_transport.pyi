import asyncio

from typing_extensions import disjoint_base

from uvnet.transports.transport import Transport

class SSLTransport(asyncio.Transport): ...

@disjoint_base
class SecureTransport(Transport): ...
