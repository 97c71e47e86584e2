"""Records as lines, on real files: rotated, full, cut."""

import errno
import json
import os
from pathlib import Path

import pytest

from canary_operator.archive.stream import Stream
from canary_operator.posting.once import Later, Taken
from tests.archive.trail import an_entry


@pytest.fixture
def file(tmp_path):
    return tmp_path / "decisions.jsonl"


def sequences(path):
    return [json.loads(line)["spec"]["sequence"] for line in path.read_text().splitlines()]


async def test_a_record_is_one_line(file):
    stream = Stream(file)

    assert [await stream.hand_on(an_entry(1)), await stream.hand_on(an_entry(2))] == [Taken(), Taken()]

    assert file.read_text() == f"{an_entry(1).line}\n{an_entry(2).line}\n"
    assert file.stat().st_mode & 0o777 == 0o640


async def test_what_is_there_stays(file):
    file.write_text("{}\n")

    await Stream(file).hand_on(an_entry())

    assert file.read_text() == f"{{}}\n{an_entry().line}\n"


async def test_a_file_that_was_moved_away_is_begun_anew(file, tmp_path):
    stream = Stream(file)
    await stream.hand_on(an_entry(1))
    file.rename(tmp_path / "decisions.jsonl.1")

    await stream.hand_on(an_entry(2))
    file.rename(tmp_path / "decisions.jsonl.2")
    file.write_text("")
    await stream.hand_on(an_entry(3))

    assert [sequences(path) for path in sorted(tmp_path.iterdir())] == [[3], [1], [2]]


async def test_a_file_that_is_cut_in_its_place_goes_on_at_its_begin(file):
    stream = Stream(file)
    await stream.hand_on(an_entry(1))
    os.truncate(file, 0)

    await stream.hand_on(an_entry(2))

    assert sequences(file) == [2]


async def test_a_full_disk_takes_nothing_and_says_so():
    full = Path("/dev/full")

    assert await Stream(full).hand_on(an_entry()) == Later("/dev/full: No space left on device")


@pytest.mark.parametrize("spoil", ["no folder", "a folder"])
async def test_what_is_no_file_says_so_and_is_used_once_it_is_one(tmp_path, spoil):
    path = tmp_path / "place" / "decisions.jsonl"
    if spoil == "a folder":
        path.mkdir(parents=True)
    stream = Stream(path)

    assert isinstance(await stream.hand_on(an_entry()), Later)

    if spoil == "a folder":
        path.rmdir()
    path.parent.mkdir(exist_ok=True)
    assert await stream.hand_on(an_entry()) == Taken()


async def test_a_line_that_a_crash_has_cut_stays_a_line_of_its_own(file):
    file.write_text('{"half')

    await Stream(file).hand_on(an_entry())

    assert file.read_text() == f'{{"half\n{an_entry().line}\n'


async def test_a_write_that_breaks_off_is_repeated_on_a_line_of_its_own(file, monkeypatch):
    write, room = os.write, [5, 0]

    def full(descriptor, data):
        left = room.pop(0) if room else len(data)
        if not left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, bytes(data)[:left])

    monkeypatch.setattr(os, "write", full)
    stream = Stream(file)

    assert await stream.hand_on(an_entry()) == Later(f"{file}: No space left on device")
    assert await stream.hand_on(an_entry()) == Taken()

    assert file.read_text() == f"{an_entry().line[:5]}\n{an_entry().line}\n"


async def test_standard_error_is_a_stream_too(capfd):
    await Stream("stderr").hand_on(an_entry())

    assert capfd.readouterr().err == f"{an_entry().line}\n"
