"""A backup is one encrypted file: whole or not there, and read by its key alone."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyrage
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coldstart.backup.contents import check
from coldstart.backup.errors import BackupUnreadable, KeyUnusable
from coldstart.backup.keys import BackupKeys, keys, new_key, read_keys
from coldstart.backup.sealed_file import sealed, unsealed

PARTS = (
    ("backup.json", b"{}"),
    ("files/master-secret", b"the master secret"),
    ("streams/x/chunks", os.urandom(200_000)),
)


@pytest.fixture(scope="module")
def key() -> BackupKeys:
    return read_keys(str(pyrage.x25519.Identity.generate()), "the test")


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory, key: BackupKeys) -> Path:
    file = tmp_path_factory.mktemp("backup") / "backup.age"
    with sealed(file, key.recipients) as opened:
        for name, data in PARTS:
            opened.add(name, data)
    return file


def test_what_was_put_in_comes_out_in_order(backup: Path, key: BackupKeys) -> None:
    assert [*unsealed(backup, key.identities)] == [*PARTS]


def test_it_is_readable_by_its_owner_only_and_holds_nothing_in_clear(backup: Path) -> None:
    assert backup.stat().st_mode & 0o777 == 0o600
    written = backup.read_bytes()
    assert b"master" not in written
    assert PARTS[2][1][:32] not in written
    assert [*backup.parent.iterdir()] == [backup]


def test_another_key_is_said_in_one_sentence(backup: Path) -> None:
    other = read_keys(str(pyrage.x25519.Identity.generate()), "the test")
    with pytest.raises(BackupUnreadable, match=r"backup\.age was encrypted for another key\.$"):
        [*unsealed(backup, other.identities)]


def test_a_public_key_backs_up_and_does_not_restore(tmp_path: Path, key: BackupKeys) -> None:
    public = read_keys(str(key.identities[0].to_public()), "the test")
    with sealed(tmp_path / "backup.age", public.recipients) as opened:
        opened.add(*PARTS[1])
    with pytest.raises(BackupUnreadable, match="restoring needs the secret key"):
        [*unsealed(tmp_path / "backup.age", public.identities)]
    assert [*unsealed(tmp_path / "backup.age", key.identities)] == [PARTS[1]]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(min_value=0), flip=st.booleans())
def test_a_byte_that_was_changed_or_left_out_anywhere_is_noticed(
    backup: Path, key: BackupKeys, tmp_path: Path, cut: int, *, flip: bool
) -> None:
    whole = backup.read_bytes()
    place = cut % len(whole)
    damaged = whole[:place] + (bytes([whole[place] ^ 1]) + whole[place + 1 :] if flip else b"")
    (tmp_path / "damaged.age").write_bytes(damaged)
    with pytest.raises(BackupUnreadable, match=r"^.*damaged\.age (is|was) .*\.$"):
        [*unsealed(tmp_path / "damaged.age", key.identities)]


def test_what_another_program_encrypted_for_the_key_is_no_backup(tmp_path: Path, key: BackupKeys) -> None:
    with sealed(tmp_path / "other.age", key.recipients) as opened:
        opened.add("photo.jpg", b"")
    with pytest.raises(BackupUnreadable, match="is no backup of Coldstart"):
        check(unsealed(tmp_path / "other.age", key.identities))
    (tmp_path / "text.age").write_bytes(pyrage.encrypt(b"no tar archive" * 100, [*key.recipients]))
    with pytest.raises(BackupUnreadable, match="is damaged or truncated"):
        check(unsealed(tmp_path / "text.age", key.identities))


def test_a_backup_that_fails_leaves_the_one_before(tmp_path: Path, key: BackupKeys) -> None:
    file = tmp_path / "backup.age"
    file.write_text("the one before")
    with pytest.raises(RuntimeError, match="NATS went away"):
        interrupted(file, key)
    assert [*tmp_path.iterdir()] == [file]
    assert file.read_text() == "the one before"


def interrupted(file: Path, key: BackupKeys) -> None:
    with sealed(file, key.recipients) as opened:
        opened.add(*PARTS[2])
        raise RuntimeError("NATS went away")


def test_why_nothing_can_be_written_is_the_reason_that_is_given(tmp_path: Path) -> None:
    """Not that the pipe to it broke."""
    with pytest.raises(TypeError):
        add_more_than_a_pipe_holds(tmp_path / "backup.age", ["no recipient"])
    assert [*tmp_path.iterdir()] == []


def add_more_than_a_pipe_holds(file: Path, recipients: Sequence[Any]) -> None:
    with sealed(file, recipients) as opened:
        for _ in range(20):
            opened.add(*PARTS[2])


def test_reading_may_end_early(backup: Path, key: BackupKeys) -> None:
    members = unsealed(backup, key.identities)
    assert next(members) == PARTS[0]
    members.close()  # type: ignore[attr-defined]


def test_a_key_is_made_once_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "key"
    new_key(file)
    made = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    (identity,) = keys(file, None).identities
    assert str(identity) in made
    with pytest.raises(KeyUnusable, match="exists already"):
        new_key(file)
    assert file.read_text() == made


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the file holds no key."),
        ("# a comment\n\n", "the file holds no key."),
        ("hunter2\n", "line 1 of the file is no key of age"),
        ("\nAGE-SECRET-KEY-1QQQ\n", "line 2 of the file is no key of age"),
        ("age1qqq", "line 1 of the file is no key of age"),
    ],
)
def test_what_is_no_key_is_said_without_it(text: str, sentence: str) -> None:
    with pytest.raises(KeyUnusable, match=sentence) as refused:
        read_keys(text, "the file")
    assert not text.strip() or text.rsplit(maxsplit=1)[-1] not in str(refused.value)


def test_without_a_key_it_says_how_one_is_given(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="--key-file, COLDSTART_BACKUP_KEY_FILE or COLDSTART_BACKUP_KEY"):
        keys(None, None)
    with pytest.raises(KeyUnusable, match="does not exist; coldstart backup --new-key makes a key there"):
        keys(tmp_path / "none", None)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(KeyUnusable, match="binary is no text"):
        keys(tmp_path / "binary", None)
    assert keys(None, str(pyrage.x25519.Identity.generate())).identities
