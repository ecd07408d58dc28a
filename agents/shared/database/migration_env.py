"""What every Alembic folder's `env.py` does: run the revisions on the connection that `migrate` opened."""

from alembic import context


def run() -> None:
    """Run the pending revisions."""
    attributes = context.config.attributes
    context.configure(
        connection=attributes["connection"],
        version_table=attributes["version_table"],
        render_as_batch=True,
    )
    with context.begin_transaction():
        context.run_migrations()
