"""What is remembered over a restart, on a real disk."""

import sqlite3

import pytest

from canary_operator.archive.notebook import Notebook, Settled
from tests.archive.trail import REF, an_entry


@pytest.fixture
def file(tmp_path):
    return tmp_path / "spool" / "webhook.sqlite"


def test_a_notebook_begins_empty_and_makes_its_folder(file):
    assert Notebook(file).read() == ([], [])


def test_what_waits_is_remembered_in_the_order_of_its_chain(file):
    entries = [an_entry(2), an_entry(10), an_entry(1, "other")]

    Notebook(file).wait(entries)

    assert Notebook(file).read() == ([], [entries[0], entries[1], entries[2]])


def test_what_is_settled_waits_no_longer(file):
    Notebook(file).wait([an_entry(1), an_entry(2), an_entry(3), an_entry(1, "other")])

    Notebook(file).settle(Settled(REF, an_entry().uid, 2))

    assert Notebook(file).read() == ([Settled(REF, an_entry().uid, 2)], [an_entry(3), an_entry(1, "other")])


def test_chains_are_forgotten(file):
    for uid in ("a", "b"):
        Notebook(file).settle(Settled(REF, uid, 2))

    Notebook(file).forget(["a"])

    assert Notebook(file).read() == ([Settled(REF, "b", 2)], [])


def test_a_file_that_is_deleted_is_begun_anew(file):
    notebook = Notebook(file)
    notebook.wait([an_entry()])
    file.unlink()

    notebook.wait([an_entry(2)])

    assert notebook.read() == ([], [an_entry(2)])


@pytest.mark.parametrize("spoil", ["no database", "no folder", "full"])
def test_a_file_that_cannot_be_used_says_so(file, spoil):
    file.parent.mkdir()
    match spoil:
        case "no database":
            file.write_bytes(b"something else" * 100)
        case "no folder":
            file.parent.rmdir()
            file.parent.write_text("a file")
        case "full":
            file.symlink_to("/dev/full")

    with pytest.raises((OSError, sqlite3.Error)):
        Notebook(file).wait([an_entry()])


def test_another_that_holds_the_file_is_not_waited_for_long(file, monkeypatch):
    monkeypatch.setattr("canary_operator.archive.notebook._PATIENCE_SECONDS", 0.01)
    Notebook(file).read()
    holder = sqlite3.connect(file)
    holder.execute("BEGIN EXCLUSIVE")

    with pytest.raises(sqlite3.OperationalError, match="locked"):
        Notebook(file).wait([an_entry()])
    holder.close()
