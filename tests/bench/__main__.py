"""Every benchmark, one after the other, each in a process of its own: `make bench`."""

import subprocess
import sys

BENCHES = ("codec", "hops", "coordination", "engine", "end_to_end")


def main() -> None:
    """Run them all; the first that fails ends the run with its exit status."""
    for name in BENCHES:
        print(f"\n## {name}\n", flush=True)
        if status := subprocess.run([sys.executable, "-m", f"tests.bench.{name}"], check=False).returncode:
            raise SystemExit(status)


if __name__ == "__main__":
    main()
