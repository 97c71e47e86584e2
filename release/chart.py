"""The chart's package: Helm packs it, and it is packed once more with the commit's time.

Law: names and contents are Helm's; times, owners, modes, their order and the compression are ours, since Helm writes
the time of packing.
"""

import gzip
import io
import pathlib
import subprocess
import tarfile
import tempfile

from lab.programs import cache


def package(chart: pathlib.Path, into: pathlib.Path, epoch: int) -> pathlib.Path:
    """Pack the chart into a folder and return the file. Raises LabError where Helm cannot be built."""
    helm = cache.install(only={"helm"}).programs["helm"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([helm, "package", chart, "--destination", folder], check=True, stdout=subprocess.DEVNULL)
        (packed,) = pathlib.Path(folder).iterdir()
        target = into / packed.name
        target.write_bytes(repacked(packed.read_bytes(), epoch))
    return target


def repacked(archive: bytes, epoch: int) -> bytes:
    """The same files in a .tgz whose bytes depend on nothing but them and the time in seconds since 1970."""
    packed = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive)) as old,
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=epoch) as compressed,
        tarfile.open(mode="w", fileobj=compressed, format=tarfile.USTAR_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            plain = tarfile.TarInfo(member.name)
            plain.size, plain.mtime, plain.mode = member.size, epoch, 0o644
            new.addfile(plain, old.extractfile(member))
    return packed.getvalue()
