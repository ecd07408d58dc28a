"""A backup of version 0.1.0, with batches begun and ended, is restored as it is."""

import hashlib
import json
from pathlib import Path

from agents.doors.cli.records.databases import FORMAT, MANIFEST
from agents.doors.cli.records.restore import restore_records
from agents.shared.settings import Settings
from tests.version_0_1_0.dumps import restored

REVISIONS = {"ledger": "0006", "catalogue": "0003"}


def test_a_backup_of_version_0_1_0_passes_the_check_of_its_rows(tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    backup.mkdir()
    parts: dict[str, object] = {}
    for name, revision in REVISIONS.items():
        restored(name, backup)
        data = (backup / f"{name}.db").read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        parts[name] = {"revision": revision, "sha256": digest, "bytes": len(data), "rows": {}}
    manifest = {"format": FORMAT, "version": "0.1.0", "made_at": "2026-11-01T00:00:00+00:00", "databases": parts}
    (backup / MANIFEST).write_text(json.dumps(manifest))
    rows = restore_records(backup, Settings(home=tmp_path / "home"), force=False)
    assert rows["ledger"]["batches"] > 1
    assert rows["catalogue"]["images"] > 1
