"""asyncpg on uvnet's loop, with a real PostgreSQL: TCP, TLS that the protocol asks for, a Unix socket."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asyncio_programs import needs, python, running
from certificates import Certificates
from peers import need, unused_port

NOBODY = 65534
# Where Debian has the server; the newest first.
BINARIES = sorted(
    Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name.zfill(4), reverse=True
)




@pytest.fixture(scope="module")
def server(certificates: Certificates) -> Iterator[dict[str, Any]]:
    """A PostgreSQL in a folder of its own: the ways to it, as arguments of a client."""
    needs("asyncpg")
    postgres = need("postgres", "postgresql", *BINARIES)
    initdb = need("initdb", "postgresql", Path(os.path.realpath(postgres)).parent)
    # It refuses to run as root.
    as_user: list[str] = []
    if os.getuid() == 0:
        as_user = [need("setpriv", "util-linux"), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    # Not in a folder of pytest's, which is for the user alone that runs the tests.
    home = Path(tempfile.mkdtemp())
    try:
        file = home / "server.pem"
        file.write_bytes(certificates.path("server").read_bytes())
        file.chmod(0o600)
        if as_user:
            os.chown(home, NOBODY, NOBODY)
            os.chown(file, NOBODY, NOBODY)
        data = home / "data"
        subprocess.run(
            [*as_user, initdb, "-D", str(data), "-U", "tester", "-A", "trust", "--no-sync"],
            check=True, capture_output=True, timeout=60, cwd=home,
        )  # fmt: skip
        port = unused_port()
        with running(
            home, *as_user, postgres, "-D", str(data), "-p", str(port), "-k", str(home), "-h", "127.0.0.1",
            "-c", "ssl=on", "-c", f"ssl_cert_file={file}", "-c", f"ssl_key_file={file}", "-c", "fsync=off",
            ready="ready to accept connections", quiet=False,
        ):  # fmt: skip
            common = {"port": port, "user": "tester", "database": "postgres"}
            yield {
                "plain": {**common, "host": "localhost", "ssl": "disable"},
                "tls": {**common, "host": "localhost", "ssl": "verify-full"},
                "unix": {**common, "host": str(home)},
            }
    finally:
        shutil.rmtree(home)


@pytest.mark.parametrize("how", ["plain", "tls", "unix"])
def test_asyncpg(server: dict[str, Any], how: str, tmp_path: Path, certificates: Certificates) -> None:
    program = f'''
import asyncio, io, os, asyncpg, uvnet

os.environ["PGSSLROOTCERT"] = {str(certificates.authority)!r}

async def main():
    pool = await asyncpg.create_pool(**{server[how]!r}, min_size=2, max_size=5)
    async with pool.acquire() as connection:
        secure = await connection.fetchval("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
        assert secure == ({how!r} == "tls")
        await connection.execute("create table {how}_things (number int, words text)")
        await connection.copy_records_to_table("{how}_things", records=[(n, "word" * 100) for n in range(20_000)])
        assert await connection.fetchval("select count(*) from {how}_things") == 20_000
        rows = await connection.fetch("select * from {how}_things order by number")
        assert [row["number"] for row in rows] == list(range(20_000))
        copied = io.BytesIO()
        await connection.copy_from_query("select * from {how}_things order by number", output=copied)
        assert copied.getvalue() == b"".join(b"%d\\t%s\\n" % (n, b"word" * 100) for n in range(20_000))
        await connection.execute("truncate {how}_things")
        copied.seek(0)
        assert await connection.copy_to_table("{how}_things", source=copied) == "COPY 20000"
        async with connection.transaction():
            count = 0
            async for row in connection.cursor("select * from {how}_things", prefetch=1000):
                count += 1
            assert count == 20_000
    await asyncio.gather(*[pool.fetchval("select pg_sleep(0.01)") for _ in range(20)])
    async with pool.acquire() as connection:
        try:
            await connection.fetchval("select pg_sleep(30)", timeout=0.1)
        except asyncio.TimeoutError:
            pass
        assert await connection.fetchval("select 5") == 5
        heard = asyncio.get_running_loop().create_future()
        def listener(*arguments):
            heard.set_result(arguments[-1])
        await connection.add_listener("{how}_news", listener)
        await pool.execute("notify {how}_news, 'words'")
        assert await heard == "words"
        await connection.remove_listener("{how}_news", listener)
    await pool.close()
    print("done")

uvnet.run(main())
'''
    assert python(tmp_path, program) == "done\n"
