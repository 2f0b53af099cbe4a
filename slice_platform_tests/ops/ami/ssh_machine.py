"""The machine that packer provisions, on the loopback: an SSH server whose commands really run, in a folder."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh


@dataclass
class SshMachine:
    """Where it listens, and the private key that it lets in. Uploaded files lie where they are put."""

    home: Path
    port: int = 0
    key: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-rsa", key_size=2048))

    @property
    def key_file(self) -> Path:
        return self.home / "key.pem"

    async def serve(self, listening: threading.Event, ended: asyncio.Event) -> None:
        """Listens until it is told to end."""
        self.key_file.write_bytes(self.key.export_private_key("pkcs1-pem"))
        self.key_file.chmod(0o600)
        known = asyncssh.import_authorized_keys(self.key.export_public_key().decode())
        server = await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            authorized_client_keys=known, process_factory=self._run, encoding=None, sftp_factory=True, allow_scp=True,
        )  # fmt: skip
        self.port = server.get_port()
        listening.set()
        await ended.wait()
        server.close()
        await server.wait_closed()

    async def _run(self, process: "asyncssh.SSHServerProcess[bytes]") -> None:
        child = await asyncio.create_subprocess_shell(
            process.command or "true", cwd=self.home, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            said, _ = await child.communicate()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        process.stdout.write(said)
        process.exit(child.returncode or 0)


@contextmanager
def running_ssh_machine(home: Path) -> Iterator[SshMachine]:
    """A machine at work for the length of the block."""
    home.mkdir()
    machine, listening = SshMachine(home), threading.Event()
    ends: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        ended = asyncio.Event()
        ends.append((asyncio.get_running_loop(), ended))
        await machine.serve(listening, ended)

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert listening.wait(20)
    try:
        yield machine
    finally:
        loop, ended = ends[0]
        loop.call_soon_threadsafe(ended.set)
        thread.join(20)
