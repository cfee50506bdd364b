"""Write the next step of the database from the difference between the steps so far and ``schemas/tables``.

For developers: ``python tools/new_migration.py 0002 "what changes"`` makes ``schemas/migrations/versions/v0002_*.py``
on a SQLite file that is thrown away. Read what it wrote, and tidy it: Alembic sees no renames and moves no data.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

import schemas.migrations

_ARGUMENTS = 3


def main() -> int:
    """Make the file, format it, and say where it is."""
    if len(sys.argv) != _ARGUMENTS or not re.fullmatch(r"[0-9]{4}", sys.argv[1]):
        print(__doc__)
        return 2
    number, message = sys.argv[1:]
    place = Path(schemas.migrations.__file__).parent
    slug = re.sub(r"[^a-z0-9]+", "_", message.lower()).strip("_")[:40]
    with tempfile.TemporaryDirectory() as directory:
        engine = create_engine(f"sqlite:///{directory}/empty.sqlite")
        with engine.begin() as connection:
            if any((place / "versions").glob("v*.py")):
                schemas.migrations.upgrade(connection)
            config = Config()
            config.set_main_option("script_location", str(place).replace("%", "%%"))
            config.set_main_option("file_template", f"v{number}_{slug}")
            config.attributes["connection"] = connection
            made = command.revision(config, message, autogenerate=True, rev_id=number)
        engine.dispose()
    path = place / "versions" / f"v{number}_{slug}.py"
    text = re.sub(r" *# ### .*\n", "", path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    subprocess.run([sys.executable, "-m", "ruff", "check", "--fix-only", "--quiet", str(path)], check=False)
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", str(path)], check=False)
    print(f"Wrote {path}; read it before you commit it." if made else "Nothing was written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
